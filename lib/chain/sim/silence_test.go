package sim

import (
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// How long connections are missed before that counts.
const (
	unheard = 75 * time.Millisecond  // at a node, which then tells the coordinator
	silence = 100 * time.Millisecond // at a controller, after it was told
)

// connected reports whether there can be a connection between two nodes, which
// needs both ways.
func (w *world) connected(a, b *node) bool {
	return a.up && b.up && !w.blocked[[2]int{a.at, b.at}] && !w.blocked[[2]int{b.at, a.at}]
}

// listen tells the coordinator with whom the node has no connection, whenever that
// changes.
func (n *node) listen() {
	n.later(n.in(25*time.Millisecond), n.listen)
	if n.rep == nil || n.w.weak.noSilence {
		return
	}
	var now []string
	for _, o := range n.w.nodes {
		if o == n || n.w.connected(n, o) {
			delete(n.missed, o.name)
			continue
		}
		since, ok := n.missed[o.name]
		if !ok {
			n.missed[o.name], since = n.w.now, n.w.now
		}
		if n.w.now-since >= unheard {
			now = append(now, o.name)
		}
	}
	if n.told && slices.Equal(now, n.said.nodes) {
		return
	}
	self, said := n.self, word{n.w.serial, now}
	n.said, n.told = said, false // whether it gets there is not known before the answer
	n.call(func() any { n.w.coord.silence(self, said); return nil }, func(any) { n.told = n.told || n.said.serial == said.serial })
}

// A word is what a node says of whom it has no connection with.
type word struct {
	serial uint64
	nodes  []string
}

// silence takes in with whom a node has no connection. A word that is late does not
// count, neither after a newer one nor for the next incarnation.
func (c *coordinator) silence(m chain.Member, said word) {
	if c.live[m.Node] == m.Inc && said.serial >= c.silent[m.Node].serial {
		c.silent[m.Node] = said
	}
}

// listen works out who has not heard whom for long enough.
func (c *controller) listen(nodes []plan.Node, silent map[string]word) {
	apart := map[[2]string]time.Duration{}
	live := map[string]bool{}
	for _, n := range nodes {
		live[n.Name] = n.Live
	}
	for i := range nodes {
		n := &nodes[i]
		for _, name := range silent[n.Name].nodes {
			pair := [2]string{min(n.Name, name), max(n.Name, name)}
			both := n.Live && live[name]
			since, ok := c.apart[pair]
			if !ok && !both {
				continue
			}
			if !ok {
				since = c.w.now
			}
			apart[pair] = since
			if both && c.w.now-since >= silence {
				n.Silent = append(n.Silent, name)
			}
		}
	}
	c.apart = apart
}
