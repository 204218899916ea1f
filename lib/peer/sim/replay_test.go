package sim

import (
	"testing"
	"time"

	"namecast/lib/peer"
)

// TestReplay: what is laid down is what is played: each lookup once, the faults, and the
// owners that were named.
func TestReplay(t *testing.T) {
	h := Habits{Names: 200}
	c := Config{
		Habits: h, Nodes: 4, Daily: 43_200, Seed: 1, Before: time.Minute, After: 2 * time.Minute,
		TTL: func(int32) uint32 { return 1 },
	}
	var first, all [Carriers]int
	replied := 0
	r := &Replay{
		Lookups: NewTrace(h, c.Nodes, c.Daily, 1).Until(3 * time.Minute),
		Faults:  []Fault{{At: 2 * time.Minute, Kill: []int{0}, Wipe: []int{1, 2, 3}}},
		Owners:  func(int32) []int { return []int{0, 1, 2, 3} },
		Replied: func(l Lookup, by peer.By) {
			replied++
			if l.At > 2*time.Minute {
				all[by]++
			} else if l.At > time.Minute {
				first[by]++
			}
		},
	}
	c.Replay = r
	Run(c)
	want := 0
	for _, l := range r.Lookups {
		if l.Node != 0 || l.At < 2*time.Minute {
			want++
		}
	}
	if replied != want || want < 250 {
		t.Errorf("%d lookups have an end, want %d", replied, want)
	}
	if first[peer.ByStale] == 0 || first[peer.ByOwner] == 0 {
		t.Errorf("before the fault: %v", first)
	}
	if all[peer.ByNobody] == 0 || all[peer.ByNobody] != sum(all) {
		t.Errorf("all is wiped and yet known: %v", all)
	}
}

func sum(by [Carriers]int) int {
	n := 0
	for _, k := range by {
		n += k
	}
	return n
}
