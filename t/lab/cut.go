package lab

import (
	"maps"
	"slices"
)

// Cut makes that nothing goes between two machines any more, in both directions.
// Nobody notices by other means than by hearing nothing.
func (n *Net) Cut(a, b *Machine) {
	n.change(true, between(a, b), a, b)
}

// CutOneWay makes that nothing of the one machine gets to the other; the
// opposite direction is left as it is.
func (n *Net) CutOneWay(from, to *Machine) {
	n.change(true, func(f, t *Machine) bool { return f == from && t == to }, from, to)
}

// Mute makes that nothing of a machine gets to any other.
func (n *Net) Mute(m *Machine) {
	n.change(true, func(from, _ *Machine) bool { return from == m }, m)
}

// Deafen makes that nothing gets to a machine.
func (n *Net) Deafen(m *Machine) {
	n.change(true, func(_, to *Machine) bool { return to == m }, m)
}

// Isolate cuts a machine off from all others.
func (n *Net) Isolate(m *Machine) {
	n.change(true, func(from, to *Machine) bool { return from == m || to == m }, m)
}

// Partition cuts the groups off from each other and from the machines that are
// in none of them; inside of a group nothing changes. The machines in none of
// the groups are one group more.
func (n *Net) Partition(groups ...[]*Machine) {
	of := func(m *Machine) int {
		return slices.IndexFunc(groups, func(g []*Machine) bool { return slices.Contains(g, m) })
	}
	n.change(true, func(from, to *Machine) bool { return of(from) != of(to) }, slices.Concat(groups...)...)
}

// Mend takes back all cuts between two machines, in both directions.
func (n *Net) Mend(a, b *Machine) {
	n.change(false, between(a, b), a, b)
}

// Heal takes back all cuts of the network.
func (n *Net) Heal() {
	n.change(false, func(_, _ *Machine) bool { return true })
}

// between chooses both directions between two machines.
func between(a, b *Machine) func(from, to *Machine) bool {
	return func(from, to *Machine) bool { return from == a && to == b || from == b && to == a }
}

// change cuts or mends the directions that are chosen among all of the network,
// all at once. The machines that it is about have to be there: a fault that does
// nothing would have a test pass.
func (n *Net) change(cut bool, chosen func(from, to *Machine) bool, about ...*Machine) {
	for _, m := range about {
		if n.port(m) == nil {
			n.lab.t.Errorf("lab: cuts of network %s: machine %s is not there", n.name, m.name)
			return
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, from := range n.ports {
		for _, to := range n.ports {
			if from == to || !chosen(from.machine, to.machine) {
				continue
			}
			if w := (way{from, to}); cut {
				n.cuts[w] = true
			} else {
				delete(n.cuts, w)
			}
		}
	}
	if err := n.at.setCuts(slices.Collect(maps.Keys(n.cuts))); err != nil {
		n.lab.t.Errorf("lab: cuts of network %s: %v", n.name, err)
	}
}
