package peer

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

var soak = flag.Duration("soak", 0, "how long TestSoak lasts; 0: it is left out")

// What a soak is like: in each turn the name server lives, dies and comes back.
const (
	soakNames = 4000
	soakRate  = 50 // lookups of each machine in a second
	soakLives = 30 * time.Second
	soakDead  = 15 * time.Second
)

// A weight is what a process takes.
type weight struct{ rss, goroutines, files int }

// TestSoak has machines under load for a long time, while the name server dies and comes
// back. What their nc-peers take must not grow.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("it takes long; -soak DURATION")
	}
	w := newWorld(t, 8, options{names: soakNames, ttl: 5})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var asked, known atomic.Int64
	for _, m := range w.members {
		all.Go(func() { m.load(ctx, &asked, &known) })
	}
	defer all.Wait()
	defer cancel()
	var turns [][]weight
	end := time.Now().Add(*soak)
	for k := 0; time.Now().Before(end); k++ {
		<-time.After(soakLives)
		d := deaths[k%2]
		d.die(w)
		<-time.After(soakDead)
		if d.name == "silent" {
			d.end(w)
		} else {
			w.serve(soakNames, 5)
		}
		turns = append(turns, w.weights())
		t.Logf("turn %d, %s: %d lookups, %d answered; %s", k+1, d.name, asked.Load(), known.Load(), heaviest(turns[k]))
	}
	flat(t, turns)
}

// load asks for names at random until ctx ends.
func (m *member) load(ctx context.Context, asked, known *atomic.Int64) {
	conn, err := m.Dial(ctx, "udp", stub)
	if err != nil {
		m.w.t.Errorf("%s: %v", m.Name(), err)
		return
	}
	defer conn.Close()
	c := &dns.Conn{Conn: conn, UDPSize: 4096}
	tick := time.NewTicker(time.Second / soakRate)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		i := int(rand.ExpFloat64()*soakNames/8) % soakNames
		q := new(dns.Msg)
		q.SetQuestion(name(i), dns.TypeA)
		conn.SetDeadline(time.Now().Add(11 * time.Second))
		if err := c.WriteMsg(q); err != nil {
			m.w.t.Errorf("%s: %v", m.Name(), err)
			return
		}
		asked.Add(1)
		r, err := c.ReadMsg()
		if err != nil || r.Id != q.Id {
			m.w.t.Errorf("%s: %s: %v", m.Name(), name(i), err)
			return
		}
		switch got := (answer{Msg: r}).address(); {
		case got == address(i):
			known.Add(1)
		case r.Rcode != dns.RcodeServerFailure:
			m.w.t.Errorf("%s: %s is %q (%s), want %s", m.Name(), name(i), got, answer{Msg: r}.told(), address(i))
		}
	}
}

// weights are what the machines' nc-peers take.
func (w *world) weights() []weight {
	list := make([]weight, len(w.members))
	for i, m := range w.members {
		proc := fmt.Sprintf("/proc/%d", m.peer.Pid())
		text, err := os.ReadFile(filepath.Join(proc, "status"))
		if err != nil {
			w.t.Error(err)
		}
		files, err := os.ReadDir(filepath.Join(proc, "fd"))
		if err != nil {
			w.t.Error(err)
		}
		out, err := m.status("stats")
		if err != nil {
			w.t.Error(err)
		}
		list[i] = weight{field(string(text), "VmRSS:"), field(out, "goroutines"), len(files)}
	}
	return list
}

// field is the number after a word at the beginning of a line.
func field(text, word string) int {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == word {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

// heaviest says what the processes take at most.
func heaviest(list []weight) string {
	most := func(of func(weight) int) int {
		return of(slices.MaxFunc(list, func(a, b weight) int { return of(a) - of(b) }))
	}
	return fmt.Sprintf("at most %d kB, %d goroutines, %d files", most(func(x weight) int { return x.rss }),
		most(func(x weight) int { return x.goroutines }), most(func(x weight) int { return x.files }))
}

// flat fails if what a process takes has grown from the second quarter of the turns to the
// last one: in the first the cache fills.
func flat(t *testing.T, turns [][]weight) {
	if len(turns) < 8 {
		t.Logf("%d turns are too few to tell whether anything grows", len(turns))
		return
	}
	quarter := len(turns) / 4
	for i := range turns[0] {
		least := func(turns [][]weight) (x weight) {
			x = turns[0][i]
			for _, l := range turns {
				x = weight{min(x.rss, l[i].rss), min(x.goroutines, l[i].goroutines), min(x.files, l[i].files)}
			}
			return x
		}
		a, b := least(turns[quarter:2*quarter]), least(turns[len(turns)-quarter:])
		if b.rss > a.rss*11/10 || b.goroutines > a.goroutines+5 || b.files > a.files+2 {
			t.Errorf("machine %d has grown from %+v to %+v", i+1, a, b)
		}
	}
}
