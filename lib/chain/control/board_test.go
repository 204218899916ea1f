package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

const lease = 1500 * time.Millisecond

var discard = slog.New(slog.NewTextHandler(io.Discard, nil))

// A board is a coordinator in memory, and the nodes around it. It asserts that no
// row is published without a member that may still answer.
type board struct {
	t       *testing.T
	start   time.Time
	mu      sync.Mutex
	nodes   map[string]*peer
	rows    []chain.Row
	reports map[chain.ID]Reports
	term    *term
	changed chan struct{}
	serial  int64
	frozen  *Picture // shown in place of what there is, if it is not nil
	fenced  map[fencing]chain.Epoch
	moved   map[plan.Kind]int // rows published, by what they do
	last    time.Duration     // when the last row was
	expels  int
	flaky   func() bool // whether an answer gets lost
	away    bool        // it takes no questions
	slow    time.Duration
}

type fencing struct {
	chain.Member
	id chain.ID
}

// A peer is a node.
type peer struct {
	Node
	up    bool
	deaf  bool                                // it answers no Fence
	dull  bool                                // as a recruit it makes no progress
	until map[chain.Incarnation]time.Duration // of the lease
	holds map[chain.ID]chain.Incarnation      // on its disk
}

func newBoard(t *testing.T, rows, replicas int, zones ...string) *board {
	b := &board{
		t: t, start: time.Now(), nodes: map[string]*peer{}, reports: map[chain.ID]Reports{}, changed: make(chan struct{}),
		fenced: map[fencing]chain.Epoch{}, moved: map[plan.Kind]int{}, flaky: func() bool { return false }, slow: 2 * time.Millisecond,
	}
	c := plan.Cluster{Replicas: replicas}
	for i, zone := range zones {
		name := fmt.Sprintf("n%d", i+1)
		b.nodes[name] = &peer{
			Node: Node{Name: name, Zone: zone}, until: map[chain.Incarnation]time.Duration{}, holds: map[chain.ID]chain.Incarnation{},
		}
		b.boot(name)
		c.Nodes = append(c.Nodes, plan.Node{Name: name, Zone: zone, Inc: 1, Live: true})
	}
	if rows > 0 {
		b.rows, _ = plan.Create(&c, rows)
		for _, row := range b.rows {
			b.install(row)
		}
	}
	return b
}

func (b *board) now() time.Duration { return time.Second + time.Since(b.start) }

// tell has those who wait look again. The caller holds the lock.
func (b *board) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// install has nodes take in a row: members write their incarnations, a
// recruit is ready a while later.
func (b *board) install(row chain.Row) {
	for _, m := range row.Members {
		if n := b.nodes[m.Node]; n.up && n.Inc == m.Inc {
			n.holds[row.Chain] = m.Inc
		}
	}
	r := row.Recruit
	if r.IsZero() {
		return
	}
	time.AfterFunc(80*time.Millisecond, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		n, tail := b.nodes[r.Node], b.nodes[row.Tail().Node]
		if !n.up || n.Inc != r.Inc || !tail.up || tail.Inc != row.Tail().Inc {
			return
		}
		reports := b.reports[row.Chain]
		if n.dull {
			reports.Stalled = plan.Report{Epoch: row.Epoch, Member: r}
		} else {
			n.holds[row.Chain] = r.Inc
			reports.Ready = plan.Report{Epoch: row.Epoch, Member: r}
		}
		b.reports[row.Chain] = reports
		b.tell()
	})
}

func (b *board) Picture() *Picture {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen != nil {
		return b.frozen
	}
	return b.picture()
}

func (b *board) picture() *Picture {
	p := &Picture{Lease: lease, Replicas: 3, Rows: slices.Clone(b.rows), Reports: maps.Clone(b.reports)}
	for _, name := range slices.Sorted(maps.Keys(b.nodes)) {
		p.Nodes = append(p.Nodes, b.nodes[name].Node)
	}
	return p
}

func (b *board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// A term is one that the board gives.
type term struct {
	b    *board
	over chan struct{}
}

// Campaign elects whoever comes first; usurp makes room for another.
func (b *board) Campaign(ctx context.Context, _ string) (Term, error) {
	for {
		b.mu.Lock()
		if b.term == nil {
			t := &term{b: b, over: make(chan struct{})}
			b.term = t
			b.mu.Unlock()
			return t, nil // not b.term: whoever usurps it writes that now
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// usurp deposes the controller, which is told so some time after that.
func (b *board) usurp(after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.term; t != nil {
		time.AfterFunc(after, func() { close(t.over) })
		b.term = nil
		b.tell()
	}
}

var errLost = errors.New("no answer")

func (t *term) Done() <-chan struct{} { return t.over }

func (t *term) Resign(context.Context) error {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.b.term == t {
		t.b.term = nil
		t.b.tell()
	}
	return nil
}

// transact does something at the coordinator, if the term holds; the answer may get lost.
func (t *term) transact(ctx context.Context, do func() bool) (bool, error) {
	select {
	case <-time.After(t.b.slow):
	case <-ctx.Done():
		return false, ctx.Err()
	}
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.b.term != t {
		return false, nil
	}
	if t.b.away || t.b.flaky() {
		return false, errLost
	}
	ok := do()
	if t.b.flaky() {
		return false, errLost
	}
	return ok, nil
}

func (t *term) Create(ctx context.Context, rows []chain.Row) error {
	_, err := t.transact(ctx, func() bool {
		if len(t.b.rows) > 0 {
			t.b.t.Error("a table is created where there is one")
		}
		t.b.rows = rows
		for _, row := range rows {
			t.b.install(row)
		}
		t.b.last = t.b.now()
		t.b.tell()
		return true
	})
	return err
}

func (t *term) Expel(ctx context.Context, node string, renewal int64) (bool, error) {
	return t.transact(ctx, func() bool {
		n := t.b.nodes[node]
		if !n.Live || n.Renewal != renewal {
			return false
		}
		n.Live = false
		t.b.expels++
		t.b.tell()
		return true
	})
}

func (t *term) Publish(ctx context.Context, was, now chain.Row, gone []chain.Member) (bool, error) {
	return t.transact(ctx, func() bool {
		b := t.b
		if b.rows[was.Chain].Epoch != was.Epoch {
			return false
		}
		for _, m := range gone {
			if n := b.nodes[m.Node]; n.Live && n.Inc == m.Inc {
				return false
			}
		}
		b.check(was, now)
		b.rows[was.Chain] = now
		b.last = b.now()
		b.install(now)
		b.tell()
		return true
	})
}

// check asserts that no member that is taken out can answer, and that who takes a
// chain up again has its data.
func (b *board) check(was, now chain.Row) {
	for _, m := range was.Members {
		if now.Index(m) >= 0 {
			continue
		}
		b.moved[plan.Remove]++
		n := b.nodes[m.Node]
		runs := n.up && n.Inc == m.Inc
		if fenced := b.fenced[fencing{m, was.Chain}]; fenced < was.Epoch && (runs || n.Inc == m.Inc) && b.now() < n.until[m.Inc] {
			b.t.Errorf("%v: chain %d goes on without %v, whose lease lasts for %v", b.now(), was.Chain, m, n.until[m.Inc]-b.now())
		}
	}
	if now.Restored != was.Restored && now.Restored != 0 {
		b.moved[plan.Restart]++
		if m := was.Node(now.Head().Node); m.Inc != now.Restored && was.Restored != now.Restored {
			b.t.Errorf("chain %d: %+v after %+v", was.Chain, now, was)
		}
	}
	if len(now.Members) > len(was.Members) {
		b.moved[plan.Promote]++
	}
}

// fence is the nodes' answer to a Fence.
func (b *board) fence(ctx context.Context, m chain.Member, id chain.ID, e chain.Epoch) error {
	b.mu.Lock()
	n := b.nodes[m.Node]
	answers := n.up && n.Inc == m.Inc && !n.deaf && !b.flaky()
	if answers {
		b.fenced[fencing{m, id}] = e
	}
	b.mu.Unlock()
	if !answers {
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(b.slow)
	return nil
}

// control runs a controller until the test ends it.
func (b *board) control(name string) (count *Counters, end func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	count = &Counters{}
	go func() {
		defer close(done)
		err := Run(ctx, Config{
			Name: name, Table: b, Fence: b.fence, Now: b.now, Log: discard, Count: count,
		})
		if !errors.Is(err, context.Canceled) {
			b.t.Errorf("Run: %v", err)
		}
	}()
	return count, func() { cancel(); <-done }
}

// stop ends all processes, so that nothing goes on after the test.
func (b *board) stop() {
	b.mu.Lock()
	for _, n := range b.nodes {
		n.up = false
	}
	b.mu.Unlock()
	time.Sleep(3 * time.Second)
}

// whole tells why not all chains have all members, living ones and none else.
func (b *board) whole(replicas int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rows) == 0 {
		return "there is no table"
	}
	for _, row := range b.rows {
		if len(row.Members) != replicas || !row.Recruit.IsZero() {
			return fmt.Sprintf("%+v", row)
		}
		for _, m := range row.Members {
			if n := b.nodes[m.Node]; !n.up || n.Inc != m.Inc || n.Drain {
				return fmt.Sprintf("%+v, %s is up: %v, incarnation %d, drained %v", row, n.Name, n.up, n.Inc, n.Drain)
			}
		}
	}
	return ""
}

// await waits until a condition says nothing more.
func (b *board) await(limit time.Duration, why func() string) time.Duration {
	b.t.Helper()
	began := b.now()
	for {
		w := why()
		if w == "" {
			return b.now() - began
		}
		if b.now()-began > limit {
			b.t.Fatalf("after %v: %s", limit, w)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// without tells of a row that has a member on a node.
func (b *board) without(name string) func() string {
	return func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, row := range b.rows {
			if !row.Node(name).IsZero() {
				return fmt.Sprintf("%+v", row)
			}
		}
		return ""
	}
}
