package sim

import (
	"os"
	"testing"
	"time"

	"namecast/lib/chain/internal/safeguard"
)

// without leaves out one safeguard of the replica.
func without(name string, g ...safeguard.Guard) weakness {
	return weakness{name: name, replica: safeguard.Without(g...)}
}

// aside has nodes that the coordinator does not reach, while all else is well.
func aside(p *profile) {
	*p = profile{
		nodes: 3, replicas: 3, delay: p.delay, clocks: 0.05, pauses: p.pauses / 2,
		cuts: 6, aside: 1, doubts: 0.2, lasts: 2 * time.Second, writers: 2, readers: 4,
	}
}

// hasty has nodes that are taken for dead as soon as the coordinator does not
// reach them, so that their leases have hardly begun.
func hasty(p *profile) {
	aside(p)
	p.delay, p.pauses, p.doubts, p.cuts, p.readers = 300*time.Microsecond, 0, 0.5, 8, 2
}

// lossy is hasty, and much of what is sent has to be sent again.
func lossy(p *profile) {
	hasty(p)
	p.drop, p.cuts = 0.3, 2
}

// untrusted has no leases, and nodes that are cut off.
func untrusted(p *profile) {
	aside(p)
	p.confirm = true
}

// pairs has chains of two members and no leases, which are taken apart and put
// together again and again.
func pairs(p *profile) {
	untrusted(p)
	p.nodes, p.replicas, p.aside, p.doubts = 2, 2, 0, 0.2
}

// weaknesses are all that a world can be made to lack, each with the weather
// that shows soonest what it is there for.
var weaknesses = []struct {
	weakness
	shape func(*profile)
}{
	{weakness: without("epochs", safeguard.Epochs)},
	{weakness: without("version query", safeguard.VersionQuery)},
	{weakness: without("dedupe", safeguard.Dedupe)},
	{weakness: without("expiry", safeguard.Expiry)},
	{weakness: without("whole log", safeguard.WholeLog)},
	{weakness: without("hello", safeguard.Hello)},
	{weakness: without("gate", safeguard.Gate)},
	{weakness: without("match", safeguard.Match)},
	{without("late check", safeguard.LateCheck), aside},
	{without("confirm all", safeguard.ConfirmAll), untrusted},
	{without("confirm recruit", safeguard.ConfirmRecruit), pairs},
	{weakness: without("contiguous", safeguard.Contiguous)},
	{weakness{name: "lease", noLease: true}, aside},
	{weakness: weakness{name: "lease wait", noWait: true}},
	{weakness{name: "clock margin", noMargin: true}, hasty},
	{weakness{name: "renewal guard", noRenewalGuard: true}, lossy},
	{weakness: weakness{name: "row guard", noRowGuard: true}},
	{weakness: weakness{name: "restart proof", noProof: true}},
	{weakness: weakness{name: "fsync first", noFsync: true}},
	{weakness: weakness{name: "new incarnation", sameInc: true, replica: safeguard.Without(safeguard.Fresh)}},
	{weakness: weakness{name: "feed order", noFeedCheck: true}},
}

// TestSafeguards leaves out one safeguard after the other, and finds for each
// what goes wrong without it.
func TestSafeguards(t *testing.T) {
	if raced {
		t.Skip("worlds have one goroutine each, and many are needed")
	}
	for _, weak := range weaknesses {
		t.Run(weak.name, func(t *testing.T) {
			if *one != 0 {
				w := outcome(*one, weak.weakness, weak.shape, true)
				os.Stderr.WriteString(w.trace.String())
				return
			}
			w := hunt(1, 3000, weak.weakness, weak.shape, nil)
			if w == nil {
				t.Fatal("nothing went wrong")
			}
			t.Logf("seed %d: %s", w.seed, w.failure)
		})
	}
}
