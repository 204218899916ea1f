package anycast

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"namecast/t/lab"
)

// testSoak keeps all processors busy: nobody may take a node for dead. In the end
// one is, and has to be left as ever.
func testSoak(t *testing.T, bin string) {
	w := newService(t, bin, options{bfd: true})
	victim := w.steady()
	load := w.lab.Machine("load")
	var busy []*lab.Process
	for range 2 * runtime.NumCPU() {
		busy = append(busy, load.Start("sh", "-c", "while :; do :; done"))
	}
	began := time.Now()
	before := map[*node]int{}
	for _, n := range w.nodes {
		before[n] = len(n.process["nc-watch"].Log())
	}
	changes := len(w.routes.Seen())
	end := w.passes(*soak)
	for _, p := range busy {
		if p.Ended() {
			t.Errorf("%v has not kept its processor busy", p)
		}
	}
	for _, r := range w.routes.Seen()[changes:] {
		t.Errorf("a route has changed: %+v", r)
	}
	for _, n := range w.nodes {
		if err := w.announces(n); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(n.process["nc-watch"].Log()[before[n]:]) {
			if strings.Contains(line, "withdraw") {
				t.Errorf("nc-watch on %s: %s", n.name, line)
			}
		}
	}
	failed := killed("nc-serve")(w, victim)
	t.Logf("with all processors busy the route goes after %v", w.leaves(victim, failed, patience))
	load.Kill()
	w.passes(grace)
	lost, sent := w.client.lost(began, end)
	t.Logf("%d of %d questions lost in %v, no answer for %v at most", lost, sent, *soak, w.client.silence(began, end))
}
