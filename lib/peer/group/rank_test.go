package group

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// ringOf is a group with n members of a weight, without a network.
func ringOf(t testing.TB, n int, weight uint8) *Group {
	w := newWorld(t, 60)
	m := w.machine(nil)
	m.start()
	g := m.g
	for i := range n - 1 {
		id := packet.NodeID{byte(i >> 8), byte(i), 1}
		o := g.meet(id)
		o.member = true
		o.hello.Weight = weight
		g.count(o, 1)
	}
	return g
}

func someName(i int) rr.Name { return rr.MustName(fmt.Sprintf("www.n%d.example", i)) }

// TestBalance: no member owns much more than its share.
func TestBalance(t *testing.T) {
	g := ringOf(t, 50, DefaultWeight)
	owned := map[packet.NodeID]int{}
	const names = 10000
	for i := range names {
		owners := g.Owners(someName(i), 2, nil)
		if len(owners) != 2 || owners[0] == owners[1] {
			t.Fatalf("owners %v", owners)
		}
		for _, id := range owners {
			owned[id]++
		}
	}
	most := 0
	for _, n := range owned {
		most = max(most, n)
	}
	if ratio := float64(most) * 50 / (2 * names); len(owned) != 50 || ratio > 1.35 {
		t.Errorf("%d members own names, the greatest %.2f of the mean", len(owned), ratio)
	}
}

// TestMinimalMove: when a member goes, only its names get another owner, and all the
// others keep theirs.
func TestMinimalMove(t *testing.T) {
	g := ringOf(t, 50, DefaultWeight)
	gone := g.nodes[packet.NodeID{0, 7, 1}]
	var before [2000][]packet.NodeID
	for i := range before {
		before[i] = g.Owners(someName(i), 2, nil)
	}
	g.leave(gone, "test")
	for i := range before {
		after := g.Owners(someName(i), 2, nil)
		for _, id := range before[i] {
			if id != gone.id && !slices.Contains(after, id) {
				t.Fatalf("name %d: owners %v before, %v after %v has gone", i, before[i], after, gone.id)
			}
		}
	}
}

// TestWeights: twice the weight is twice the names, and none is none.
func TestWeights(t *testing.T) {
	g := ringOf(t, 40, 4)
	twice, none := packet.NodeID{0, 1, 1}, packet.NodeID{0, 2, 1}
	g.nodes[twice].hello.Weight = 8
	g.nodes[none].hello.Weight = 0
	g.o.Weight = 4
	g.seats = nil
	owned := map[packet.NodeID]int{}
	for i := range 20000 {
		for _, id := range g.Owners(someName(i), 1, nil) {
			owned[id]++
		}
	}
	mean := 20000.0 / 40 // 38 of weight 4, one of 8: 40 shares
	if got := float64(owned[twice]) / mean; got < 1.75 || got > 2.25 {
		t.Errorf("twice the weight owns %.2f times as much", got)
	}
	if owned[none] != 0 {
		t.Error("weight 0 owns names")
	}
}

func TestOwnersOfFew(t *testing.T) {
	g := ringOf(t, 1, 0)
	if o := g.Owners("", 2, nil); len(o) != 1 || o[0] != g.Self() {
		t.Errorf("alone: owners %v", o)
	}
	if o := g.Owners("", 0, nil); len(o) != 0 {
		t.Errorf("none asked for: %v", o)
	}
	if h := g.Helpers("", 2, nil); len(h) != 0 {
		t.Errorf("alone: helpers %v", h)
	}
	g = ringOf(t, 40, 1)
	if o := g.Owners("", 100, nil); len(o) != maxBest {
		t.Errorf("%d owners", len(o))
	}
	g.Say(Status{Net: 7})
	if o := g.Owners("", 5, nil); len(o) != 1 {
		t.Errorf("owners in another network: %v", o)
	}
}

// TestAbsent: who is suspect owns nothing, and is absent from the names, and from no others,
// that it would own.
func TestAbsent(t *testing.T) {
	g := ringOf(t, 10, DefaultWeight)
	before := func(i int) []packet.NodeID { return g.Owners(someName(i), 2, nil) }
	owners := map[int][]packet.NodeID{}
	for i := range 100 {
		owners[i] = before(i)
		if a := g.Absent(someName(i), 2, nil); len(a) != 0 {
			t.Fatalf("name %d: absent %v", i, a)
		}
	}
	gone := owners[0][0]
	if gone == g.Self() {
		gone = owners[0][1]
	}
	g.Silent(gone)
	g.Silent(gone)
	for i, had := range owners {
		want := slices.DeleteFunc(slices.Clone(had), func(id packet.NodeID) bool { return id != gone })
		if got := g.Absent(someName(i), 2, nil); !slices.Equal(got, want) {
			t.Errorf("name %d: absent %v, want %v", i, got, want)
		}
		if slices.Contains(before(i), gone) {
			t.Errorf("name %d: a suspect owns it", i)
		}
	}
}

// TestSameRing: all members agree on the owners.
func TestSameRing(t *testing.T) {
	w := lan(t, 61, 12, 0, true, true)
	w.until(5 * time.Second)
	w.run(time.Second)
	for i := range 200 {
		want := w.machines[0].g.Owners(someName(i), 3, nil)
		for _, m := range w.machines[1:] {
			if got := m.g.Owners(someName(i), 3, nil); !slices.Equal(got, want) {
				t.Fatalf("name %d: owners %v and %v", i, want, got)
			}
		}
	}
}

func BenchmarkOwners(b *testing.B) {
	for _, n := range []int{50, 250, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := ringOf(b, n, DefaultWeight)
			name := someName(1)
			var to [4]packet.NodeID
			b.ReportAllocs()
			for b.Loop() {
				g.Owners(name, 2, to[:0])
			}
		})
	}
}
