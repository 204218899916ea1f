package probe

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"namecast/lib/key"
	"namecast/lib/limit"
	"namecast/lib/node"
	"path/filepath"
)

// A nodeLog is where a node says that it is ready.
type nodeLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *nodeLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

var ready = regexp.MustCompile(`msg=ready .* dns=(\S+) nup=(\S+)`)

// await gives the node's addresses.
func (l *nodeLog) await(t *testing.T) (dns, nup string) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		m := ready.FindStringSubmatch(l.text.String())
		l.mu.Unlock()
		if m != nil {
			return m[1], m[2]
		}
	}
	t.Fatalf("the node does not come up: %s", l.text.String())
	return "", ""
}

// startNode runs an nc-serve until stop.
func startNode(t *testing.T, rate limit.Rate) (dns, nup string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := &nodeLog{}
	c := node.Config{Domain: "d.example", NS: "ns1.d.example=192.0.2.1", DNS: "127.0.0.1:0", NUP: "127.0.0.1:0",
		DB: t.TempDir(), ProofPort: 53, Memory: 32 << 20, Log: slog.New(slog.NewTextHandler(out, nil))}
	c.Budgets.Source, c.Budgets.Account, c.Budgets.NewAccounts, c.Budgets.NewPerSource, c.Budgets.Verify = rate, rate, rate, rate, rate
	var run sync.WaitGroup
	run.Go(func() {
		if err := node.Run(ctx, c); err != nil {
			t.Errorf("the node ends: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); run.Wait() })
	t.Cleanup(stop)
	dns, nup = out.await(t)
	return dns, nup, stop
}

func TestUpdate(t *testing.T) {
	dns, nup, stop := startNode(t, limit.Rate{N: 1000, Per: time.Second})
	secret, err := key.Generate(strings.NewReader(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := (key.File{Secret: secret, Public: secret.Public(), Service: "d.example"}).Save(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	words := "key=" + path + " at=" + dns + " server=" + nup
	p, q := parse(t, "update", words), parse(t, "update", words)
	for range 3 { // two that share an account: each is told of the other's sequence number
		for _, p := range []Probe{p, q} {
			detail, err := p.Look(t.Context())
			if err != nil || !strings.Contains(detail, "in DNS after") {
				t.Fatalf("%q, %v", detail, err)
			}
		}
	}
	other := parse(t, "update", words+" service=other.example")
	if _, err := other.Look(t.Context()); err == nil || Timeout(err) {
		t.Errorf("another service: %v", err)
	}
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := p.Look(ctx); err == nil {
		t.Error("well without a node")
	} else {
		t.Log(err)
	}
}
