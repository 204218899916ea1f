package bfd

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A pair is two machines and the two ways between them, in simulated time.
type pair struct {
	r      *rand.Rand
	now    time.Time
	m      [2]*machine
	way    [2]way // from 0 to 1, and back
	flight []flight
	downs  [2]int // how often each has left Up
	sent   [2]int
}

// A way is what happens to packets in one direction.
type way struct {
	delay, jitter time.Duration
	loss          float64
	cut           bool
}

// A flight is a packet on its way.
type flight struct {
	at time.Time
	to int
	p  packet
}

// newPair has both wait for each other with the given settings.
func newPair(seed uint64, a, b Session) *pair {
	p := &pair{r: rand.New(rand.NewPCG(seed, 1)), now: start}
	p.m[0] = newMachine(a, 11, p.r.Float64)
	p.m[1] = newMachine(b, 22, p.r.Float64)
	for i := range p.way {
		p.way[i] = way{delay: ms, jitter: ms}
	}
	return p
}

// until lets time pass to a moment after the start.
func (p *pair) until(t *testing.T, after time.Duration) {
	t.Helper()
	end := start.Add(after)
	for steps := 0; ; steps++ {
		if steps > 1000000 {
			t.Fatal("too many steps")
		}
		at, who, arrival := p.next()
		if at.After(end) {
			p.now = end
			return
		}
		if p.now.Before(at) {
			p.now = at
		}
		var in *packet
		if arrival >= 0 {
			f := p.flight[arrival]
			p.flight = slices.Delete(p.flight, arrival, arrival+1)
			who, in = f.to, &f.p
		}
		p.step(t, who, in)
	}
}

// next is what happens first: a machine's own time, or the arrival of a packet.
func (p *pair) next() (at time.Time, who, arrival int) {
	at, arrival = start.Add(1000*time.Hour), -1
	for i, m := range p.m {
		if w, due := m.wake(); due && w.Before(at) {
			at, who = w, i
		}
	}
	for i, f := range p.flight {
		if f.at.Before(at) {
			at, arrival = f.at, i
		}
	}
	return at, who, arrival
}

func (p *pair) step(t *testing.T, who int, in *packet) {
	t.Helper()
	was := p.m[who].state
	for _, out := range p.m[who].step(p.now, in) {
		p.sent[who]++
		w := p.way[who]
		if w.cut || p.r.Float64() < w.loss {
			continue
		}
		again, err := parse(out.append(nil))
		if err != nil {
			t.Fatal(err)
		}
		p.flight = append(p.flight, flight{p.now.Add(w.delay + time.Duration(p.r.Float64()*float64(w.jitter))), 1 - who, again})
	}
	if was == up && p.m[who].state != up {
		p.downs[who]++
	}
}

func (p *pair) want(t *testing.T, a, b state) {
	t.Helper()
	if p.m[0].state != a || p.m[1].state != b {
		t.Fatalf("at %v: %v and %v, want %v and %v", p.now.Sub(start), p.m[0].state, p.m[1].state, a, b)
	}
}

var (
	normal = Session{Tx: 300 * ms, Rx: 300 * ms, Multiplier: 3}
	fast   = Session{Tx: 100 * ms, Rx: 50 * ms, Multiplier: 3}
	single = Session{Tx: 200 * ms, Rx: 200 * ms, Multiplier: 1}
)

// TestPairUp: both are up at once, acknowledge each other's intervals, and stay.
func TestPairUp(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b Session
		rate [2]int // packets in 10 s: at least, and a third more with jitter
	}{
		{"alike", normal, normal, [2]int{33, 33}},
		{"different", normal, fast, [2]int{33, 33}},
		{"fast", fast, fast, [2]int{100, 100}},
		{"one packet", single, single, [2]int{50, 50}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(1, c.a, c.b)
			p.until(t, 50*ms)
			p.want(t, up, up)
			p.until(t, 10*time.Second)
			if p.m[0].polling || p.m[1].polling {
				t.Error("a poll was never answered")
			}
			before := p.sent
			p.until(t, 20*time.Second)
			for i, n := range p.sent {
				if n -= before[i]; n < c.rate[i] || n > c.rate[i]*4/3+1 {
					t.Errorf("machine %d sent %d packets in 10 s, want %d to a third more", i, n, c.rate[i])
				}
			}
			p.until(t, time.Hour)
			p.want(t, up, up)
			if p.downs != [2]int{} {
				t.Errorf("went down %v times", p.downs)
			}
		})
	}
}

// TestPairSlow: a session without a neighbour sends a packet a second, and more
// often only where jitter says so.
func TestPairSlow(t *testing.T) {
	p := newPair(1, fast, fast)
	p.way[0].cut, p.way[1].cut = true, true
	p.until(t, 100*time.Second)
	p.want(t, down, down)
	for i, n := range p.sent {
		if n < 100 || n > 135 {
			t.Errorf("machine %d sent %d packets in 100 s", i, n)
		}
	}
}

// TestPairCut cuts both ways or one: the end that hears nothing goes down within
// the detection time, the other when it is told, or when it hears nothing either.
func TestPairCut(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  [2]bool
		both time.Duration // after which both have to be down
	}{
		{"both ways", [2]bool{true, true}, 910 * ms},
		{"there", [2]bool{true, false}, 910 * ms},
		{"back", [2]bool{false, true}, 910 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(50) {
				p := newPair(seed, normal, normal)
				p.until(t, 5*time.Second)
				for i, cut := range c.cut {
					p.way[i].cut = cut
				}
				p.until(t, 5*time.Second+590*ms)
				p.want(t, up, up)
				p.until(t, 5*time.Second+c.both)
				if c.cut[0] && c.cut[1] {
					p.want(t, down, down)
				} else if p.m[0].state == up || p.m[1].state == up {
					p.want(t, down, down)
				}
				p.until(t, 30*time.Second)
				if p.m[0].state == up || p.m[1].state == up {
					t.Fatalf("seed %d: up again over a cut", seed)
				}
				p.way[0].cut, p.way[1].cut = false, false
				p.until(t, 33*time.Second)
				p.want(t, up, up)
				p.until(t, 60*time.Second)
				if p.downs != [2]int{1, 1} {
					t.Errorf("seed %d: went down %v times for one cut", seed, p.downs)
				}
			}
		})
	}
}

// TestPairRestart has one end start anew with another number, at once or later.
func TestPairRestart(t *testing.T) {
	for _, pause := range []time.Duration{0, 10 * ms, 500 * ms, 5 * time.Second} {
		for seed := range uint64(20) {
			p := newPair(seed, normal, normal)
			p.until(t, 5*time.Second)
			p.way[0].cut, p.way[1].cut = true, true
			p.until(t, 5*time.Second+pause)
			p.way[0].cut, p.way[1].cut = false, false
			p.flight, p.downs[0] = nil, 0
			p.m[0] = newMachine(normal, 33, p.r.Float64)
			p.until(t, 9*time.Second+pause)
			p.want(t, up, up)
			p.until(t, 60*time.Second)
			p.want(t, up, up)
			if p.downs[0] != 0 || p.downs[1] != 1 {
				t.Errorf("seed %d, after %v: went down %v times", seed, pause, p.downs)
			}
		}
	}
}

// TestPairStop has one end leave by its own wish.
func TestPairStop(t *testing.T) {
	p := newPair(1, normal, normal)
	p.until(t, 5*time.Second)
	p.flight = append(p.flight, flight{p.now.Add(ms), 1, p.m[0].stop()})
	p.until(t, 5*time.Second+10*ms)
	p.want(t, adminDown, down)
	p.until(t, 60*time.Second)
	p.want(t, adminDown, down)
	if p.downs[1] != 1 {
		t.Errorf("went down %d times", p.downs[1])
	}
}

// TestPairLoss: with a tenth of the packets lost, sessions come up, and go down
// about as often as three in a row are lost, not more; with less, never.
func TestPairLoss(t *testing.T) {
	for _, c := range []struct {
		loss  float64
		hours int
		most  int
	}{{0.001, 5, 1}, {0.1, 1, 40}, {0.5, 1, 4000}} {
		p := newPair(7, normal, normal)
		p.way[0].loss, p.way[1].loss = c.loss, c.loss
		p.until(t, time.Duration(c.hours)*time.Hour)
		t.Logf("loss %v: %v times down in %d h", c.loss, p.downs, c.hours)
		if p.downs[0] > c.most || p.downs[1] > c.most {
			t.Errorf("loss %v: went down %v times, at most %d", c.loss, p.downs, c.most)
		}
		p.way[0].loss, p.way[1].loss = 0, 0
		p.until(t, time.Duration(c.hours)*time.Hour+5*time.Second)
		p.want(t, up, up)
	}
}
