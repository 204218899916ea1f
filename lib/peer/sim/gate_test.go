package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// percents prints one number for each window.
func percents(p []float64) string {
	var b strings.Builder
	for i, x := range p {
		if x >= 0 {
			fmt.Fprintf(&b, " %s %.1f", WindowNames[i], x)
		}
	}
	return b.String()
}

// atLeast fails if in any window less is measured than the goal.
func atLeast(t *testing.T, what string, got, goal []float64) {
	t.Helper()
	t.Logf("%s: answered%s; goal%s", what, percents(got), percents(goal))
	for i, g := range goal {
		if g >= 0 && got[i] < g {
			t.Errorf("%s: %.1f %% answered in %s, and not %.0f", what, got[i], WindowNames[i], g)
		}
	}
}

// wholly gives what is answered in all windows of a day without name servers. The first
// ones have few lookups, so that several courses are put together for them.
func wholly(p *Past, c Config, courses uint64) []float64 {
	c.After = 24 * time.Hour
	runs := []*Result{p.Run(c)}
	for c.After = 15 * time.Minute; c.Seed < courses; {
		c.Seed++
		runs = append(runs, p.Run(c))
	}
	out := make([]float64, len(WindowNames))
	for i := range out {
		var sum Minute
		for _, r := range runs {
			if Windows[i+1] <= r.c.After {
				m := r.Between(Windows[i], Windows[i+1])
				sum.add(&m)
			}
		}
		out[i] = 100 * float64(sum.Answered()) / float64(sum.Lookups)
	}
	return out
}

// TestGoals50 is A2, C1 and C3 with 50 nodes.
func TestGoals50(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("most of a minute of the processor, and ten times that under the race detector")
	}
	c := l50()
	p := NewPast(c)
	atLeast(t, "A2, 50 nodes", wholly(p, c, 20), []float64{88, 80, 83, 79, 76, 69})
	c.Before, c.After = 30*time.Minute, 2*time.Hour
	cost(t, p.Run(c), c)
}

// cost is what is sent in the local network: C1 and C3.
func cost(t *testing.T, r *Result, c Config) {
	well := r.Between(-c.Before, 0)
	per := float64(well.Packets()) / float64(well.Lookups)
	t.Logf("C1, %d nodes: %.2f packets a lookup while all is well, of at most 0.8", c.Nodes, per)
	if per > 0.8 {
		t.Errorf("C1: %.2f packets a lookup", per)
	}
	ill := r.Between(0, c.After)
	calls := float64(ill.Multicast) / float64(ill.Lookups)
	second := float64(ill.Multicast) / c.After.Seconds()
	t.Logf("C3, %d nodes: %.2f calls to all a lookup, of at most 0.25; %.2f a second, of at most 20", c.Nodes, calls, second)
	if calls > 0.25 || second > 20 {
		t.Errorf("C3: %.2f calls to all a lookup, %.2f a second", calls, second)
	}
}

// TestGoals200 is A1, A3 and A4, C1 and C3 with 200 nodes. In the first minute A1 is 92 %,
// but only 91.6 % of the lookups are for names that any node ever had, which the model
// that it comes from did not show with its 280 lookups: so much less one is judged.
func TestGoals200(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("minutes of the processor, and ten times that under the race detector")
	}
	c := l200()
	p := NewPast(c)
	atLeast(t, "A1, 200 nodes", wholly(p, c, 6), []float64{90.6, 88, 88, 86, 84, 79})
	whole := c
	whole.Before, whole.After = 20*time.Minute, 40*time.Minute
	r := p.Run(whole)
	cost(t, r, whole)
	const until = 40 * time.Minute
	part := func(r *Result) float64 {
		m := r.Between(15*time.Minute, until)
		return 100 * float64(m.Answered()) / float64(m.Lookups)
	}
	for _, d := range []struct {
		what   string
		loses  float64
		change func(*Config)
	}{
		{"30 % removed, no call to all", 4, func(c *Config) { c.Remove, c.Mute = 0.3, true }},
		{"30 % removed", 1, func(c *Config) { c.Remove = 0.3 }},
		{"30 % wiped, no call to all", 4, func(c *Config) { c.Wipe, c.Mute = 0.3, true }},
		{"30 % wiped", 1, func(c *Config) { c.Wipe = 0.3 }},
	} {
		h := c
		h.After = until
		d.change(&h)
		got := part(p.Run(h))
		t.Logf("A3, %s: answered %.1f, of %.1f whole; goal %.0f less", d.what, got, part(r), d.loses)
		if part(r)-got > d.loses {
			t.Errorf("A3: %s: %.1f %% answered, %.1f less", d.what, got, part(r)-got)
		}
	}
	worst := c
	worst.Remove, worst.Wipe, worst.After = 0.5, 0.3, 90*time.Minute
	got := p.Run(worst).Percent((*Minute).Answered)
	atLeast(t, "A4, half removed and 30 % of the rest wiped", got, []float64{-1, -1, -1, -1, 80, -1})
}
