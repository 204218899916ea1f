package control

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// boot starts a node's process: it registers, and renews while it is up.
func (b *board) boot(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[name]
	if n.up {
		return
	}
	n.up, n.Live = true, true
	n.Inc++
	n.Held = map[chain.ID]plan.Holding{}
	for id, inc := range n.holds {
		n.Held[id] = plan.Holding{Inc: inc}
	}
	b.renewed(n)
	b.tell()
	go b.renew(n, n.Inc)
}

func (b *board) renewed(n *peer) {
	b.serial++
	n.Renewed, n.Renewal = b.now(), b.serial
	n.until[n.Inc] = b.now() + lease
}

// renew renews a registration while the process runs; when that is gone, it comes
// back as another.
func (b *board) renew(n *peer, inc chain.Incarnation) {
	for {
		time.Sleep(400 * time.Millisecond)
		b.mu.Lock()
		if !n.up || n.Inc != inc {
			b.mu.Unlock()
			return
		}
		if !n.Live {
			n.up = false
			b.mu.Unlock()
			b.boot(n.Name)
			return
		}
		if !b.away {
			b.renewed(n)
		}
		b.mu.Unlock()
	}
}

// kill ends a node's process; its registration lapses some time after that.
func (b *board) kill(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[name]
	if !n.up {
		return
	}
	n.up = false
	inc := n.Inc
	time.AfterFunc(2200*time.Millisecond, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if n.Inc == inc && n.Live {
			n.Live = false
			b.tell()
		}
	})
}

// end ends it cleanly.
func (b *board) end(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[name]
	if !n.up || !n.Live {
		return
	}
	n.up, n.Live, n.Ended = false, false, n.Inc
	n.until[n.Inc] = 0
	b.tell()
}

// change changes a node.
func (b *board) change(name string, f func(*peer)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.nodes[name])
	b.tell()
}

// What tests look at while a controller is at work.

func (b *board) table() []chain.Row {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.rows)
}

func (b *board) count() int { return len(b.table()) }

func (b *board) expelled() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.expels
}

func (b *board) steps() map[plan.Kind]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.moved)
}

func (b *board) latest() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

func (b *board) heard(name string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodes[name].Renewed
}

// pick is one of the names at random.
func (b *board) pick(r *rand.Rand) string {
	return slices.Sorted(maps.Keys(b.nodes))[r.IntN(len(b.nodes))]
}
