package sim

import (
	"testing"
	"time"
)

// TestGoalsShare: in share mode the name server gets fewer questions than it gets from as
// many machines without a group. One cache for all of them would get 1.05 times fewer
// with 10 nodes and 1.15 with 50; renewals and audits take some of that.
func TestGoalsShare(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("some seconds of the processor")
	}
	for _, c := range []Config{
		{Nodes: 10, Daily: 4000, Seed: 1, Warm: 24 * time.Hour},
		{Nodes: 50, Daily: 4000, Seed: 1, Warm: 24 * time.Hour},
	} {
		c.Before, c.Death = 2*time.Hour, Alive
		fetches := func(c Config) float64 {
			m := Run(c).Between(-c.Before/2, 0) // what was there at first has run out
			return float64(m.Fetches) / float64(m.Lookups)
		}
		solo, share := c, c
		solo.Solo, share.Share = true, true
		alone, group := fetches(solo), fetches(share)
		fewer := map[int]float64{10: 1.02, 50: 1.1}[c.Nodes]
		t.Logf("%d nodes: %.3f questions a lookup alone, %.3f in share mode: %.2f times fewer", c.Nodes, alone, group, alone/group)
		if alone/group < fewer {
			t.Errorf("%d nodes: %.3f questions a lookup alone, %.3f in share mode", c.Nodes, alone, group)
		}
	}
}

// TestGoalsLiar: one of 50 lies whenever it is asked, and says that its name servers
// answer. Where one word is enough, it misleads a share of the lookups of the first hour
// that is no more than its share of the names.
func TestGoalsLiar(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("some seconds of the processor")
	}
	c := l50()
	c.After, c.Liars = time.Hour, 1
	m := Run(c).Between(0, c.After)
	p := 100 * float64(m.Lies) / float64(m.Lookups)
	t.Logf("%.1f %% of the lookups were answered with a lie", p)
	if p > 4 {
		t.Errorf("%.1f %% of the lookups were answered with a lie", p)
	}
}
