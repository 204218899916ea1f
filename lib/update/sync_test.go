package update

import (
	"context"
	"errors"
	"testing"
	"time"

	"namecast/lib/nup"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// A several is a store of a service with several nodes.
type several struct {
	store.Store
	asked chan string
	sync  chan error
}

func (s *several) InSync(ctx context.Context, account string) error {
	s.asked <- account
	select {
	case err := <-s.sync:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newSeveral(t *testing.T) (*several, *Server) {
	t.Helper()
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &several{Store: db, asked: make(chan string, 100), sync: make(chan error, 1)}
	return s, New(config(s))
}

// TestSync: a reply is held until all nodes have the change, if the client asks
// for that; meanwhile others are served, and a copy of the packet is dropped.
func TestSync(t *testing.T) {
	nodes, s := newSeveral(t)
	addr := serve(t, s)
	o, c := newOwner(t), dial(t, addr)
	first := o.packet(0, "add a 60 TXT x", nil)
	r := exchange(t, c, first)
	if want(t, "without", r, nup.StatusOK, 1); r.Sync != nup.NotAsked {
		t.Errorf("not asked, and told %d", r.Sync)
	}
	ask := nup.AppendWait(first, time.Minute)
	for range 2 {
		if _, err := c.Write(ask); err != nil {
			t.Fatal(err)
		}
	}
	if account := <-nodes.asked; account != r.Account {
		t.Errorf("asked for %q, not for %q", account, r.Account)
	}
	until(t, "the copy is dropped", func() bool { return s.Count.Duplicate.Load() == 1 })
	for range 2 * workersEach {
		want(t, "another", exchange(t, dial(t, addr), newOwner(t).packet(0, "add a 60 TXT x", nil)), nup.StatusOK, 1)
	}
	nodes.sync <- nil
	r = receive(t, c)
	if want(t, "in sync", r, nup.StatusOK, 1); r.Sync != nup.InSync {
		t.Errorf("sync %d", r.Sync)
	}
	nodes.sync <- errors.New("n7 is behind")
	r = exchange(t, c, ask)
	if want(t, "behind", r, nup.StatusOK, 1); r.Sync != nup.Behind {
		t.Errorf("sync %d", r.Sync)
	}
	<-nodes.asked
	// A change and the question in one; the time is over before the nodes have it.
	r = exchange(t, c, nup.AppendWait(o.packet(1, "add b 60 TXT x", nil), time.Millisecond))
	if want(t, "at once", r, nup.StatusOK, 2); r.Sync != nup.Behind {
		t.Errorf("sync %d", r.Sync)
	}
	<-nodes.asked
	// What took effect before the account's last request is asked for by that.
	nodes.sync <- nil
	r = exchange(t, c, ask)
	if want(t, "overtaken", r, nup.StatusWrongSequence, 2); r.Sync != nup.InSync {
		t.Errorf("sync %d", r.Sync)
	}
	// What did not take effect is not asked for.
	r = exchange(t, c, nup.AppendWait(o.packet(7, "add b 60 TXT x", nil), time.Minute))
	if want(t, "too early", r, nup.StatusWrongSequence, 2); r.Sync != nup.NotAsked {
		t.Errorf("sync %d", r.Sync)
	}
}

// TestSyncAlone: a service of one node is in sync.
func TestSyncAlone(t *testing.T) {
	s := newServer(t, nil)
	b := s.Handle(t.Context(), nup.AppendWait(newOwner(t).packet(0, "add a 60 TXT x", nil), time.Minute), home)
	r, err := nup.ParseReply(b)
	if err != nil {
		t.Fatal(err)
	}
	if want(t, "alone", r, nup.StatusOK, 1); r.Sync != nup.InSync {
		t.Errorf("sync %d", r.Sync)
	}
}

// TestSyncEnds: a server that is told to stop does not wait for other nodes.
func TestSyncEnds(t *testing.T) {
	nodes, s := newSeveral(t)
	addr := serve(t, s) // the test's end waits for it
	c := dial(t, addr)
	if _, err := c.Write(nup.AppendWait(newOwner(t).packet(0, "add a 60 TXT x", nil), time.Minute)); err != nil {
		t.Fatal(err)
	}
	<-nodes.asked
}

// TestSyncRefused: a wait behind a packet that is refused by itself changes
// nothing.
func TestSyncRefused(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxElements = 1 })
	b := s.Handle(t.Context(), nup.AppendWait(newOwner(t).packet(0, "add a 60 TXT x\nadd b 60 TXT x", nil), time.Minute), home)
	r, err := nup.ParseReply(b)
	if err != nil || r.Status != nup.StatusOverLimit || r.Sync != nup.NotAsked {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestAskedAgainAtOnce: who has the reply may ask the same again at once: the request is
// not under way any more then.
func TestAskedAgainAtOnce(t *testing.T) {
	nodes, s := newSeveral(t)
	c := dial(t, serve(t, s))
	ask := nup.AppendWait(newOwner(t).packet(0, "add a 60 TXT x", nil), time.Minute)
	for range 500 {
		nodes.sync <- errors.New("n7 is behind")
		want(t, "behind", exchange(t, c, ask), nup.StatusOK, 1)
		<-nodes.asked
	}
	if n := s.Count.Duplicate.Load(); n != 0 {
		t.Errorf("%d were taken for copies", n)
	}
}
