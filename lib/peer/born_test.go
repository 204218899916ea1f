package peer

import (
	"testing"
	"time"

	"namecast/lib/peer/packet"
)

// A member that was started anew is given what it owns again, once, though it was given
// it a short while ago.
func TestBornAgain(t *testing.T) {
	ring := ringOf(0, 5)
	ring.born = map[packet.NodeID]time.Duration{}
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	owners := ring.Owners(q.Name, 2, nil)
	g.learn(q, 60, "192.0.2.1")
	g.wait(time.Second)
	if k := len(g.puts()); k != 2 {
		t.Fatalf("given %d times", k)
	}
	ring.change++ // somebody else came
	g.step(Tick{})
	g.wait(time.Minute)
	if puts := g.puts(); len(puts) != 0 {
		t.Fatalf("given again: %+v", puts)
	}
	ring.born[owners[1]] = g.now
	ring.change++
	g.step(Tick{})
	g.wait(time.Minute)
	puts := g.puts()
	if len(puts) != 1 || puts[0].To != owners[1] {
		t.Fatalf("given: %+v", puts)
	}
	ring.change++
	g.step(Tick{})
	g.wait(time.Minute)
	if puts := g.puts(); len(puts) != 0 {
		t.Fatalf("given again: %+v", puts)
	}
}
