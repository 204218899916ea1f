package group

import (
	"slices"

	"namecast/lib/peer/packet"
)

// maxGreeted is how many greetings wait to be taken.
const maxGreeted = 32

// greet takes down that a member, or this node, said to all that it is there;
// by several links and addresses is once.
func (g *Group) greet(id packet.NodeID) {
	if len(g.greeted) < maxGreeted && !slices.Contains(g.greeted, id) {
		g.greeted = append(g.greeted, id)
	}
}

// Greeted gives the members that have said to all that they are there since it was called
// last, and this node if it did: for those who look on. Of many it gives some.
func (g *Group) Greeted() []packet.NodeID {
	all := g.greeted
	g.greeted = nil
	return all
}
