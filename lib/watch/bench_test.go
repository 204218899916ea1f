package watch

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

var (
	net4 = netip.MustParsePrefix("192.0.2.0/24")
	net6 = netip.MustParsePrefix("2001:db8::/48")
)

// A bench drives one Watch through time: probes look at their intervals and see
// what the test says, and other nodes send heartbeats.
type bench struct {
	*testing.T
	w        *Watch
	now      time.Duration
	conf     Config
	look     map[string]Outcome // what probes see; Pass if not here
	silent   map[string]bool    // probes that do not look
	next     map[string]time.Duration
	peers    map[string]Standing // that are heard, of net4
	heard    time.Duration
	actions  []Action // since the last look at them
	restarts []string
	commands bool // restart commands succeed at once
}

// standard is a storage, a DNS server and an update server.
func standard(peers ...string) Config {
	c := Config{
		Name:     "a",
		Prefixes: []Prefix{{Prefix: net4}},
		Components: []Component{
			{Name: "dns", Needs: []string{"store"}, Restart: true, Process: true, Busy: 1000},
			{Name: "store", Restart: true, Process: true},
			{Name: "update", Needs: []string{"store"}, Restart: true},
		},
		Probes: []Probe{
			{Name: "udp", Component: "dns"},
			{Name: "lag", Component: "dns", Level: Drain},
			{Name: "http", Component: "store"},
			{Name: "write", Component: "update"},
		},
		Remote: true,
		Rand:   func() float64 { return 0 },
	}
	for _, p := range peers {
		c.Peers = append(c.Peers, Peer{Name: p, Asked: true, Voting: true})
	}
	return c
}

// newBench begins at one minute, with processes running and the others announcing.
func newBench(t *testing.T, c Config) *bench {
	t.Helper()
	b := &bench{T: t, now: time.Minute, conf: c, look: map[string]Outcome{}, silent: map[string]bool{},
		next: map[string]time.Duration{}, peers: map[string]Standing{}, commands: true}
	var err error
	if b.w, err = New(c, b.now); err != nil {
		t.Fatal(err)
	}
	for i, p := range c.Probes {
		b.next[p.Name] = b.now + time.Duration(10+7*i)*ms
	}
	for _, p := range c.Peers {
		b.peers[p.Name] = StandsAnnounced
	}
	for _, n := range c.Components {
		if n.Process {
			b.do(Started{n.Name, 100})
		}
	}
	return b
}

// up is a bench whose prefixes are announced.
func up(t *testing.T, c Config) *bench {
	t.Helper()
	b := newBench(t, c)
	b.run(5 * time.Second)
	b.want(Announce)
	return b
}

func (b *bench) do(ev Event) {
	acts := b.w.Step(b.now, ev)
	b.actions = append(b.actions, acts...)
	for _, a := range acts {
		if r, ok := a.(Restart); ok {
			b.restarts = append(b.restarts, r.Component)
			if b.commands {
				b.do(Restarted{Component: r.Component})
			}
		}
	}
}

// run lets time pass.
func (b *bench) run(d time.Duration) {
	for end := b.now + d; b.step(end); {
	}
}

// step does what comes next, and reports false when it is the end.
func (b *bench) step(end time.Duration) bool {
	next := min(b.w.Wake(), end)
	for name, at := range b.next {
		if !b.silent[name] {
			next = min(next, at)
		}
	}
	if len(b.peers) > 0 {
		next = min(next, b.heard+500*ms)
	}
	b.now = max(b.now, next)
	if b.now >= end {
		return false
	}
	b.due()
	return true
}

// due does what is due now.
func (b *bench) due() {
	for _, p := range b.conf.Probes {
		if b.next[p.Name] <= b.now && !b.silent[p.Name] {
			b.next[p.Name] = b.now + 250*ms
			o := max(b.look[p.Name], Pass)
			b.do(Result{Probe: p.Name, Due: b.now, Began: b.now, Outcome: o, Detail: "seen by " + p.Name})
		}
	}
	if len(b.peers) > 0 && b.now >= b.heard+500*ms {
		b.heard = b.now
		for _, name := range sortedKeys(b.peers) {
			b.do(Heard{Peer: name, Claims: []Claim{{net4, b.peers[name]}}})
		}
	}
	b.do(Tick{})
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// want checks the route of the first prefix, and that the reason says so.
func (b *bench) want(r Route, words ...string) {
	b.Helper()
	p := b.w.State().Prefixes[0]
	if p.Route != r {
		b.Fatalf("at %v: %v is %v (%s: %s), want %v", b.now, p.Prefix, p.Route, p.Row, p.Why, r)
	}
	for _, word := range words {
		if !strings.Contains(p.Row+": "+p.Why, word) {
			b.Errorf("at %v: the reason is %q, without %q", b.now, p.Row+": "+p.Why, word)
		}
	}
}

// until runs until the first prefix has the route, and gives how long that took.
func (b *bench) until(r Route, limit time.Duration) time.Duration {
	b.Helper()
	begun := b.now
	for b.w.State().Prefixes[0].Route != r {
		if b.now-begun > limit {
			p := b.w.State().Prefixes[0]
			b.Fatalf("%v is %v after %v (%s: %s), want %v", p.Prefix, p.Route, limit, p.Row, p.Why, r)
		}
		b.step(begun + limit + ms)
	}
	return b.now - begun
}

// between checks a time.
func (b *bench) between(what string, got, from, to time.Duration) {
	b.Helper()
	if got < from || got > to {
		b.Errorf("%s took %v, want %v to %v", what, got, from, to)
	}
}
