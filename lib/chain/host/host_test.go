package host

import (
	"fmt"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
)

// TestWritesAndReads: of three nodes each takes writes and strong reads of all
// chains.
func TestWritesAndReads(t *testing.T) {
	c := newCluster(t, 3, "n1", "n2", "n3")
	c.coord.create()
	u := c.user("u1")
	for _, n := range c.nodes {
		conn := u.to(n, frame.ClassClient)
		for id := range chain.ID(8) {
			u.mustPut(c, conn, id, "key", fmt.Sprintf("by %s in %d", n.name, id))
			for _, other := range c.nodes {
				at := u.Conn(frame.ClassClient, other.name)
				if at == nil {
					continue
				}
				if got, want := u.mustRead(c, at, id, "key"), fmt.Sprintf("by %s in %d", n.name, id); got != want {
					t.Errorf("chain %d at %s: %q, want %q", id, other.name, got, want)
				}
			}
		}
	}
}
