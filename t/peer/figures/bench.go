package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"namecast/lib/peer/sim"
)

// A bench has the networks that the figures are of, each made once.
type bench struct {
	quick  bool
	most   int // nodes of the largest group
	pasts  map[string]*sim.Past
	done   map[int]size
	figure string   // that is being made
	rows   []string // of the table
}

func newBench(quick bool, most int) *bench {
	return &bench{quick: quick, most: most, pasts: make(map[string]*sim.Past), done: make(map[int]size)}
}

// load is the usual one, or what fits a group of n.
func (b *bench) load(n int) sim.Config {
	c := sim.Config{Nodes: n, Daily: 2000, Seed: 1, Warm: 72 * time.Hour}
	switch {
	case n <= 50:
		c.Daily = 4000
	case n >= 10_000: // as much as fits into the memory of a machine
		c.Daily, c.Warm = 482, 24*time.Hour
	case n >= 1000:
		c.Daily = 482
	}
	if b.quick {
		c.Warm = 12 * time.Hour
	}
	return c
}

// usual is the group that most figures are of.
func (b *bench) usual() sim.Config {
	if b.quick {
		return b.load(20)
	}
	return b.load(200)
}

// run plays a configuration, after a past that is made once for all that share it.
func (b *bench) run(c sim.Config) *sim.Result {
	key := fmt.Sprint(c.Nodes, c.Daily, c.Owners, c.Solo, c.Suppress, c.MaxStale, c.Share)
	p := b.pasts[key]
	if p == nil {
		clear(b.pasts) // one at a time is in memory
		p = sim.NewPast(c)
		b.pasts[key] = p
	}
	return p.Run(c)
}

// percent is a share of the lookups of some minutes.
func percent(m sim.Minute, n int) float64 {
	if m.Lookups == 0 {
		return 0
	}
	return 100 * float64(n) / float64(m.Lookups)
}

// row adds a line to the table.
func (b *bench) row(what, ours, notes, codns string) {
	b.rows = append(b.rows, strings.Join([]string{b.figure, what, ours, notes, codns}, "\t"))
}

// head is the first line of the table.
const head = "figure\twhat\tsimulated\tdesign's model\tCoDNS on PlanetLab"

// table is what was measured, beside what others say. Of an earlier table the rows stay
// of figures that were not made now.
func (b *bench) table(old string, made []string) string {
	rows := b.rows
	for line := range strings.Lines(old) {
		line = strings.TrimSuffix(line, "\n")
		if of, _, _ := strings.Cut(line, "\t"); line != head && !slices.Contains(made, of) {
			rows = append(rows, line)
		}
	}
	slices.SortStableFunc(rows, func(a, b string) int { return strings.Compare(a[:2], b[:2]) })
	return head + "\n" + strings.Join(rows, "\n") + "\n"
}

// windows prints a share for each window.
func windows(r *sim.Result, count func(*sim.Minute) int) string {
	var out []string
	for _, p := range r.Percent(count) {
		if p < 0 {
			out = append(out, "-")
		} else {
			out = append(out, fmt.Sprintf("%.0f", p))
		}
	}
	return strings.Join(out, " ")
}

// outage is F1.
func (b *bench) outage() []line {
	c := b.usual()
	c.After = 24 * time.Hour
	if b.quick {
		c.After = 4 * time.Hour
	}
	solo, hurt := c, c
	solo.Solo = true
	hurt.Remove, hurt.Wipe = 0.5, 0.3
	mute := hurt
	mute.Mute = true
	alone, whole, worst, still := b.run(solo), b.run(c), b.run(hurt), b.run(mute)
	var lines []line
	for _, l := range []struct {
		name, notes string
		r           *sim.Result
		count       func(*sim.Minute) int
	}{
		{"the group", "93 89 90 87 85 80", whole, (*sim.Minute).Answered},
		{"half removed, 30 % of the rest wiped", "91 87 87 84 81 77", worst, (*sim.Minute).Answered},
		{"the same, no call to all", "73 72 72 67 64 57", still, (*sim.Minute).Answered},
		{"own stale answers", "74 71 69 63 54 39", alone, (*sim.Minute).Answered},
		{"plain caches", "14 8 5 2 1 0", alone, (*sim.Minute).Cached},
	} {
		what := fmt.Sprintf("answered, %d nodes, 0-1m 1-5m 5-15m 15-60m 1-4h 4-24h: %s", c.Nodes, l.name)
		b.row(what, windows(l.r, l.count), l.notes, "-")
		lines = append(lines, since(l.name, l.r, c.After, l.count))
	}
	b.kept(c)
	return lines
}

// kept adds to the table what it matters how long answers are kept past their time, and
// a smaller group.
func (b *bench) kept(c sim.Config) {
	answered := (*sim.Minute).Answered
	c.MaxStale = 24 * time.Hour
	b.row("the same, the group, answers kept for 24 h past their time and not 168", windows(b.run(c), answered), "93 89 90 87 85 80", "-")
	if b.quick {
		return
	}
	few := b.load(50)
	few.After = c.After
	b.row("the same, 50 nodes with 4,000 lookups a day each", windows(b.run(few), answered), "90 82 85 81 78 71", "-")
}

// since is a share by the time since the death, in steps that grow.
func since(name string, r *sim.Result, until time.Duration, count func(*sim.Minute) int) line {
	l := line{name: name}
	for from := time.Duration(0); from < until; {
		to := from + max(2*time.Minute, from/3).Truncate(time.Minute)
		m := r.Between(from, to)
		if m.Lookups > 0 {
			l.add((from+to).Minutes()/2, percent(m, count(&m)))
		}
		from = to
	}
	return l
}

// removed is F2.
func (b *bench) removed() []line {
	var lines []line
	for owners := 1; owners <= 3; owners++ {
		with := line{name: fmt.Sprintf("%d owners, call to all", owners)}
		without := line{name: fmt.Sprintf("%d owners", owners)}
		for _, share := range []float64{0, 0.1, 0.3, 0.5, 0.7, 0.9} {
			c := b.usual()
			c.Owners, c.Remove, c.Wipe, c.After = owners, share, 0.3, time.Hour
			for _, mute := range []bool{false, true} {
				c.Mute = mute
				m := b.run(c).Between(15*time.Minute, time.Hour)
				l := &with
				if mute {
					l = &without
				}
				l.add(100*share, percent(m, m.Answered()))
			}
		}
		lines = append(lines, with, without)
	}
	for i := range lines {
		lines[i].name += ", 30 % of the rest wiped"
	}
	return lines
}

// sizes are the numbers of nodes of F3 and F4.
func (b *bench) sizes() []int {
	if b.quick {
		return []int{10, 20}
	}
	all := []int{10, 50, 200, 1000, 10_000}
	return slices.DeleteFunc(all, func(n int) bool { return n > b.most })
}

// A size is what goes over the network in groups of one size.
type size struct{ guard, often, share, ill, solo sim.Minute }

// sized plays groups of n nodes, once for F3 and F4.
func (b *bench) sized(n int) size {
	if z, ok := b.done[n]; ok {
		return z
	}
	c := b.load(n)
	c.Before, c.After = time.Hour, 30*time.Minute
	if n <= 50 { // few lookups
		c.Before = 8 * time.Hour
	}
	z := size{}
	r := b.run(c)
	z.guard, z.ill = r.Between(-c.Before, 0), r.Between(0, c.After)
	c.After, c.Share = 0, true
	z.share = b.run(c).Between(-c.Before, 0)
	c.Share, c.Suppress = false, time.Hour
	z.often = b.run(c).Between(-c.Before, 0)
	c.Suppress, c.Solo = 0, true
	z.solo = b.run(c).Between(-c.Before, 0)
	b.done[n] = z
	return z
}

// packets is F3.
func (b *bench) packets() []line {
	lines := []line{
		{name: "guard, given to owners once in 6 h"}, {name: "guard, once in 1 h"},
		{name: "share: the owner is asked first"}, {name: "outage"}, {name: "outage: of these calls to all"},
	}
	for _, n := range b.sizes() {
		z := b.sized(n)
		for i, y := range []float64{
			percent(z.guard, z.guard.Packets()), percent(z.often, z.often.Packets()), percent(z.share, z.share.Packets()),
			percent(z.ill, z.ill.Packets()), percent(z.ill, z.ill.Multicast),
		} {
			lines[i].add(float64(n), y/100)
		}
	}
	k := min(2, len(b.sizes())-1)
	for i, other := range [][2]string{{"0.78", "25 % more lookups"}, {"1.12", "-"}, {"2.40", "-"}, {"-", "-"}, {"0.19", "-"}} {
		b.row(fmt.Sprintf("packets a lookup, %d nodes: %s", b.sizes()[k], lines[i].name), fmt.Sprintf("%.2f", lines[i].y[k]), other[0], other[1])
	}
	return lines
}

// upstream is F4.
func (b *bench) upstream() []line {
	solo := line{name: "alone"}
	guard := line{name: "guard"}
	share := line{name: "share"}
	for _, n := range b.sizes() {
		z := b.sized(n)
		solo.add(float64(n), percent(z.solo, z.solo.Fetches)/100)
		guard.add(float64(n), percent(z.guard, z.guard.Fetches)/100)
		share.add(float64(n), percent(z.share, z.share.Fetches)/100)
	}
	forecast := map[float64]string{10: "1.05x", 50: "1.15x", 200: "1.21x", 1000: "1.25x", 10_000: "-"}
	for i, n := range solo.x {
		b.row(fmt.Sprintf("fewer questions to the name server in share mode, %.0f nodes", n),
			fmt.Sprintf("%.2fx", solo.y[i]/share.y[i]), forecast[n], "-")
	}
	return []line{solo, guard, share}
}

// times is F5. Several courses are put together, since a minute has few lookups.
func (b *bench) times() []line {
	group := line{name: "the group"}
	alone := line{name: "own stale answers"}
	for _, l := range []*line{&group, &alone} {
		c := b.load(50)
		c.Probes, c.After, c.Before, c.Solo = true, time.Minute, 2*time.Minute, l == &alone
		var all []float32
		for seed := range uint64(10) {
			c.Seed = 1 + seed
			m := b.run(c).Between(0, time.Minute)
			all = append(all, m.Times()...)
		}
		l.x, l.y = distribution(all)
	}
	b.row("first minute of an outage: lookups that took over 1 s", fmt.Sprintf("%.1f %%", over(group, 1000)), "0", "0.6 % (5.5 % without)")
	b.row("first minute of an outage: median ms", fmt.Sprintf("%.2f", median(group)), "0.37", "60 to 221")
	return []line{group, alone, {name: "glibc, one silent server", x: []float64{0.1, 9999, 10_000, 20_000}, y: []float64{0, 0, 100, 100}}}
}

// lies is F6.
func (b *bench) lies() []line {
	one := line{name: "one word is enough"}
	two := line{name: "two must agree"}
	c := b.load(50)
	c.After = time.Hour
	for _, liars := range []int{0, 1, 2, 4, 7, 10} {
		c.Liars = liars
		for agree, l := range []*line{&one, &two} {
			c.Agree = agree + 1
			m := b.run(c).Between(0, time.Hour)
			l.add(float64(liars), percent(m, m.Lies))
		}
	}
	b.row("lies that clients got, one liar of 50, one word enough", fmt.Sprintf("%.1f %%", one.y[1]), "up to 4 %", "all that it is asked")
	b.row("lies that clients got, one liar of 50, two must agree", fmt.Sprintf("%.1f %%", two.y[1]), "0", "-")
	b.row("lies that clients got, two liars of 50, two must agree", fmt.Sprintf("%.1f %%", two.y[2]), "0.08 %", "-")
	return []line{one, two}
}
