package anycast

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// votes is the port of nc-bgp where votes come.
const votes = 8155

// testOrders has others take the route away from a node that is dead from outside,
// and tries all orders that do not count.
func testOrders(t *testing.T, bin string) {
	w := newService(t, bin, options{})
	victim := w.steady()
	var others []*node
	for _, n := range w.nodes {
		if n != victim {
			others = append(others, n)
		}
	}
	heard := victim.capture(votes)
	one := w.minority(victim, others[0], heard)
	w.forged(victim, others, one)
	list := w.majority(victim, others, heard)
	w.genuine(victim, others, list)
	w.replayed(victim, others, list)
}

// minority makes the node dead for one of the others alone, which has to vote and
// to get nothing by it. It gives that node's votes.
func (w *world) minority(victim, voter *node, heard *capture) [][]byte {
	victim.machine.Run("nft", "add table inet deaf")
	victim.machine.Run("nft", "add chain inet deaf in { type filter hook input priority 0; }")
	victim.machine.Run("nft", fmt.Sprintf("add rule inet deaf in ip saddr %s udp dport 53 drop; add rule inet deaf in ip saddr %[1]s tcp dport 53 drop", voter.addr()))
	var list [][]byte
	w.lab.Expect(patience, func() error {
		if list = heard.from(voter); len(list) < 2 {
			return fmt.Errorf("%d votes of %s against %s", len(list), voter.name, victim.name)
		}
		return nil
	})
	w.stays(victim, "votes of a minority")
	return list
}

// forged has a node send what it cannot know how to sign.
func (w *world) forged(victim *node, others []*node, genuine [][]byte) {
	from, as := others[1], others[0]
	vote := genuine[len(genuine)-1]
	var list [][]byte
	for i := range vote { // each octet is another
		b := bytes.Clone(vote)
		b[i] ^= 1
		list = append(list, b)
	}
	for i := range vote { // it is cut off
		list = append(list, vote[:i])
	}
	// The same vote in the name of the other node.
	list = append(list, bytes.Replace(vote, []byte(as.name), []byte(from.name), 1))
	list = append(list, bytes.Repeat([]byte{0xff}, 1232), bytes.Repeat([]byte{0}, 9000))
	for range 20 { // and the genuine one, again and again, from elsewhere
		list = append(list, vote)
	}
	for _, b := range list { // no faster than nc-bgp looks at what one address sends
		from.inject(victim, votes, b)
		w.passes(25 * time.Millisecond)
	}
	w.stays(victim, "forged votes")
	// The genuine one is about another node than that one.
	from.inject(as, votes, genuine...)
	from.inject(from, votes, genuine...)
	w.stays(victim, "votes at another node")
	for _, n := range others {
		if err := w.announces(n); err != nil {
			w.t.Errorf("votes against %s: %v", victim.name, err)
		}
	}
}

// majority makes the node dead for all others and sees its route go. It gives the
// votes of each.
func (w *world) majority(victim *node, others []*node, heard *capture) map[*node][][]byte {
	began := deafened(w, victim)
	w.leaves(victim, began, patience)
	w.t.Logf("the order took %v", time.Since(began))
	victim.process["nc-bgp"].WaitFor(soon, "order")
	list := map[*node][][]byte{}
	for _, n := range others {
		list[n] = heard.from(n)
	}
	return list
}

// genuine has a nc-bgp that has seen no vote obey those that were recorded: so they
// are what they seem to be, and come to where they are sent. The node is well, and
// nobody votes any more.
func (w *world) genuine(victim *node, others []*node, list map[*node][][]byte) {
	victim.machine.Run("nft", "delete table inet deaf")
	victim.process["nc-bgp"].Kill()
	victim.bgpAgain()
	w.lab.Expect(soon, func() error {
		for _, n := range others {
			n.inject(victim, votes, list[n]...)
		}
		if !strings.Contains(victim.process["nc-bgp"].Log(), "order of other nodes") {
			return errNotYet
		}
		return nil
	})
}

// replayed has all votes come again and again: the order ends all the same, and
// the route comes back. Half a minute later the votes do not count either for who
// has not seen them.
func (w *world) replayed(victim *node, others []*node, list map[*node][][]byte) {
	began := time.Now()
	w.lab.Expect(3*time.Minute, func() error {
		for _, n := range others {
			n.inject(victim, votes, list[n]...)
		}
		w.passes(100 * time.Millisecond)
		return w.announces(victim)
	})
	w.t.Logf("announced again %v after the last votes, despite replays", time.Since(began))
	for _, n := range others {
		n.inject(victim, votes, list[n]...)
	}
	w.stays(victim, "replayed votes")
	w.passes(time.Until(began.Add(35 * time.Second)))
	victim.process["nc-bgp"].Kill()
	victim.bgpAgain()
	w.lab.Expect(patience, func() error { return w.announces(victim) })
	for _, n := range others {
		n.inject(victim, votes, list[n]...)
	}
	w.stays(victim, "expired votes")
}

// stays checks for two seconds that nobody takes the node's route away, and that
// its nc-bgp obeys no order.
func (w *world) stays(n *node, despite string) {
	w.t.Helper()
	p := n.process["nc-bgp"]
	orders := strings.Count(p.Log(), "order ")
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); w.passes(20 * time.Millisecond) {
		if err := w.announces(n); err != nil {
			w.t.Fatalf("%s: %v", despite, err)
		}
	}
	if strings.Count(p.Log(), "order ") != orders {
		w.t.Errorf("%s: nc-bgp obeys: %s", despite, p.Log())
	}
}
