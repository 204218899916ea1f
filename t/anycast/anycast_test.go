package anycast

import (
	"errors"
	"flag"
	"testing"
	"time"

	"namecast/t/lab"
	"namecast/t/tools"
)

var (
	times = flag.Int("n", 1, "how often each row of the table is measured")
	judge = flag.Bool("judge", false, "the table's bounds are judged; on a machine that has nothing else to do")
	out   = flag.String("write", "", "`file` that the table is written to")
	soak  = flag.Duration("soak", 20*time.Second, "how long the soak lasts")
)

// errNotYet: the condition that is waited for does not hold yet.
var errNotYet = errors.New("not yet")

// TestAnycast is all of it; its parts can be chosen with -run TestAnycast/part.
func TestAnycast(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	lab.New(t) // skips the test if there are no machines to be had
	bin := tools.Build(t, "nc-bgp", "nc-watch")
	for _, part := range []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"instrument", testInstrument}, {"table", testTable}, {"orders", testOrders}, {"many", testMany},
		{"unread", testUnread}, {"disk", testDisk}, {"router", testRouter}, {"recovery", testRecovery}, {"partition", testPartition},
		{"soak", testSoak},
	} {
		t.Run(part.name, func(t *testing.T) {
			share(t)
			part.run(t, bin)
		})
	}
}

// share lets a test run beside others, unless times are judged.
func share(t *testing.T) {
	if !*judge {
		t.Parallel()
	}
}

// testInstrument measures what is known: BIRD in the place of our tools.
func testInstrument(t *testing.T, bin string) {
	w := newWorld(t, bin, options{})
	for _, n := range w.nodes {
		n.bird()
	}
	victim := w.steady()
	// The route stays when only nc-serve dies: nobody looks.
	began := time.Now()
	victim.process["nc-serve"].Kill()
	w.lab.Expect(patience, func() error {
		if lost, _ := w.client.lost(began, time.Now().Add(-grace)); lost < 50 {
			return errNotYet
		}
		return nil
	})
	if w.best() != victim.name || !w.client.other(victim.name, began).IsZero() {
		t.Errorf("the route leads to %q, and before to %s", w.best(), victim.name)
	}
	// It goes when BIRD dies.
	began = time.Now()
	victim.process["bird"].Kill()
	gone := w.leaves(victim, began, patience)
	answered := w.answered(victim, began, patience)
	t.Logf("route gone after %v, client answered after %v", gone, answered)
	if answered < gone+distance { // one question was on its way
		t.Errorf("the client was answered %v after the route had gone, and is %v away", answered-gone, distance)
	}
}
