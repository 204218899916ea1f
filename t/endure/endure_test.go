package endure

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/tools"
)

var (
	lasts = flag.Duration("for", 20*time.Second, "for how long nodes die")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the nodes' deaths")
)

const (
	users = 4
	names = 8 // that a user changes
)

// TestEndure is the whole story.
func TestEndure(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	t.Logf("seed %d", *seed)
	c := newCluster(t, tools.Build(t, "nc-chain"))
	var serves []*tools.Daemon
	for i := range 3 {
		serves = append(serves, c.serve(fmt.Sprintf("s%d", i+1)))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var parts sync.WaitGroup
	var people []*user
	for i := range users {
		u := newUser(c, i, serves)
		people = append(people, u)
		parts.Go(func() { u.live(ctx) })
	}
	asked := make([]atomic.Int64, len(serves))
	for i, s := range serves {
		parts.Go(func() { ask(ctx, t, s.Words["dns"], &asked[i]) })
	}
	deaths := die(c, *lasts)
	c.whole()
	time.AfterFunc(time.Second, stop) // some updates in peace
	parts.Wait()
	acknowledged := 0
	for _, u := range people {
		u.check(serves)
		acknowledged += u.acknowledged
	}
	t.Logf("%d deaths, %d updates acknowledged, longest wait %v; questions answered: %d, %d, %d", deaths, acknowledged,
		slices.MaxFunc(people, func(a, b *user) int { return int(a.longest - b.longest) }).longest.Round(time.Millisecond),
		asked[0].Load(), asked[1].Load(), asked[2].Load())
	if acknowledged < users*names {
		t.Errorf("only %d updates were acknowledged", acknowledged)
	}
}

// die kills nodes and starts them again for a while, and tells how many died.
func die(c *cluster, d time.Duration) (deaths int) {
	random := rand.New(rand.NewPCG(*seed, 0))
	for end := time.Now().Add(d); time.Now().Before(end); deaths++ {
		i := random.IntN(len(c.nodes))
		c.kill(i)
		time.Sleep(time.Duration(random.Int64N(int64(4 * time.Second))))
		c.start(i)
		time.Sleep(time.Duration(random.Int64N(int64(3 * time.Second))))
	}
	return deaths
}

// A user has one account, and changes its names one after the other.
type user struct {
	c            *cluster
	key, account string
	serves       []*tools.Daemon
	random       *rand.Rand
	count        int
	acknowledged int
	longest      time.Duration
	may          [names]map[string]bool // what a name may be: what was acknowledged last, and what was tried since
}

func newUser(c *cluster, i int, serves []*tools.Daemon) *user {
	u := &user{c: c, key: c.file(fmt.Sprintf("user%d.key", i)), serves: serves, random: rand.New(rand.NewPCG(*seed, uint64(i+1)))}
	c.tool("", "nc-keygen", "-o", u.key)
	u.account = strings.TrimSpace(c.tool(c.read(filepath.Base(u.key)), "nc-keygen", "-hash"))
	for i := range u.may {
		u.may[i] = map[string]bool{"": true}
	}
	return u
}

// live sends updates until the context ends.
func (u *user) live(ctx context.Context) {
	for ctx.Err() == nil {
		u.count++
		n := u.count % names
		value := fmt.Sprintf("10.%d.%d.%d", u.count>>16&255, u.count>>8&255, u.count&255)
		u.may[n][value] = true
		began := time.Now()
		out, code := u.send(fmt.Sprintf("replace host%d 60 A %s\n", n, value))
		u.longest = max(u.longest, time.Since(began))
		switch code {
		case 0:
			u.acknowledged++
			u.may[n] = map[string]bool{value: true}
		case 111: // it may have taken effect, or may yet
		default:
			if !strings.Contains(out, "seq") { // an update before this one took effect after all
				u.c.t.Errorf("update %d of %s: exit %d: %s", u.count, u.account, code, out)
				return
			}
		}
	}
}

// send is nc-sign | nc-send at one of the servers.
func (u *user) send(text string) (out string, code int) {
	server := "namecast.example@" + u.serves[u.random.IntN(len(u.serves))].Words["nup"]
	cmd := exec.Command("sh", "-c", `nc-sign | nc-send`)
	cmd.Env = []string{"PATH=" + u.c.bin + ":/usr/bin:/bin", "NAMECAST_KEY=" + u.key, "NAMECAST_SERVER=" + server}
	cmd.Stdin = strings.NewReader(text)
	b, _ := cmd.CombinedOutput()
	return string(b), cmd.ProcessState.ExitCode()
}

// check has every server answer with what was acknowledged.
func (u *user) check(serves []*tools.Daemon) {
	for i, s := range serves {
		for n, may := range u.may {
			got := ""
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if got = address(s.Words["dns"], fmt.Sprintf("host%d.%s.namecast.example.", n, u.account)); may[got] {
					break
				}
			}
			if !may[got] {
				u.c.t.Errorf("host%d of %s is %q at server %d; it can be %v", n, u.account, got, i+1, may)
			}
		}
	}
}

// address asks for the address of a name; "" if it has none.
func address(server, name string) string {
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	r, err := dns.Exchange(m, server)
	if err != nil || len(r.Answer) != 1 {
		return ""
	}
	a, ok := r.Answer[0].(*dns.A)
	if !ok {
		return ""
	}
	return a.A.String()
}

// ask asks a server until the context ends: it must answer each time.
func ask(ctx context.Context, t *testing.T, server string, answered *atomic.Int64) {
	client := &dns.Client{Timeout: 5 * time.Second}
	for ctx.Err() == nil {
		m := new(dns.Msg).SetQuestion("namecast.example.", dns.TypeSOA)
		r, _, err := client.Exchange(m, server)
		if err != nil || r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 {
			t.Errorf("%s does not answer: %v, %v", server, err, r)
			return
		}
		answered.Add(1)
		time.Sleep(10 * time.Millisecond)
	}
}
