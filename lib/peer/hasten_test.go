package peer

import (
	"testing"
	"time"

	"namecast/lib/peer/packet"
)

// TestHasten: when one owner has answered, another that is busy costs a client 3 ms,
// or as long again as it took the first, and not its whole budget.
func TestHasten(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, then time.Duration
	}{
		{"quick", 500 * time.Microsecond, youngerWithin},
		{"slow", 4 * time.Millisecond, 4 * time.Millisecond},
		{"late", 7 * time.Millisecond, consultWithin - 7*time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			ring := ringOf(0, 5)
			g := newRig(t, Options{Ring: slowRing{ring}})
			q := strange(t, ring)
			g.down()
			g.ask(q)
			asks := g.asks()
			if len(asks) != 2 {
				t.Fatalf("asks %+v", asks)
			}
			g.wait(c.first)
			g.have(asks[0], asks[0].To, id(4), 2*time.Hour, response(q, 60, "192.0.2.2"))
			g.wait(c.then - time.Microsecond)
			g.silent()
			g.wait(time.Microsecond)
			if r := g.reply(); r.By != ByOwner || address(t, r) != "192.0.2.2" {
				t.Fatalf("reply %+v", r)
			}
		})
	}
}

// TestYoungerInTime: what the other owner says in that time is given if it is younger.
func TestYoungerInTime(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.down()
	g.ask(q)
	asks := g.asks()
	g.wait(500 * time.Microsecond)
	g.have(asks[0], asks[0].To, id(4), 2*time.Hour, response(q, 60, "192.0.2.2"))
	g.wait(youngerWithin - time.Microsecond)
	g.silent()
	g.have(asks[1], asks[1].To, id(3), time.Hour, response(q, 60, "192.0.2.3"))
	if r := g.reply(); address(t, r) != "192.0.2.3" {
		t.Fatalf("reply %+v", r)
	}
}

// A slowRing is one whose members are waited for longer than the owners' budget.
type slowRing struct{ *fakeRing }

func (slowRing) Wait(packet.NodeID) time.Duration { return 50 * time.Millisecond }
