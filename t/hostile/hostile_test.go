// Package hostile throws mutated packets at a running nc-serve for a time, over
// UDP, TCP and TLS and at the update port, and judges every answer with a parser
// of its own. The process must live, its memory and goroutines must not grow,
// and no answer may break RFC 1035.
package hostile

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"namecast/t/tools"
)

var (
	howLong = flag.Duration("time", 20*time.Second, "how long to send")
	seed    = flag.Uint64("seed", 0, "of the mutations; 0 is a new one each time")
)

const (
	mega = 1 << 20
	// most is the memory that the process may have, and growth what it may get
	// more of after a tenth of the time.
	most, growth = 768 * mega, 96 * mega
	patience     = 20 * time.Second
)

// A front is one way to send.
type front struct {
	name string
	run  func(ctx context.Context, m *mutator) (sent, answered int, err error)
}

func TestHostile(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d, for %s", *seed, *howLong)
	n := start(t)
	queries, updates := n.queries(), n.updates()
	fronts := []front{
		{"udp", n.udp}, {"tcp", n.tcp}, {"tls", n.tls}, {"tls handshakes", n.handshakes},
		{"update port", n.nup},
	}
	before := n.goroutines()
	ctx, cancel := context.WithTimeout(t.Context(), *howLong)
	defer cancel()
	var all sync.WaitGroup
	for i, f := range fronts {
		m := &mutator{rand.New(rand.NewPCG(*seed, uint64(i))), append(append([][]byte(nil), queries...), updates...)}
		switch f.name {
		case "update port":
			m.corpus = append(m.corpus, updates...) // more of what belongs there
		default:
			m.corpus = append(append(m.corpus, queries...), queries...)
		}
		all.Go(func() {
			sent, answered, err := f.run(ctx, m)
			t.Logf("%s: %d sent, %d answered", f.name, sent, answered)
			if err != nil {
				t.Errorf("%s, seed %d: %v", f.name, *seed, err)
				cancel()
			}
		})
	}
	n.watchMemory(ctx)
	all.Wait()
	n.aftermath(before)
}

// watchMemory samples the process's memory until ctx ends.
func (n *node) watchMemory(ctx context.Context) {
	tick := time.NewTicker(max(*howLong/100, 100*time.Millisecond))
	defer tick.Stop()
	began, early, peak := time.Now(), 0, 0
	for {
		select {
		case <-ctx.Done():
			n.t.Logf("memory: %d MB after a tenth of the time, %d MB at most, %d MB at the end", early/mega, peak/mega, n.memory()/mega)
			if end := n.memory(); peak > most || early > 0 && end > early+growth {
				n.t.Errorf("memory grows: %d octets early, %d at most, %d at the end", early, peak, end)
			}
			return
		case <-tick.C:
		}
		now := n.memory()
		peak = max(peak, now)
		if early == 0 && time.Since(began) > *howLong/10 {
			early = now
		}
	}
}

// memory is the resident set of the process, in octets.
func (n *node) memory() int {
	n.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Process.Pid))
	if err != nil {
		n.t.Fatalf("the process is gone: %v\n%s", err, n.log())
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		n.t.Fatalf("the process has no memory any more\n%s", n.log())
	}
	kilo, err := strconv.Atoi(fields[0])
	if err != nil {
		n.t.Fatal(err)
	}
	return kilo << 10
}

func (n *node) log() string {
	text, _ := os.ReadFile(filepath.Join(n.dir, "log"))
	return string(text[max(0, len(text)-4000):])
}

func (n *node) goroutines() int {
	http.DefaultClient.CloseIdleConnections()
	return n.Metric(n.t, "go_goroutines")
}

// aftermath checks what is left when everybody has gone.
func (n *node) aftermath(before int) {
	now := n.goroutines()
	for end := time.Now().Add(patience); now > before+3 && time.Now().Before(end); now = n.goroutines() {
	}
	if now > before+3 {
		n.t.Errorf("%d goroutines, %d before", now, before)
	}
	if left := n.Metric(n.t, "namecast_dns_connections"); left != 0 {
		n.t.Errorf("%d connections left", left)
	}
	if panics := n.Metric(n.t, "namecast_dns_panics_total"); panics != 0 || strings.Contains(n.log(), "panic") {
		n.t.Errorf("%d panics\n%s", panics, n.log())
	}
	for i, q := range n.good() {
		if err := n.stillAnswers(q); err != nil {
			n.t.Errorf("question %d afterwards: %v", i, err)
		}
	}
}

// start runs a node with an account that has something of everything.
func start(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, bin: tools.Build(t), dir: t.TempDir()}
	n.prepare()
	n.Daemon = tools.Serve(t, n.bin, n.dir, "-ns", "ns1."+base+"=192.0.2.53", "-http", "127.0.0.1:0", "-grant", n.file("grants"),
		"-rate-sign", "none", "-rate-source", "none", "-rate-account", "none", "-rate-new", "none", "-rate-new-source", "none",
		"-dot", "127.0.0.1:0", "-tls-cert", n.file("cert.pem"), "-tls-key", n.file("key.pem"))
	n.fill()
	return n
}
