package anycast

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// holdDown is how long a node waits before it is announced again, as nc-watch has
// it without configuration.
const holdDown = 10 * time.Second

// testRecovery has nc-watch restart a server that was killed: the node comes back
// once, when it was held down, and nobody notices.
func testRecovery(t *testing.T, bin string) {
	w := newService(t, bin, options{restart: true})
	victim := w.steady()
	began := killed("nc-serve")(w, victim)
	gone := began.Add(w.leaves(victim, began, patience))
	w.lab.Expect(3*time.Minute, func() error { return w.announces(victim) })
	back := time.Now()
	if held := back.Sub(gone); held < holdDown {
		t.Errorf("announced again %v after it was withdrawn", held)
	}
	w.lab.Expect(patience, func() error {
		if by := w.client.serving(); by != victim.name {
			return fmt.Errorf("the client is answered by %q", by)
		}
		return nil
	})
	w.unharmed(back.Add(-time.Second), w.passes(time.Second))
	log := victim.process["nc-bgp"].Log()
	if n := strings.Count(log, fmt.Sprintf("msg=announce prefix=%v", prefix)); n != 2 {
		t.Errorf("announced %d times: %s", n, log)
	}
	t.Logf("announced again after %v", back.Sub(gone))
}

// restart is the command that starts nc-serve, in a session of its own, and notes
// its number, as a supervisor would.
func (n *node) restart() string {
	script := n.w.file(n.name+".restart", fmt.Sprintf(`setsid %s >>%s 2>&1 </dev/null &
echo $! >%s
`, strings.Join(append([]string{filepath.Join(n.w.bin, "nc-serve")}, n.serveArgs()...), " "),
		filepath.Join(n.w.dir, n.name+".restarted.log"), filepath.Join(n.w.dir, n.pidFile("nc-serve"))))
	return "sh " + script
}

// testPartition cuts one node off from the others, or all from all, but none from
// the router: they are well, do not hear each other, and stay; also when they hear
// each other again.
func testPartition(t *testing.T, bin string) {
	for _, whom := range []string{"one", "all"} {
		t.Run(whom, func(t *testing.T) {
			share(t)
			w := newService(t, bin, options{})
			alone := w.steady()
			changes := len(w.routes.Seen())
			began := time.Now()
			for i, n := range w.nodes {
				for _, m := range w.nodes[:i] {
					if whom == "all" || n == alone || m == alone {
						w.lan.Cut(n.machine, m.machine)
					}
				}
			}
			for _, n := range w.nodes {
				n.process["nc-watch"].WaitFor(patience, "fails from outside")
			}
			w.passes(4 * time.Second)
			w.lan.Heal()
			w.unharmed(began, w.passes(5*time.Second))
			w.unmoved(changes)
		})
	}
}

// unmoved checks that nothing has been withdrawn, and that the router has changed
// nothing since its first changes.
func (w *world) unmoved(changes int) {
	w.t.Helper()
	for _, n := range w.nodes {
		if err := w.announces(n); err != nil {
			w.t.Error(err)
		}
		if log := n.process["nc-bgp"].Log(); strings.Contains(log, "withdraw") || strings.Contains(log, "order") {
			w.t.Errorf("nc-bgp on %s: %s", n.name, log)
		}
	}
	for _, r := range w.routes.Seen()[changes:] {
		w.t.Errorf("a route has changed: %+v", r)
	}
}
