package coord

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/clock"
)

// A watch that finds its history compacted starts from a new listing.
func TestCompaction(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	r1, r2 := register(t, c, "n1"), register(t, c, "n2")
	term := campaign(t, c, "n1")
	must(t, term.Create(within(t), table(1, "n1", "n2")))

	late, err := Dial(Config{Member: m})
	must(t, err)
	s, err := late.load(within(t), nil)
	must(t, err)
	seen1, _ := late.Picture().Node("n1")
	seen2, _ := late.Picture().Node("n2")
	must(t, r2.Renew(within(t)))
	must(t, c.SetDrain(within(t), "n2", true))
	now, err := c.client().Get(within(t), keyTable)
	must(t, err)
	_, err = c.client().Compact(within(t), now.Header.Revision)
	must(t, err)
	is(t, late.watch(within(t), s), errCompacted)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- late.run(ctx, s) }()
	until(t, "what was missed is in the picture", func() bool { n, _ := late.Picture().Node("n2"); return n.Drain })
	n1, _ := late.Picture().Node("n1")
	n2, _ := late.Picture().Node("n2")
	if n1.Renewed != seen1.Renewed || n1.Renewal != seen1.Renewal {
		t.Errorf("without a renewal, renewed at %v, before at %v", n1.Renewed, seen1.Renewed)
	}
	if n2.Renewed <= seen2.Renewed || n2.Renewal <= seen2.Renewal {
		t.Errorf("after a renewal, renewed at %v, before at %v", n2.Renewed, seen2.Renewed)
	}
	must(t, r1.Renew(within(t)))
	until(t, "the watch goes on", func() bool { n, _ := late.Picture().Node("n1"); return n.Renewal > n1.Renewal })
	cancel()
	is(t, <-ended, context.Canceled)
}

// A picture is never replaced by an older one.
func TestNeverBack(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	register(t, c, "n1")
	other, err := Dial(Config{Member: m})
	must(t, err)
	v := *other.now.Load()
	v.Revision = 1 << 40
	other.show(&v, true)
	_, err = other.load(within(t), nil)
	is(t, err, errBack)
	if other.Picture().Revision != 1<<40 {
		t.Errorf("the picture is of revision %d", other.Picture().Revision)
	}
}

// Pictures that were given out stay as they were, and their revisions only grow.
func TestPictures(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	register(t, c, "n1")
	register(t, c, "n2")
	term := campaign(t, c, "n1")
	must(t, term.Create(within(t), table(1, "n1", "n2")))
	until(t, "there is a table", func() bool { return len(c.Picture().Rows) == chain.Chains })
	old := c.Picture()
	ctx, cancel := context.WithCancel(t.Context())
	grown := make(chan error, 1)
	go func() { grown <- grows(ctx, c) }()
	began := time.Now()
	results := make(chan error, chain.Chains)
	turns := make(chan struct{}, 32)
	for _, row := range old.Rows {
		turns <- struct{}{}
		go func() {
			defer func() { <-turns }()
			ok, err := term.Publish(within(t), row, next(row), nil)
			for errors.Is(err, ErrUnavailable) { // the machine is busy; it may have been done
				ok, err = term.Publish(within(t), row, next(row), nil)
				ok = ok || err == nil
			}
			if err == nil && !ok {
				err = errors.New("not published")
			}
			results <- err
		}()
	}
	for range old.Rows {
		must(t, <-results)
	}
	until(t, "all rows are in the picture", func() bool {
		for _, row := range c.Picture().Rows {
			if row.Epoch != 2 {
				return false
			}
		}
		return true
	})
	t.Logf("%d rows took %v", chain.Chains, time.Since(began))
	cancel()
	must(t, <-grown)
	for _, row := range old.Rows {
		if row.Epoch != 1 || len(row.Members) != 2 {
			t.Fatalf("an old picture has changed: %+v", row)
		}
	}
}

// grows watches that revisions only grow.
func grows(ctx context.Context, c *Coord) error {
	var last int64
	for ctx.Err() == nil {
		changed := c.Changed()
		p := c.Picture()
		if p.Revision < last {
			return errors.New("a revision went back")
		}
		last = p.Revision
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

func TestDialBad(t *testing.T) {
	t.Parallel()
	for _, config := range []Config{{}, {Endpoints: []string{"127.0.0.1:1"}, Settings: Settings{Replicas: 99}}} {
		_, err := Dial(config)
		is(t, err, ErrBad)
	}
}

// Where nobody answers, everything says so when its time is up.
func TestAway(t *testing.T) {
	t.Parallel()
	c, err := Dial(Config{Endpoints: []string{free(t)}})
	must(t, err)
	run(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = c.Register(ctx, Node{Name: "n1"})
	is(t, err, ErrUnavailable)
	is(t, err, context.DeadlineExceeded)
	_, err = c.Campaign(ctx, "n1")
	is(t, err, context.DeadlineExceeded)
	if p := c.Picture(); p.Revision != 0 || p.Rows != nil {
		t.Errorf("a picture of nothing: %+v", p)
	}
}

// A relay passes bytes on, until it stands still.
type relay struct {
	net.Listener
	still chan struct{}
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{l, make(chan struct{})}
	var wg sync.WaitGroup
	end := make(chan struct{})
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			wg.Go(func() { r.pass(out, in) })
			wg.Go(func() { r.pass(in, out) })
			wg.Go(func() { <-end; in.Close(); out.Close() })
		}
	})
	t.Cleanup(func() {
		close(end)
		l.Close()
		wg.Wait()
	})
	return r
}

// pass passes bytes on, and takes and keeps them when the relay stands still.
func (r *relay) pass(to, from net.Conn) {
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			to.Close()
			return
		}
		select {
		case <-r.still:
		default:
			to.Write(b[:n])
		}
	}
}

// A watch at a member that stands still goes on at another.
func TestStall(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "c1")
	m := start(t, k.member(t, "n1"))
	r := newRelay(t, m.config.Client)
	_, id := k.identity(t, ca.Node, "n2")
	c := dial(t, Config{Endpoints: []string{r.Addr().String()}, Identity: id})
	reg := serves(t, c, "n2")
	until(t, "the member's own address is known", func() bool {
		c.turns.mu.Lock()
		defer c.turns.mu.Unlock()
		return len(c.turns.all) == 2
	})
	until(t, "it is connected", func() bool {
		first, second := reg.Renew(within(t)), reg.Renew(within(t))
		return first == nil && second == nil
	})
	close(r.still)
	began := clock.Boot()
	before, _ := c.Picture().Node("n2")
	until(t, "renewals are seen again", func() bool {
		reg.Renew(within(t))
		n, _ := c.Picture().Node("n2")
		return n.Renewal > before.Renewal || n.Inc != before.Inc || !n.Live
	})
	t.Logf("seen again after %v", clock.Boot()-began)
}

// A member that hesitates to answer a renewal is left for another at once, unless it is
// this node's own.
func TestHesitation(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "c1")
	m := start(t, k.member(t, "n1"))
	r := newRelay(t, m.config.Client)
	_, id := k.identity(t, ca.Node, "n2")
	c := dial(t, Config{Endpoints: []string{r.Addr().String(), m.config.Client}, Identity: id})
	reg := serves(t, c, "n2")
	close(r.still)
	c.turns.mu.Lock()
	c.turns.at = 0
	c.turns.move()
	c.turns.vain = 0
	c.turns.mu.Unlock()
	turn, began := c.turns.now(), clock.Boot()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { reg.Renew(within(t)) })
	until(t, "another member's turn", func() bool { return c.turns.now() != turn })
	if took := clock.Boot() - began; took < hesitation {
		t.Errorf("it was left after %v", took)
	}
	until(t, "a renewal", func() bool { return reg.Renew(within(t)) == nil })

	if !c.turns.watch()() {
		t.Error("another's member is not watched")
	}
}

// While a node's own member does not answer, every second renewal asks another.
func TestAside(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "c1")
	m := start(t, k.member(t, "n1"))
	r := newRelay(t, m.config.Client)
	_, id := k.identity(t, ca.Node, "n2")
	own := &Member{config: MemberConfig{Client: r.Addr().String()}} // so to speak
	c := dial(t, Config{Member: own, Endpoints: []string{m.config.Client}, Identity: id})
	reg := serves(t, c, "n2")
	until(t, "a renewal by its own member", func() bool { return reg.Renew(within(t)) == nil })
	c.turns.mu.Lock()
	turn := c.turns.count
	c.turns.good += time.Hour // it stays with its own
	c.turns.mu.Unlock()
	close(r.still)
	until(t, "a renewal by another member", func() bool { return reg.Renew(within(t)) == nil })
	if c.turns.now() != turn {
		t.Error("its own member was left")
	}
}

// A node stays with its own member for a while, if that does not answer in time.
func TestLoyalty(t *testing.T) {
	t.Parallel()
	own := &Member{config: MemberConfig{Client: free(t)}}
	c, err := Dial(Config{Member: own, Endpoints: []string{free(t)}})
	must(t, err)
	defer c.Close()
	turn := c.turns.now()
	c.turns.took(turn, nil)
	c.turns.failed(turn, context.DeadlineExceeded)
	if c.turns.now() != turn || c.turns.watch()() {
		t.Error("its own member is left at once, or watched")
	}
	c.turns.good -= loyalty
	c.turns.failed(turn, context.DeadlineExceeded)
	if c.turns.now() == turn || !c.turns.watch()() {
		t.Error("its own member is not left, or the other not watched")
	}
	turn = c.turns.now()
	c.turns.failed(turn, ErrUnavailable)
	c.turns.took(c.turns.now(), nil)
	c.turns.failed(c.turns.now(), ErrUnavailable)
	if c.turns.now() != turn+2 {
		t.Error("its own member is not left, though it has ended")
	}
}
