package update

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/zone"
)

// attempts is how often a request is applied anew after a conflict. Each
// conflict is somebody else's success, and most end in "wrong sequence".
const attempts = 8

// commitTimeout is how long a commit may wait for its turn.
const commitTimeout = 10 * time.Second

// commitAll commits what the applied tasks of a group change, and ends them.
func (g *group) commitAll() {
	g.changes, g.of = g.changes[:0], g.of[:0]
	for i := range g.tasks {
		if t := &g.tasks[i]; t.at == applied {
			g.changes, g.of = append(g.changes, t.out.Change), append(g.of, t)
		}
	}
	if len(g.of) == 0 {
		return
	}
	for i, err := range g.commitChanges() {
		switch t := g.of[i]; {
		case err == nil:
			t.end(g.accept(t))
		case conflict(err):
			t.end(g.carryOut(g.ctx, t))
		default:
			t.end(g.stalled(t.req, t.head.NextSeq, err))
		}
	}
}

// A groupStore is a store that takes many changes in one call; its errors are
// in the order of the changes, those that Commit would give.
type groupStore interface {
	CommitAll(ctx context.Context, changes []store.Change) []error
}

// commitChanges commits the group's changes at once and gives their errors.
func (g *group) commitChanges() []error {
	ctx, cancel := context.WithTimeout(g.ctx, commitTimeout)
	defer cancel()
	if s, ok := g.Store.(groupStore); ok {
		return s.CommitAll(ctx, g.changes)
	}
	errs := make([]error, len(g.changes))
	var all sync.WaitGroup
	for i, c := range g.changes {
		all.Go(func() { _, errs[i] = g.Store.Commit(ctx, c) })
	}
	all.Wait()
	return errs
}

// carryOut commits a verified task that needs proofs, or that somebody else's
// change came before. It is optimistic: what it read may have moved on by the
// time it commits, and then it reads again, so that nothing is evaluated twice
// with two results.
func (s *Server) carryOut(ctx context.Context, t *task) *nup.Reply {
	proofs, r := s.prove(ctx, t)
	if r != nil {
		return r
	}
	for range attempts {
		if s.again(t, proofs); t.at == ended {
			return t.reply
		}
		err := s.commit(ctx, t.out)
		if err == nil {
			return s.accept(t)
		}
		if !conflict(err) {
			return s.stalled(t.req, t.head.NextSeq, err)
		}
	}
	return later(t.req, t.req.Seq, 100*time.Millisecond, "too many updates at once")
}

// again reads the account anew, checks that the request still fits it, and
// applies it.
func (s *Server) again(t *task, proofs map[rr.Name]*zone.Refusal) {
	v, err := s.Store.View()
	if err != nil {
		t.end(s.stalled(t.req, t.req.Seq, err))
		return
	}
	defer v.Release()
	if r := s.lookUp(v, t, t.req.Seq); r != nil {
		t.end(r)
		return
	}
	s.apply(v, t, proofs)
}

// apply works out what the request does to the account.
func (s *Server) apply(v store.View, t *task, proofs map[rr.Name]*zone.Refusal) {
	order := zone.Order{
		Request: t.req, Hash: t.hash, Account: t.head.Account, Base: s.Base, Quota: s.Quota, Now: t.now.Unix(), Records: t.records,
	}
	if t.asks(nup.OpValidate) {
		order.Prove = proved(proofs)
	}
	if t.asks(nup.OpRekey) {
		order.NewKey = newKey(t.req)
	}
	if t.head.Version == 0 {
		order.Account = t.keyID
	}
	var err error
	t.out, err = zone.Apply(v, t.head, order)
	switch {
	case err != nil:
		t.end(s.stalled(t.req, t.req.Seq, err))
	case t.out.Status != nup.StatusOK:
		s.Count.Refused.Add(1)
		r := t.req.Reply(t.out.Status, t.head.NextSeq)
		r.Codes, r.Text = t.out.Codes, t.out.Text
		t.end(r)
	default:
		t.at = applied
	}
}

// proved answers with what was looked up.
func proved(proofs map[rr.Name]*zone.Refusal) func(domain rr.Name) *zone.Refusal {
	return func(domain rr.Name) *zone.Refusal {
		r, looked := proofs[domain]
		if !looked {
			// It was the account's own when prove asked, and now is not.
			return &zone.Refusal{Code: nup.CodeProofDisagree, Text: "the domain's owner changed meanwhile"}
		}
		return r
	}
}

// newKey checks the new key's own signature in a rekey element.
func newKey(req *nup.Request) func(e nup.Element) (string, *zone.Refusal) {
	return func(e nup.Element) (string, *zone.Refusal) {
		pub, err := key.ParsePublic(req.Version, e.NewKey)
		if err != nil {
			return "", &zone.Refusal{Code: nup.CodeBadData, Text: "the new key: " + err.Error()}
		}
		if !pub.Verify(nup.RekeyMessage(req.Service, req.Key, e.NewKey, req.Seq), e.NewSig) {
			return "", &zone.Refusal{Code: nup.CodeBadData, Text: "the new key did not sign"}
		}
		return pub.Account(), nil
	}
}

// commit writes the claims of domains and then the change that lists them. A
// crash between them leaves the old owner served; the same request, sent again,
// finishes it.
func (s *Server) commit(ctx context.Context, out zone.Outcome) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	for _, domain := range out.Domains {
		if err := s.claim(ctx, domain, out.Change.Head.Account); err != nil {
			return err
		}
	}
	_, err := s.Store.Commit(ctx, out.Change)
	return err
}

func (s *Server) claim(ctx context.Context, domain rr.Name, account string) error {
	v, err := s.Store.View()
	if err != nil {
		return err
	}
	c, err := v.Claim(domain)
	v.Release()
	if err != nil || c.Account == account {
		return err
	}
	next := store.Claim{Version: c.Version + 1, Account: account, Previous: c.Account}
	_, err = s.Store.SetClaim(ctx, domain, c.Version, next)
	return err
}

// conflict reports whether the request has to be applied again to what is
// there now.
func conflict(err error) bool {
	var c store.Conflict
	return errors.As(err, &c) || errors.Is(err, store.ErrKeyTaken)
}

// accept counts, logs and remembers what a committed task did, and gives its
// reply.
func (s *Server) accept(t *task) *nup.Reply {
	s.Count.Accepted.Add(1)
	h := &t.out.Change.Head
	if s.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.Log.Debug("update", "account", h.Account, "seq", t.req.Seq, "elements", len(t.req.Elements), "from", t.from)
	}
	if h.Version == 1 {
		s.created(t)
	}
	for _, domain := range t.out.Domains {
		s.Count.Claimed.Add(1)
		s.Log.Info("domain claimed", "domain", domain, "account", h.Account)
	}
	if h.KeyID != t.keyID {
		s.Log.Info("rekey", "account", h.Account, "key", h.KeyID)
	}
	s.accounts.keep(t.keyID, h, t.out.Records)
	r := t.req.Reply(nup.StatusOK, h.NextSeq)
	r.Account = h.Account
	return r
}

// created counts and logs a new account. Of very many new accounts the log has
// the first few of each second, and the number of those in between.
func (s *Server) created(t *task) {
	s.takeNewAccount(t)
	s.Count.Created.Add(1)
	if s.budgets.newLines.Take("", t.now) > 0 {
		s.unlogged.Add(1)
	} else {
		args := []any{"account", t.out.Change.Head.Account, "from", t.from}
		if n := s.unlogged.Swap(0); n > 0 {
			args = append(args, "unlogged", n)
		}
		s.Log.Info("new account", args...)
	}
	if t.pub.Algorithm() == key.DSA && t.pub.Bits() < strongDSA {
		s.Log.Warn("weak key", "account", t.out.Change.Head.Account, "algorithm", "DSA", "bits", t.pub.Bits())
	}
}

// strongDSA is the modulus below which the log warns of an account's key.
const strongDSA = 2048
