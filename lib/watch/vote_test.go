package watch

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// ask has this node look at others from outside once.
func (b *bench) ask(outcomes map[string]Outcome) {
	for _, name := range sortedKeys(outcomes) {
		b.do(Outside{Peer: name, Due: b.now, Began: b.now, Outcome: outcomes[name], Detail: "no answer"})
	}
}

// asking lets time pass while others are asked once a second.
func (b *bench) asking(d time.Duration, outcomes map[string]Outcome) {
	for end := b.now + d; b.now < end; {
		b.ask(outcomes)
		b.run(time.Second)
	}
}

// votes are those since the last call.
func (b *bench) votes() []Vote {
	var votes []Vote
	for _, a := range b.actions {
		if v, ok := a.(Vote); ok {
			votes = append(votes, v)
		}
	}
	b.actions = nil
	return votes
}

var bFails = map[string]Outcome{"b": Timeout, "c": Pass}

func TestVotes(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.ask(map[string]Outcome{"b": Pass, "c": Pass})
	b.asking(2*time.Second, bFails)
	if v := b.votes(); len(v) > 0 {
		t.Errorf("after two looks: %+v", v)
	}
	b.ask(bFails)
	first := b.votes()
	if len(first) != 1 {
		t.Fatalf("after three looks: %+v", first)
	}
	v := first[0]
	if v.Victim != "b" || v.Prefix != net4 || v.Lease != 30*time.Second || !v.Well ||
		v.Why != "3 looks from outside failed, the last: no answer; c, a stay" {
		t.Errorf("%+v", v)
	}
	b.asking(5*time.Second, bFails)
	if n := len(b.votes()); n != 4 {
		t.Errorf("%d more votes in the first five seconds", n)
	}
	b.asking(time.Minute, bFails)
	if n := len(b.votes()); n != 12 {
		t.Errorf("%d votes in a minute", n)
	}
	if p := b.w.State().Peers[0]; !strings.Contains(p.Voting, "192.0.2.0/24: ") || p.Bad < 3 {
		t.Errorf("%+v", p)
	}
	b.asking(10*time.Second, map[string]Outcome{"b": Pass, "c": Pass})
	if v := b.votes(); len(v) > 0 || b.w.State().Peers[0].Voting != "" {
		t.Errorf("after b is well again: %+v", v)
	}
}

// noVotes are the reasons against a vote.
var noVotes = []struct {
	name string
	conf func(*Config)
	do   func(*bench)
	see  map[string]Outcome
}{
	{name: "two nodes", conf: func(c *Config) { c.Remote = false }},
	{name: "no address for votes", conf: func(c *Config) { c.Peers[0].Voting = false }},
	{name: "not asked", conf: func(c *Config) { c.Peers[0].Asked = false }},
	{name: "it passes", see: map[string]Outcome{"b": Pass, "c": Pass}},
	{name: "this node fails", do: func(b *bench) { b.look["udp"] = Fail }},
	{name: "this node is ordered away", do: func(b *bench) { b.do(Ordered{net4, time.Hour, []string{"b"}}) }},
	{name: "this node is held down", do: func(b *bench) { b.do(Exited{"dns", ""}); b.do(Started{"dns", 7}) }},
	{name: "this node sees nobody", see: map[string]Outcome{"b": Timeout, "c": Timeout}},
	{name: "too few stay", conf: func(c *Config) { c.MinLive = 3 }},
	{name: "too few of them are well", conf: func(c *Config) { c.MinLive = 2 }, do: func(b *bench) { b.peers["c"] = StandsFailing }},
	{name: "nobody is announced", do: func(b *bench) { b.do(Drained{"kernel"}); b.peers["c"] = StandsDrained }},
	{name: "it has withdrawn itself", do: func(b *bench) { b.peers["b"] = StandsWithdrawn }},
	{name: "it knows that it fails", do: func(b *bench) { b.peers["b"] = StandsFailing }},
	{name: "it has no such prefix", do: func(b *bench) { b.do(Heard{Peer: "b"}); delete(b.peers, "b") }},
}

func TestNoVote(t *testing.T) {
	for _, test := range noVotes {
		t.Run(test.name, func(t *testing.T) {
			c := standard("b", "c")
			if test.conf != nil {
				test.conf(&c)
			}
			b := up(t, c)
			b.run(10 * time.Second)
			if test.do != nil {
				test.do(b)
			}
			b.run(time.Second)
			b.actions = nil
			see := test.see
			if see == nil {
				see = bFails
			}
			b.asking(10*time.Second, see)
			if v := b.votes(); len(v) > 0 {
				t.Errorf("%+v", v[0])
			}
		})
	}
}

// TestVotesWhileObeyed: the victim has withdrawn since it was ordered to, and is
// accused until it is well.
func TestVotesWhileObeyed(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.ask(map[string]Outcome{"b": Pass, "c": Pass})
	b.asking(3*time.Second, bFails)
	b.peers["b"] = StandsWithdrawn
	b.votes()
	b.asking(time.Minute, bFails)
	if n := len(b.votes()); n != 16 { // four more fast ones, and then one every five seconds

		t.Errorf("%d votes in a minute", n)
	}
}

// TestVotesAgain: one look that passes ends the votes, and three that fail begin
// them anew, within a lease.
func TestVotesAgain(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.asking(10*time.Second, bFails)
	b.asking(time.Second, map[string]Outcome{"b": Pass, "c": Pass})
	b.votes()
	b.asking(3*time.Second, bFails)
	if n := len(b.votes()); n != 1 {
		t.Errorf("%d votes", n)
	}
}

// TestNoVotesAtHealing: this node was cut off, and what it saw meanwhile says
// nothing of the others.
func TestNoVotesAtHealing(t *testing.T) {
	b := up(t, standard("b", "c"))
	peers := b.peers
	b.peers = nil
	b.asking(8*time.Second, map[string]Outcome{"b": Timeout, "c": Timeout})
	b.votes()
	b.ask(map[string]Outcome{"c": Pass})
	b.do(Outside{Peer: "b", Due: b.now - 500*ms, Began: b.now - 500*ms, Outcome: Timeout})
	b.asking(time.Second, bFails)
	b.peers = peers
	b.run(600 * ms)
	b.asking(2*time.Second, bFails)
	if v := b.votes(); len(v) > 0 {
		t.Errorf("%+v", v[0])
	}
	b.asking(time.Second, bFails)
	if v := b.votes(); len(v) == 0 {
		t.Error("no votes after it")
	}
}

// TestHeardAgain: the network between this node and another was cut, and a third
// was seen all the time. There are no votes against a silent node, nor when it is
// heard again.
func TestHeardAgain(t *testing.T) {
	b := up(t, standard("b", "c"))
	delete(b.peers, "b")
	b.run(2 * time.Second)
	b.asking(10*time.Second, bFails)
	if v := b.votes(); len(v) > 0 {
		t.Errorf("%+v", v[0])
	}
	b.peers["b"] = StandsAnnounced
	b.run(600 * ms)
	b.do(Outside{Peer: "b", Due: b.now - 700*ms, Began: b.now - 700*ms, Outcome: Timeout})
	b.run(6 * time.Second)
	if v := b.votes(); len(v) > 0 || b.w.State().Peers[0].Bad != 0 {
		t.Errorf("%+v", v)
	}
}

// TestFailedBeforeItAnnounced: looks at a node that announced nothing say nothing of
// what it announces later.
func TestFailedBeforeItAnnounced(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.peers["b"] = StandsWithdrawn
	b.run(time.Second)
	b.ask(map[string]Outcome{"b": Pass, "c": Pass})
	b.asking(10*time.Second, bFails)
	b.peers["b"] = StandsAnnounced
	b.run(600 * ms)
	b.asking(2*time.Second, bFails)
	if v := b.votes(); len(v) > 0 {
		t.Errorf("%+v", v[0])
	}
	b.asking(time.Second, bFails)
	if v := b.votes(); len(v) == 0 {
		t.Error("no votes after three looks")
	}
}

// TestWitnessLost: for a moment no other node is seen, so what was counted before
// does not count any more.
func TestWitnessLost(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.ask(map[string]Outcome{"b": Pass, "c": Pass})
	b.asking(2*time.Second, bFails)
	b.ask(map[string]Outcome{"c": Timeout})
	b.ask(map[string]Outcome{"c": Timeout})
	b.asking(3*time.Second, bFails)
	if v := b.votes(); len(v) > 0 {
		t.Errorf("%+v", v[0])
	}
	b.asking(time.Second, bFails)
	if v := b.votes(); len(v) == 0 {
		t.Error("no votes after three looks")
	}
}

// TestVictimFallsSilent: from then on the network may be what fails.
func TestVictimFallsSilent(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.ask(map[string]Outcome{"b": Pass, "c": Pass})
	b.asking(5*time.Second, bFails)
	delete(b.peers, "b")
	b.run(1600 * ms)
	if v := b.votes(); len(v) == 0 {
		t.Error("no votes while it was heard")
	}
	b.asking(10*time.Second, bFails)
	if v := b.votes(); len(v) > 0 {
		t.Errorf("%+v", v[0])
	}
}

// TestUnheardLooks: nothing was heard of the other while it was looked at.
func TestUnheardLooks(t *testing.T) {
	c := standard("b", "c")
	c.Timing.Fresh = time.Minute
	b := up(t, c)
	delete(b.peers, "b")
	b.run(time.Second)
	b.ask(map[string]Outcome{"c": Pass})
	b.asking(10*time.Second, bFails)
	if v := b.votes(); len(v) > 0 {
		t.Errorf("%+v", v[0])
	}
}

// TestLooksBeforeTheWitness: they began while no other node was seen.
func TestLooksBeforeTheWitness(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.asking(3*time.Second, map[string]Outcome{"b": Timeout, "c": Timeout})
	b.ask(map[string]Outcome{"c": Pass})
	for range 3 {
		b.do(Outside{Peer: "b", Due: b.now - 100*ms, Began: b.now - 100*ms, Outcome: Timeout})
	}
	if v := b.votes(); len(v) > 0 {
		t.Errorf("%+v", v[0])
	}
}

// TestThirdWatcher: a node without prefixes votes about those of others.
func TestThirdWatcher(t *testing.T) {
	c := standard("b", "c")
	c.Prefixes, c.Components, c.Probes = nil, nil, nil
	b := newBench(t, c)
	b.asking(5*time.Second, bFails)
	v := b.votes()
	if len(v) == 0 || v[0].Victim != "b" || v[0].Prefix != net4 || v[0].Well {
		t.Errorf("%+v", v)
	}
}

// TestLateOutside: a look at another that was late is none, unless it passed.
func TestLateOutside(t *testing.T) {
	b := up(t, standard("b", "c"))
	for range 5 {
		b.do(Outside{Peer: "b", Due: b.now - 5*time.Second, Began: b.now - time.Second, Outcome: Timeout})
		b.run(time.Second)
		b.do(Outside{Peer: "c", Due: b.now, Began: b.now, Outcome: Pass})
	}
	if p := b.w.State().Peers; p[0].Bad != 0 || p[1].Outside != Pass {
		t.Errorf("%+v", p)
	}
	b.ask(bFails)
	b.do(Outside{Peer: "b", Due: b.now - 5*time.Second, Began: b.now - time.Second, Outcome: Pass})
	if p := b.w.State().Peers; p[0].Bad != 0 {
		t.Errorf("after an answer that is known late: %+v", p)
	}
}

func TestSees(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.ask(bFails)
	b.actions = nil
	b.run(time.Second)
	i := slices.IndexFunc(b.actions, func(a Action) bool { _, ok := a.(Beat); return ok })
	if i < 0 || !slices.Equal(b.actions[i].(Beat).Sees, []string{"c"}) {
		t.Errorf("%+v", b.actions)
	}
}
