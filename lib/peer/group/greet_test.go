package group

import (
	"slices"
	"testing"

	"namecast/lib/peer/packet"
)

// TestGreeted: who says Hello on several links is told of once until it is taken, and of
// very many some are.
func TestGreeted(t *testing.T) {
	g := &Group{}
	for range 3 {
		g.greet(packet.NodeID{1})
		g.greet(packet.NodeID{2})
	}
	if got := g.Greeted(); !slices.Equal(got, []packet.NodeID{{1}, {2}}) {
		t.Errorf("greeted by %v", got)
	}
	for i := range 100 {
		g.greet(packet.NodeID{byte(i)})
	}
	if got := g.Greeted(); len(got) != maxGreeted {
		t.Errorf("%d wait", len(got))
	}
	if got := g.Greeted(); len(got) != 0 {
		t.Errorf("taken again: %v", got)
	}
}
