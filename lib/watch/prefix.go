package watch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A prefix is what is known by one of this node.
type prefix struct {
	conf    Prefix
	needs   []*component
	route   Route
	since   time.Duration // of the route
	changed bool          // the route is another since the wishes were repeated
	row     string        // the rule that decided
	why     reason

	up       bool          // all was verified and the hold-down is over, and nothing has failed since
	fails    bool          // as of the last decision
	awake    bool          // there was time to hear others, and to judge this node
	mark     time.Duration // what passed before proves nothing: the last restart of what it needs
	level    int           // withdrawals that count for the hold-down
	fellAt   time.Duration
	verified time.Duration // since when all is verified; zero if it is not
	eased    time.Duration // when there was last a reason to be drained though up

	ordered time.Duration // until when others' order holds; zero if there is none
	by      []string
}

// A reason is put into words when somebody wants to read it.
type reason func() string

// A choice is a route, the rule that chose it, and the reason.
type choice struct {
	route Route
	row   string
	why   reason
}

// text is a reason that is always the same, or one that is known already.
func text(s string) reason { return func() string { return s } }

// decide chooses a prefix's route.
func (w *Watch) decide(p *prefix) {
	w.expire(p)
	bad := p.failing()
	p.fails = len(bad) > 0
	w.awake(p)
	switch {
	case p.ordered > 0 || p.fails:
		w.fell(p)
	case !p.up:
		w.rise(p)
	}
	c := w.choose(p, bad)
	p.row, p.why = c.row, c.why
	if c.route == p.route {
		return
	}
	p.route, p.since, p.changed = c.route, w.now, true
	w.emit(Wish{Prefix: p.conf.Prefix, Route: p.route, Changed: true, Why: p.why()})
}

// awake notes whether enough is known to announce as a last resort. A process that
// is not found is not waited for.
func (w *Watch) awake(p *prefix) {
	until := w.begun + w.conf.Timing.Hear
	w.wakeAt(until)
	unsure := slices.ContainsFunc(p.needs, func(c *component) bool {
		return c.condition == unjudged && (c.running || !c.conf.Process)
	})
	p.awake = p.awake || w.now >= until && (p.fails || !unsure)
}

// expire ends an order whose time is over, and forgets withdrawals long past.
func (w *Watch) expire(p *prefix) {
	if p.ordered > 0 && w.now >= p.ordered {
		w.orderEnded(p.conf.Prefix)
	}
	if p.ordered > 0 {
		w.wakeAt(p.ordered)
	}
	if p.level > 0 && w.now >= p.fellAt+w.conf.Timing.Calm {
		p.level = 0
	}
}

// failing are the components that take the prefix's route away.
func (p *prefix) failing() []*component {
	var bad []*component
	for _, c := range p.needs {
		if c.condition.fails() {
			bad = append(bad, c)
		}
	}
	return bad
}

// fell notes that a prefix may not be announced for everybody any more. It is
// counted as a withdrawal, whatever becomes of the route.
func (w *Watch) fell(p *prefix) {
	p.verified = 0
	if !p.up {
		return
	}
	p.up = false
	p.level++
	p.fellAt = w.now
}

// rise lets a prefix up when all that it needs was verified and its hold-down is
// over.
func (w *Watch) rise(p *prefix) {
	for _, c := range p.needs {
		if !w.checked(c, p.mark) {
			p.verified = 0
			return
		}
	}
	if p.verified == 0 {
		p.verified = w.now
	}
	until := w.heldUntil(p)
	w.wakeAt(until)
	p.up = w.now >= until
}

// heldUntil is when a verified prefix may be announced.
func (w *Watch) heldUntil(p *prefix) time.Duration {
	if p.level == 0 {
		return p.verified
	}
	hold := w.conf.Timing.Hold
	return p.verified + hold[min(p.level, len(hold))-1]
}

// choose is the table of the package's comment.
func (w *Watch) choose(p *prefix, bad []*component) choice {
	switch {
	case p.ordered > 0:
		return choice{Withdraw, "ordered away", func() string {
			return "a quorum says that it fails as seen from outside: " + strings.Join(p.by, ", ")
		}}
	case p.up:
		return w.chooseUp(p)
	case len(bad) > 0:
		return w.chooseDown(p, func() string { return because(bad) })
	case p.verified > 0:
		return w.chooseDown(p, func() string {
			return fmt.Sprintf("all is well, and it is held down for %v; withdrawals that count: %d", w.heldUntil(p)-p.verified, p.level)
		})
	}
	return w.chooseDown(p, func() string { return "not all has passed for long enough since the last start: " + w.unverified(p) })
}

// chooseUp is for a prefix of which all is well.
func (w *Watch) chooseUp(p *prefix) choice {
	if w.drained != "" {
		return choice{Last, "drained by the operator", text(w.drained)}
	}
	if c, ok := w.ease(p); ok {
		return c
	}
	if len(w.conf.Peers) > 0 && !w.hears() {
		return choice{Announce, "well, nobody heard: stays", text("all is well here, and no other node is heard: this one may be all that is left")}
	}
	return choice{Announce, "well", text("all is well")}
}

// ease chooses for a prefix that is up though not all is as it should be. A drain
// goes on for a while after its reason has ended, lest the route flap.
func (w *Watch) ease(p *prefix) (choice, bool) {
	for _, c := range p.needs {
		if c.condition == overloaded && w.conf.Absorb {
			return choice{Announce, "overloaded: stays", text("it absorbs what it can: " + c.conf.Name + ": " + c.why)}, true
		}
		if c.condition == overloaded {
			p.eased = w.now
			return choice{Last, "overloaded: drained", text("others take what they can: " + c.conf.Name + ": " + c.why)}, true
		}
		if warnings := errorsOf(c.probes[Drain]); warnings != "" {
			p.eased = w.now
			return choice{Last, "drained by a warning", text(c.conf.Name + ": " + warnings)}, true
		}
	}
	until := p.eased + w.conf.Timing.Hold[0]
	if p.eased == 0 || w.now >= until {
		return choice{}, false
	}
	w.wakeAt(until)
	return choice{Last, "drained for a while yet", func() string {
		return fmt.Sprintf("all is well again, and has to stay so for %v", w.conf.Timing.Hold[0])
	}}, true
}

// chooseDown is for a prefix that fails, or is not known to be well: it is
// announced as drained if nobody else would be there.
func (w *Watch) chooseDown(p *prefix, why reason) choice {
	others := w.others(p.conf.Prefix, nil)
	isDead := slices.ContainsFunc(p.needs, func(c *component) bool { return c.answers && c.conf.Process && !c.running })
	rule := func(route Route, row, who string) choice {
		return choice{route, row, func() string { return why() + "; " + who }}
	}
	enough := len(w.conf.Peers) > 0 && len(others) >= w.conf.MinLive
	switch {
	case enough && !p.fails && p.route == Last:
		return rule(Last, "others are well: stays drained", "announced by nodes that are well: "+strings.Join(others, ", "))
	case enough:
		return rule(Withdraw, "others are well", "announced by nodes that are well: "+strings.Join(others, ", "))
	case isDead:
		return rule(Withdraw, "nobody answers here", "the process that answers is gone")
	case !p.awake:
		return rule(Withdraw, "starting", "too little is known yet")
	case len(w.conf.Peers) == 0 && !w.conf.Keep:
		return rule(Withdraw, "alone", "no other nodes are configured")
	case len(w.conf.Peers) == 0:
		return rule(Last, "alone: kept", "no other nodes are configured, and it is to be kept")
	case !w.hears():
		return rule(Last, "nobody heard", "no other node is heard, and this one may be all that is left")
	}
	return choice{Last, "nobody else is well", func() string {
		return fmt.Sprintf("%s; %d other nodes announce it and are well, and %d are needed", why(), len(others), w.conf.MinLive)
	}}
}

// because names what fails.
func because(bad []*component) string {
	var texts []string
	for _, c := range bad {
		texts = append(texts, fmt.Sprintf("%s is %v (%s)", c.conf.Name, c.condition, c.why))
	}
	return strings.Join(texts, "; ")
}

// unverified names what a prefix still waits for.
func (w *Watch) unverified(p *prefix) string {
	var names []string
	for _, c := range p.needs {
		if !w.checked(c, p.mark) {
			names = append(names, c.conf.Name)
		}
	}
	return strings.Join(names, ", ")
}

// standing is what this node says of itself and the prefix.
func (p *prefix) standing() Standing {
	switch {
	case p.ordered > 0:
		return StandsWithdrawn
	case p.fails:
		return StandsFailing
	case p.route == Announce:
		return StandsAnnounced
	case p.route == Last && (p.up || p.verified > 0):
		return StandsDrained
	case p.route == Last:
		return StandsFailing
	}
	return StandsWithdrawn
}

// ordered notes an order of other nodes.
func (w *Watch) ordered(ev Ordered) {
	p := w.prefix(ev.Prefix)
	if p == nil || ev.For <= 0 {
		return
	}
	if p.ordered == 0 {
		w.say(true, "prefix "+ev.Prefix.String(), "other nodes have ordered it away: "+strings.Join(ev.By, ", "))
	}
	p.ordered, p.by = w.now+ev.For, slices.Clone(ev.By)
}

// orderEnded gives a prefix back, after checks of its own and a hold-down.
func (w *Watch) orderEnded(name netip.Prefix) {
	p := w.prefix(name)
	if p == nil || p.ordered == 0 {
		return
	}
	p.ordered, p.by, p.mark = 0, nil, w.now
	w.say(false, "prefix "+name.String(), "the order of other nodes has ended, and everything is verified anew")
}

func (w *Watch) prefix(name netip.Prefix) *prefix {
	i := slices.IndexFunc(w.prefixes, func(p *prefix) bool { return p.conf.Prefix == name })
	if i < 0 {
		return nil
	}
	return w.prefixes[i]
}
