package control

import (
	"context"
	"sync"
	"time"

	"namecast/lib/chain"
)

// The shell's measures.
const (
	glance  = 25 * time.Millisecond // between two looks at renewals and at waits
	toTable = chain.Chains          // questions to the coordinator at a time; rows go together
	toNodes = 64                    // questions to nodes at a time
	again   = time.Second           // after a campaign that failed
	// createTimes is how much longer than another question the first table may
	// take, which is 256 rows.
	createTimes = 10
	retry       = 250 * time.Millisecond
)

// Run campaigns, controls while it is the elected one, and campaigns again, until
// the context ends; it returns the context's error, or ErrConfig.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	ears := &ears{cfg: &cfg}
	var listens sync.WaitGroup
	listens.Go(func() { ears.run(ctx) })
	defer listens.Wait()
	for ctx.Err() == nil {
		began := cfg.Now()
		term, err := cfg.Table.Campaign(ctx, cfg.Name)
		if ctx.Err() != nil {
			if err == nil {
				resign(term, &cfg)
			}
			break
		}
		if err != nil {
			cfg.Count.Errors.Add(1)
			cfg.Log.Warn("the campaign for controller failed", "node", cfg.Name, "error", err)
			pause(ctx, again)
			continue
		}
		cfg.Count.Terms.Add(1)
		cfg.Count.Elected.Store(true)
		cfg.Log.Info("elected as the controller", "node", cfg.Name, "after", since(&cfg, began))
		began = cfg.Now()
		newShell(&cfg, term, ears).control(ctx)
		cfg.Count.Elected.Store(false)
		cfg.Log.Info("the term as the controller is over", "node", cfg.Name, "after", since(&cfg, began))
	}
	return ctx.Err()
}

// pause waits, no longer than the context lasts.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// since is the time since a reading, for the log.
func since(cfg *Config, at time.Duration) time.Duration {
	return (cfg.Now() - at).Round(100 * time.Microsecond)
}

// resign ends a term before its time, if it can be ended.
func resign(term Term, cfg *Config) {
	r, ok := term.(interface{ Resign(context.Context) error })
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.Timeout)
	defer cancel()
	if err := r.Resign(ctx); err != nil {
		cfg.Log.Warn("cannot resign as the controller", "node", cfg.Name, "error", err)
	}
}

// A shell asks the questions of one term.
type shell struct {
	cfg     *Config
	term    Term
	ears    *ears
	mind    *mind
	answers chan answer
	asking  sync.WaitGroup
	// Slots for questions: a node that does not answer holds up nobody who asks
	// the coordinator.
	table, nodes chan struct{}
	told         bool // that there is data and no table
	warned       map[string]warning
	tallies      []tally
}

// A warning is when something was last logged that may come for many chains at
// once, and how often it came since.
type warning struct {
	at   time.Duration
	more int
}

// An answer is what came of an action.
type answer struct {
	action
	ok  bool
	err error
}

func newShell(cfg *Config, term Term, ears *ears) *shell {
	return &shell{
		cfg: cfg, term: term, ears: ears, mind: newMind(cfg, cfg.Now()),
		answers: make(chan answer, toTable),
		table:   make(chan struct{}, toTable), nodes: make(chan struct{}, toNodes), warned: map[string]warning{},
	}
}

// control looks and acts until the term or the context is over. When it returns,
// so has every question.
func (s *shell) control(parent context.Context) {
	ctx, cancel := context.WithCancel(parent)
	defer s.finish(cancel)
	tick := time.NewTicker(glance)
	defer tick.Stop()
	changed := true
	for {
		// Who waits for a change before it looks misses none.
		next := s.cfg.Table.Changed()
		now, pic := s.cfg.Now(), s.cfg.Table.Picture()
		s.act(ctx, s.mind.look(now, pic, s.ears.listen(now, pic), changed))
		changed = false
		s.tell()
		s.tellTallies(false)
		select {
		case <-parent.Done():
			return
		case <-s.term.Done():
			return
		case <-next:
			changed = true
		case a := <-s.answers:
			s.take(a)
		case <-tick.C:
		}
		s.drain()
	}
}

// finish ends the questions that are under way, and the term if it goes on.
func (s *shell) finish(cancel context.CancelFunc) {
	cancel()
	go func() { s.asking.Wait(); close(s.answers) }()
	for range s.answers {
	}
	s.tellTallies(true)
	select {
	case <-s.term.Done():
	default:
		resign(s.term, s.cfg)
	}
}

// drain takes in all answers there are.
func (s *shell) drain() {
	for {
		select {
		case a := <-s.answers:
			s.take(a)
		default:
			return
		}
	}
}

// act asks questions, each in a goroutine that ends with its answer.
func (s *shell) act(ctx context.Context, acts []action) {
	for _, a := range acts {
		slots := s.table
		if a.kind == fence {
			slots = s.nodes
		}
		s.asking.Go(func() {
			slots <- struct{}{}
			ok, err := s.ask(ctx, a)
			<-slots
			s.answers <- answer{a, ok, err}
		})
	}
}

// ask asks one question.
func (s *shell) ask(ctx context.Context, a action) (bool, error) {
	timeout := s.cfg.Timeout
	if a.kind == create {
		timeout *= createTimes
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch a.kind {
	case create:
		return true, s.term.Create(ctx, a.rows)
	case expel:
		return s.term.Expel(ctx, a.node, a.renewal)
	case fence:
		return true, s.cfg.Fence(ctx, a.member, a.was.Chain, a.was.Epoch)
	}
	return s.term.Publish(ctx, a.was, a.step.Row, a.gone)
}

// take takes in an answer.
func (s *shell) take(a answer) {
	ok, log := a.ok && a.err == nil, s.cfg.Log
	if a.err != nil && a.kind != fence {
		s.cfg.Count.Errors.Add(1)
	}
	switch a.kind {
	case create:
		s.mind.created()
		if ok {
			log.Info("the first table is written", "chains", len(a.rows), "took", since(s.cfg, a.began))
		} else {
			s.warn("cannot write the first table", "error", a.err)
		}
	case expel:
		s.mind.expelled(a.action, ok)
		s.tellExpelled(a, ok)
	case fence:
		s.mind.answered(a.action, ok)
		if ok {
			s.cfg.Count.Fences.Add(1)
		} else {
			s.cfg.Count.Unfenced.Add(1)
			s.warn("a fence is not answered", "member", a.member, "chain", a.was.Chain, "error", a.err)
		}
	case publish:
		s.takePublished(a, ok)
	}
}

// takePublished takes in what came of a row.
func (s *shell) takePublished(a answer, ok bool) {
	log, step := s.cfg.Log, &a.step
	wait := publishAgain
	switch {
	case ok:
		s.cfg.Count.Steps[step.Kind].Add(1)
		took := since(s.cfg, a.began)
		s.count(step, took)
		log.Debug("a row is published", "chain", step.Row.Chain, "epoch", step.Row.Epoch, "step", step.Kind, "member", step.Member,
			"why", step.Why, "took", took)
	case a.err != nil:
		wait = retry
		s.warn("cannot publish a row", "chain", step.Row.Chain, "epoch", step.Row.Epoch, "error", a.err)
	default:
		s.cfg.Count.Refused.Add(1)
		log.Debug("a row is refused", "chain", step.Row.Chain, "epoch", step.Row.Epoch, "step", step.Kind)
	}
	s.mind.published(a.action, ok, wait)
}

// tellExpelled tells of a registration that was to be deleted.
func (s *shell) tellExpelled(a answer, ok bool) {
	log, m := s.cfg.Log, a.member
	switch {
	case ok:
		s.cfg.Count.Expelled.Add(1)
		wait := s.mind.leaseLeft(m)
		s.cfg.Count.waited(wait)
		log.Warn("a node is expelled", "member", m, "silent", a.silent, "leases_end_in", wait)
	case a.err != nil:
		s.warn("cannot expel a node", "member", m, "silent", a.silent, "error", a.err)
	default:
		log.Info("a node is heard of again", "member", m)
	}
}

// warn logs what may come for many chains at once no oftener than every second.
func (s *shell) warn(what string, attrs ...any) {
	w, now := s.warned[what], s.cfg.Now()
	if w.at != 0 && now-w.at < time.Second {
		w.more++
		s.warned[what] = w
		return
	}
	if w.more > 0 {
		attrs = append(attrs, "more", w.more)
	}
	s.cfg.Log.Warn(what, attrs...)
	s.warned[what] = warning{at: now}
}

// leaseLeft is how long the leases of a member that was expelled may go on yet.
func (m *mind) leaseLeft(who chain.Member) time.Duration {
	if o := m.ousted[who.Node]; o != nil && o.inc == who.Inc {
		return max(o.until-m.now, 0)
	}
	return 0
}

// tell tells the operator when there is data and no table.
func (s *shell) tell() {
	if s.mind.orphaned && !s.told {
		s.cfg.Log.Error("there is no chain table, but nodes have data: the operator must rebuild it")
	}
	s.told = s.mind.orphaned
}
