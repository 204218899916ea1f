package craq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

// backup gives all that a store holds, with its position.
func backup(t testing.TB, s *Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A writer makes random changes through a store, as one node of many.
type writer struct {
	t      *testing.T
	s      *Store
	r      *rand.Rand
	made   map[string]int // answers, by their kind
	keys   int            // accounts and keys there are
	limit  time.Duration
	change int
}

func (w *writer) note(kind string, err error) {
	switch {
	case err == nil:
		w.made[kind]++
	case errors.As(err, new(store.Conflict)):
		w.made["conflict"]++
	case errors.Is(err, store.ErrKeyTaken):
		w.made["taken"]++
	case errors.Is(err, store.ErrUnavailable):
		w.made["unavailable"]++
	default:
		w.t.Errorf("%s: %v", kind, err)
	}
}

func (w *writer) step(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	if w.r.IntN(5) == 0 {
		w.claim(ctx)
		return
	}
	account := storetest.Account(w.r.IntN(w.keys))
	h, err := w.s.head(account)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Error(err)
		return
	}
	c := storetest.Change(account, h.Version+1)
	c.Head.Records = w.change
	w.change++
	if h.Version > 0 {
		c.Head.KeyID = h.KeyID
	}
	kind := "change"
	if w.r.IntN(10) == 0 {
		c.Head.KeyID, kind = storetest.Account(w.r.IntN(2*w.keys)), "rekey"
	}
	for i := range 4 {
		owner := []string{"@", "Www", "a.b", `x\000y`}[i]
		switch w.r.IntN(4) {
		case 0:
			c.Put = append(c.Put, storetest.Set(owner, 16, rr.Data(fmt.Sprint(w.r.Uint64()))))
		case 1:
			c.Delete = append(c.Delete, store.SetKey{Owner: rr.MustName(owner), Type: 16})
		}
	}
	at, err := w.s.Commit(ctx, c)
	w.note(kind, err)
	if err != nil {
		return
	}
	v, err := w.s.View()
	if err != nil {
		w.t.Error(err)
		return
	}
	defer v.Release()
	if got, err := v.Head(account); ctx.Err() == nil && (err != nil || got.Version < c.Head.Version || v.Position() < at) {
		w.t.Errorf("%s at version %d was committed at %d; a view at %d has version %d, %v",
			account, c.Head.Version, at, v.Position(), got.Version, err)
	}
}

func (w *writer) claim(ctx context.Context) {
	domain := rr.MustName(fmt.Sprintf("d%d.example", w.r.IntN(20)))
	v, err := w.s.View()
	if err != nil {
		w.t.Error(err)
		return
	}
	c, err := v.Claim(domain)
	v.Release()
	if err != nil {
		w.t.Error(err)
		return
	}
	_, err = w.s.SetClaim(ctx, domain, c.Version, store.Claim{Version: c.Version + 1, Account: storetest.Account(w.r.IntN(w.keys))})
	w.note("claim", err)
}

// write has six writers make changes through some nodes, each step within a limit,
// and calls trouble after every tenth step with its number.
func write(t *testing.T, nodes []*Store, steps int, limit time.Duration, trouble func(n int)) {
	t.Helper()
	var work sync.WaitGroup
	var writers []*writer
	var done atomic.Int64
	for i := range 6 {
		w := &writer{
			t: t, s: nodes[i%len(nodes)], r: rand.New(rand.NewPCG(7, uint64(i))),
			made: map[string]int{}, keys: 30, limit: limit,
		}
		writers = append(writers, w)
		work.Go(func() {
			for range steps {
				w.step(t.Context())
				if n := int(done.Add(1)); n%10 == 0 {
					trouble(n / 10)
				}
			}
		})
	}
	work.Wait()
	made := map[string]int{}
	for _, w := range writers {
		for k, n := range w.made {
			made[k] += n
		}
	}
	t.Log(made)
	if made["change"] < steps || made["claim"] == 0 || made["rekey"] == 0 {
		t.Error("too little was made")
	}
}

// TestTwoNodes: what two nodes change at once, while answers are lost, feeds are
// cut and logs forgotten, ends in the same at both, at the same position, and after
// a new start, and at a node that comes later.
func TestTwoNodes(t *testing.T) {
	c := newChains()
	c.lose = 3
	var nodes []*Store
	var dirs []string
	for i := range 2 {
		dirs = append(dirs, filepath.Join(t.TempDir(), "db"))
		nodes = append(nodes, open(t, dirs[i], c.client(fmt.Sprint(i)), leveldb.Options{}))
	}
	write(t, nodes, 150, 100*time.Millisecond, func(n int) {
		c.set(func() { c.cut = n%3 == 0 })
		if n%4 == 0 {
			c.forget()
		}
	})
	c.set(func() { c.cut = false })
	for _, s := range nodes {
		for id := range chain.ID(chain.Chains) {
			if err := s.waits.reach(t.Context(), id, c.all[id].last); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkSame(t, nodes...)
	if p := nodes[0].Position(); p != c.versions(t) {
		t.Errorf("position %d, the sum of all versions is %d", p, c.versions(t))
	}
	for i, s := range nodes {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		nodes[i] = open(t, dirs[i], c.client(fmt.Sprint(i)), leveldb.Options{})
	}
	nodes = append(nodes, open(t, filepath.Join(t.TempDir(), "db"), c.client("fresh"), leveldb.Options{}))
	checkSame(t, nodes...)
	for _, s := range nodes {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestThreeOnNodes: the same with three nodes on three real nodes of the storage,
// which keep so little of their logs that a node that comes later needs copies.
func TestThreeOnNodes(t *testing.T) {
	c := newNodes(t, 3, replica.Options{Keep: 1})
	var nodes []*Store
	for i := range 3 {
		s := open(t, filepath.Join(t.TempDir(), fmt.Sprint(i)), c.client(), leveldb.Options{})
		t.Cleanup(func() { s.Close() })
		nodes = append(nodes, s)
	}
	write(t, nodes, 50, 10*time.Second, func(int) {})
	for i := range 30 {
		if err := nodes[0].InSync(t.Context(), storetest.Account(i)); err != nil {
			t.Fatal(err)
		}
	}
	late := c.client()
	fresh := open(t, filepath.Join(t.TempDir(), "db"), late, leveldb.Options{})
	t.Cleanup(func() { fresh.Close() })
	if n := late.Stats().Copies; n == 0 {
		t.Error("nothing was copied")
	}
	nodes = append(nodes, fresh)
	// Of claims nobody has asked whether they are everywhere.
	await(t, "one position", func() bool {
		return !slices.ContainsFunc(nodes, func(s *Store) bool { return s.Position() != nodes[0].Position() })
	})
	checkSame(t, nodes...)
}

// checkSame: all nodes hold the same, at the same position.
func checkSame(t *testing.T, nodes ...*Store) {
	t.Helper()
	first := backup(t, nodes[0])
	for _, s := range nodes[1:] {
		if b := backup(t, s); !bytes.Equal(first, b) {
			t.Errorf("positions %d and %d; what they hold differs", nodes[0].Position(), s.Position())
		}
	}
}

// versions is the sum of the versions of all accounts and claims that the chains
// hold.
func (c *chains) versions(t *testing.T) (sum store.Position) {
	t.Helper()
	for id := range c.all {
		for key, it := range c.all[id].items {
			r := reader{}
			if err := r.op(&chain.Op{Kind: chain.Put, Key: []byte(key), Value: it.Value}); err != nil {
				t.Fatal(err)
			}
			if r.f.Claim != nil {
				sum += store.Position(r.f.Claim.Version)
			}
			if r.head != nil {
				h, err := parseHead(r.head, nil)
				if err != nil {
					t.Fatal(err)
				}
				sum += store.Position(h.Version)
			}
		}
	}
	return sum
}
