package update

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// together hands packets to the server as one group and gives their replies.
func together(t *testing.T, s *Server, packets ...[]byte) []*nup.Reply {
	t.Helper()
	g := s.newGroup(t.Context())
	replies := make([]*nup.Reply, len(packets))
	reports := make([]int, len(packets))
	g.pause = func() {}
	g.waits = func(i int) {
		g.tasks[i].end(s.carryOut(t.Context(), &g.tasks[i]))
		g.ended(i)
	}
	g.ended = func(i int) {
		reports[i]++
		b := g.tasks[i].answer(nil)
		if b == nil {
			return
		}
		var err error
		if replies[i], err = nup.ParseReply(b); err != nil || len(b) > len(packets[i]) {
			t.Errorf("reply %d of %d octets to %d: %v", i, len(b), len(packets[i]), err)
		}
	}
	for _, p := range packets {
		g.tasks = append(g.tasks, newTask(p, home, s.Now()))
	}
	judged := 0
	g.run(func() { judged++ }, func() {})
	for i, n := range reports {
		if n != 1 {
			t.Errorf("task %d was reported %d times", i, n)
		}
	}
	if judged != 1 {
		t.Errorf("judged was called %d times", judged)
	}
	return replies
}

func TestGroupOfAllKinds(t *testing.T) {
	s := newServer(t, func(c *Config) { c.Prover = proverFunc(func(rr.Name, string) error { return nil }) })
	known, fresh, claimer, stranger := newOwner(t), newOwner(t), newOwner(t), newOwner(t)
	want(t, "before", ask(t, s, known.packet(0, "add a 60 A 192.0.2.1", nil)), nup.StatusOK, 1)
	forged := stranger.packet(0, "add a 60 A 192.0.2.1", nil)
	forged[len(forged)-1] ^= 1
	r := together(t, s,
		known.packet(1, "add b 60 A 192.0.2.2", nil),
		fresh.packet(0, "", nil)[:150],
		forged,
		fresh.packet(0, "add a 60 A 192.0.2.3", nil),
		[]byte("something else"),
		claimer.packet(0, "validate example.test h@example.test 60", nil),
		stranger.packet(0, "", nil),
		newOwner(t).packet(7, "add a 60 A 192.0.2.4", nil),
		newOwner(t).packet(0, "add @ 60 NS a.example.", nil),
	)
	for i, status := range []nup.Status{
		nup.StatusOK, nup.StatusTooShort, nup.StatusBadSignature, nup.StatusOK, 0,
		nup.StatusOK, nup.StatusNoElements, nup.StatusWrongSequence, nup.StatusInvalidElement,
	} {
		switch {
		case i == 4 && r[i] != nil:
			t.Errorf("a reply to what is no packet: %v", r[i])
		case i != 4 && (r[i] == nil || r[i].Status != status):
			t.Errorf("reply %d is %+v, want %v", i, r[i], status)
		}
	}
	if n := s.Count.Accepted.Load(); n != 4 {
		t.Errorf("%d accepted, want 4", n)
	}
}

// TestGroupOrder: requests of one account that come together take effect one
// after the other, in the order in which they came.
func TestGroupOrder(t *testing.T) {
	s, o, other := newServer(t, nil), newOwner(t), newOwner(t)
	r := together(t, s,
		o.packet(0, "add a 60 TXT 0", nil),
		o.packet(1, "require exists a TXT\nadd a 60 TXT 1", nil),
		other.packet(0, "add a 60 TXT 0", nil),
		o.packet(3, "add a 60 TXT never", nil),
		o.packet(2, "require absent b\nadd a 60 TXT 2", nil),
		o.packet(2, "add a 60 TXT never", nil),
		other.packet(1, "delete a", nil),
	)
	for i, c := range []struct {
		status nup.Status
		next   int64
	}{
		{nup.StatusOK, 1},
		{nup.StatusOK, 2},
		{nup.StatusOK, 1},
		{nup.StatusWrongSequence, 2},
		{nup.StatusOK, 3},
		{nup.StatusWrongSequence, 3},
		{nup.StatusOK, 2},
	} {
		want(t, fmt.Sprint("request ", i), r[i], c.status, c.next)
	}
	if h, err := s.head(o.key.Public().Account()); err != nil || h.Records != 3 || h.NextSeq != 3 {
		t.Errorf("%+v, %v", h, err)
	}
}

// A plainStore has Commit only, not a call for many changes.
type plainStore struct{ store.Store }

func TestGroupOnPlainStore(t *testing.T) {
	s := newServer(t, nil)
	whole := s.Store
	s.Store = plainStore{whole}
	owners := make([]owner, 20)
	var packets [][]byte
	for i := range owners {
		owners[i] = newOwner(t)
		packets = append(packets, owners[i].packet(0, "add a 60 TXT x", nil))
	}
	for _, r := range together(t, s, packets...) {
		want(t, "plain", r, nup.StatusOK, 1)
	}
	s.Store = brokenStore{whole}
	for i, o := range owners {
		packets[i] = o.packet(1, "add b 60 TXT x", nil)
	}
	for _, r := range together(t, s, packets...) {
		want(t, "away", r, nup.StatusTryLater, 1)
	}
	s.Store = whole
	for _, r := range together(t, s, packets...) {
		want(t, "back", r, nup.StatusOK, 2)
	}
}

// behind changes an account in the store without the server's knowledge, as
// another server over the same store would.
func behind(t *testing.T, s *Server, o owner, seq int64, text string) []byte {
	t.Helper()
	c := s.Config
	p := o.packet(seq, text, nil)
	want(t, "behind its back", ask(t, New(c), p), nup.StatusOK, seq+1)
	return p
}

// TestRemembered: what the server remembers of an account is never taken for
// more than the store says.
func TestRemembered(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	want(t, "first", ask(t, s, o.packet(0, "add a 60 TXT 0", nil)), nup.StatusOK, 1)
	p := behind(t, s, o, 1, "add b 60 TXT 1\nadd c 60 CNAME a.")
	want(t, "the same packet", ask(t, s, p), nup.StatusOK, 2)
	want(t, "the same number", ask(t, s, o.packet(1, "add d 60 TXT 1", nil)), nup.StatusWrongSequence, 2)
	want(t, "what does not fit any more", ask(t, s, o.packet(2, "add c 60 TXT 2", nil)), nup.StatusInvalidElement, 2)
	want(t, "next", ask(t, s, o.packet(2, "require exists b TXT\nadd a 60 TXT 2", nil)), nup.StatusOK, 3)
	behind(t, s, o, 3, "delete c")
	r := together(t, s, o.packet(4, "add c 60 TXT 4", nil), o.packet(5, "delete b", nil))
	want(t, "in a group", r[0], nup.StatusOK, 5)
	want(t, "after it", r[1], nup.StatusOK, 6)
	if h, err := s.head(o.key.Public().Account()); err != nil || h.Records != 3 {
		t.Errorf("%+v, %v", h, err)
	}
	next := newOwner(t)
	moved := o.packet(6, "", func(r *nup.Request) {
		r.Elements = []nup.Element{{Op: nup.OpRekey, NewKey: next.key.Public().Bytes(), NewSecret: next.key}}
	})
	want(t, "rekey", ask(t, New(s.Config), moved), nup.StatusOK, 7)
	want(t, "the old key", ask(t, s, o.packet(6, "add e 60 TXT 6", nil)), nup.StatusKeyReplaced, 0)
	want(t, "the new key", ask(t, s, next.packet(7, "add e 60 TXT 7", nil)), nup.StatusOK, 8)
}

// TestRememberedBound checks that what is remembered has a bound, and that what
// was used last is what stays.
func TestRememberedBound(t *testing.T) {
	s := newServer(t, nil)
	first, last := newOwner(t), newOwner(t)
	want(t, "first", ask(t, s, first.packet(0, "add a 60 TXT 0", nil)), nup.StatusOK, 1)
	want(t, "last", ask(t, s, last.packet(0, "add a 60 TXT 0", nil)), nup.StatusOK, 1)
	m := s.accounts
	sample := m.get(first.key.Public().Account())
	each := sample.weight()
	for i := range 3 * maxWeight / each {
		h := sample.head
		h.KeyID = fmt.Sprint("key", i)
		m.keep(h.KeyID, &h, sample.records)
		if m.get(last.key.Public().Account()) == nil {
			t.Fatalf("what is used was forgotten after %d others", i)
		}
	}
	if n := len(m.young) + len(m.old); n > maxWeight/each+2 {
		t.Errorf("%d accounts of %d octets are remembered", n, each)
	}
	if m.get(first.key.Public().Account()) != nil {
		t.Error("what was not used is still there")
	}
	want(t, "forgotten", ask(t, s, first.packet(1, "add a 60 TXT 1", nil)), nup.StatusOK, 2)
}

// TestLargeAccount: an account too large to be remembered is read.
func TestLargeAccount(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	for seq := range int64(10) {
		var text strings.Builder
		for i := range 10 {
			fmt.Fprintf(&text, "add n%d-%d 60 TXT x\n", seq, i)
		}
		want(t, "grow", ask(t, s, o.packet(seq, text.String(), nil)), nup.StatusOK, seq+1)
	}
	if s.accounts.get(o.key.Public().Account()) != nil {
		t.Error("it is remembered")
	}
	want(t, "exists", ask(t, s, o.packet(10, "require exists n3-3 TXT\ndelete n3-3", nil)), nup.StatusOK, 11)
	want(t, "exists no more", ask(t, s, o.packet(11, "require exists n3-3 TXT\ndelete n3-3", nil)), nup.StatusInvalidElement, 11)
}

// TestNewAccountLines: of very many new accounts the log tells a few, and how
// many it left out.
func TestNewAccountLines(t *testing.T) {
	var out bytes.Buffer
	clock := newClock()
	s := newServer(t, func(c *Config) {
		c.Log, c.Now = slog.New(slog.NewTextHandler(&out, nil)), clock.now
	})
	create := func() {
		want(t, "new", ask(t, s, newOwner(t).packet(0, "add a 60 TXT 0", nil)), nup.StatusOK, 1)
	}
	for range newLines.N + 5 {
		create()
	}
	if n := strings.Count(out.String(), `msg="new account"`); n != newLines.N {
		t.Errorf("%d lines, want %d", n, newLines.N)
	}
	out.Reset()
	clock.add(newLines.Per)
	create()
	if !strings.Contains(out.String(), "unlogged=5") {
		t.Errorf("the log says %q", out.String())
	}
}

// TestGroupWithoutView: a store that cannot be read refuses for now, and only
// that.
func TestGroupWithoutView(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	whole := s.Store
	s.Store = blindStore{whole}
	p := o.packet(0, "add a 60 TXT 0", nil)
	want(t, "blind", together(t, s, p)[0], nup.StatusTryLater, 0)
	s.Store = whole
	want(t, "seeing", together(t, s, p)[0], nup.StatusOK, 1)
}

// A blindStore cannot be read.
type blindStore struct{ store.Store }

func (blindStore) View() (store.View, error) { return nil, errors.New("blind") }

// A failingStore has one call for many changes, and refuses some of them.
type failingStore struct {
	store.Store
	err func(account string) error
}

func (s failingStore) CommitAll(ctx context.Context, changes []store.Change) []error {
	errs := make([]error, len(changes))
	for i, c := range changes {
		if errs[i] = s.err(c.Head.Account); errs[i] == nil {
			_, errs[i] = s.Store.Commit(ctx, c)
		}
	}
	return errs
}

// TestGroupErrors: each task of a group has its own outcome in the store.
func TestGroupErrors(t *testing.T) {
	s, a, b, c := newServer(t, nil), newOwner(t), newOwner(t), newOwner(t)
	s.Store = failingStore{s.Store, func(account string) error {
		switch account {
		case a.key.Public().Account():
			return store.ErrUnavailable
		case b.key.Public().Account():
			return store.Conflict{Version: 3}
		}
		return nil
	}}
	r := together(t, s, a.packet(0, "add a 1 TXT x", nil), b.packet(0, "add a 1 TXT x", nil), c.packet(0, "add a 1 TXT x", nil))
	want(t, "away", r[0], nup.StatusTryLater, 0)
	want(t, "applied again after the conflict", r[1], nup.StatusOK, 1)
	want(t, "well", r[2], nup.StatusOK, 1)
}
