package watch

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A Watch is what a node knows of itself and of the others, and what it has
// decided. It is not for several goroutines at once.
type Watch struct {
	conf  Config
	now   time.Duration
	begun time.Duration
	wake  time.Duration // when Step has to be called at the latest
	out   []Action

	components []*component // each after those that it needs
	probes     []*probe
	prefixes   []*prefix
	dropped    []netip.Prefix // of former configurations
	peers      []*peer
	drained    string // why the operator drains, or empty

	distrust  time.Duration // results of looks that began before are thrown away
	late      time.Duration // when this node last found itself late
	discarded uint64        // results thrown away since

	repeat time.Duration // when wishes and heartbeats are repeated
	beaten []Claim       // of the last heartbeat
}

// New begins to watch at a reading of the clock: of one that does not go back, of
// which 0 means never, so it should be positive. Nothing is announced yet. The
// error wraps ErrConfig.
func New(c Config, now time.Duration) (*Watch, error) {
	w := &Watch{now: now, begun: now, wake: now, repeat: now}
	if err := w.build(c); err != nil {
		return nil, err
	}
	return w, nil
}

// Reconfigure takes a new configuration. What is in both, by its name, keeps its
// state: a prefix that is announced stays so, and is withdrawn only if it is
// missing now. CheckPrefixes is for the caller to ask first. The error wraps
// ErrConfig, and then nothing has changed.
func (w *Watch) Reconfigure(now time.Duration, c Config) ([]Action, error) {
	next := *w
	if err := next.build(c); err != nil {
		return nil, err
	}
	*w = next
	w.repeat = now
	return w.Step(now, Tick{}), nil
}

// Step gives the node one event at a reading of the clock, and says what is to
// be done, in this order. It has to be called by Wake with a Tick if nothing else
// happens; if that is late, this node distrusts what it has seen meanwhile.
func (w *Watch) Step(now time.Duration, ev Event) []Action {
	w.out = nil
	if now > w.wake+w.patience() {
		w.loopLate(now)
	}
	w.now = max(w.now, now)
	if s, ok := ev.(Started); ok && w.replaced(s) {
		w.take(Exited{s.Component, "another process has taken its place"})
		w.settle()
	}
	w.take(ev)
	w.settle()
	return w.out
}

// Wake is when Step has to be called at the latest.
func (w *Watch) Wake() time.Duration { return w.wake }

// take notes what has happened. Events about what is not configured are those of
// a former configuration and mean nothing.
func (w *Watch) take(ev Event) {
	switch ev := ev.(type) {
	case Result:
		w.result(ev)
	case Progress:
		w.progress(ev)
	case Exited:
		w.exited(ev)
	case Started:
		w.started(ev)
	case Restarted:
		w.restarted(ev)
	case Heard:
		w.heard(ev)
	case Outside:
		w.outside(ev)
	case Ordered:
		w.ordered(ev)
	case OrderEnded:
		w.orderEnded(ev.Prefix)
	case Drained:
		w.drained = cmp.Or(ev.Why, "the operator has said so")
	case Undrained:
		w.undrained()
	}
}

// settle does what follows from how everything stands now. A route is withdrawn
// before a component is restarted, so that no client meets the restart.
func (w *Watch) settle() {
	w.wake = w.now + w.conf.Timing.Repeat
	for _, c := range w.components {
		w.judge(c)
	}
	for _, p := range w.probes {
		w.lookBlind(p)
	}
	for _, p := range w.peers {
		w.lookFresh(p)
	}
	for _, p := range w.prefixes {
		w.decide(p)
	}
	for _, c := range w.components {
		w.mend(c)
	}
	for _, p := range w.peers {
		w.vote(p)
	}
	w.tell()
}

// tell repeats wishes and heartbeats, and sends those that have changed.
func (w *Watch) tell() {
	due := w.now >= w.repeat
	if due {
		w.repeat = w.now + w.conf.Timing.Repeat
	}
	for _, p := range w.prefixes {
		if due && !p.changed {
			w.emit(Wish{Prefix: p.conf.Prefix, Route: p.route, Why: p.why()})
		}
		p.changed = false
	}
	claims := w.claims()
	switch {
	case due:
		for _, p := range w.dropped {
			w.emit(Wish{Prefix: p, Route: Withdraw, Why: "it is no more in the configuration"})
		}
		w.beat(claims, "it is time")
	case !slices.Equal(claims, w.beaten):
		w.beat(claims, "a claim has changed")
	}
	w.wakeAt(w.repeat)
}

// claims is how this node stands with its prefixes.
func (w *Watch) claims() []Claim {
	claims := make([]Claim, len(w.prefixes))
	for i, p := range w.prefixes {
		claims[i] = Claim{p.conf.Prefix, p.standing()}
	}
	return claims
}

func (w *Watch) beat(claims []Claim, why string) {
	w.beaten = claims
	w.emit(Beat{Claims: slices.Clone(claims), Well: w.well(), Sees: w.sees(), Why: why})
}

func (w *Watch) undrained() {
	w.drained = ""
	for _, c := range w.components {
		w.forgive(c, "the operator gives it another chance")
	}
}

func (w *Watch) emit(a Action) { w.out = append(w.out, a) }

// say tells the operator something.
func (w *Watch) say(alarm bool, about, why string) { w.emit(Say{alarm, about, why}) }

// wakeAt has Step be called at a time that is not past.
func (w *Watch) wakeAt(t time.Duration) {
	if t > w.now {
		w.wake = min(w.wake, t)
	}
}
