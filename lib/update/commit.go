package update

import (
	"context"
	"errors"
	"net/netip"
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

// carryOut applies a verified request to its account and commits the change.
// It is optimistic: what it read may have moved on by the time it commits, and
// then it reads again, so that nothing is evaluated twice with two results.
func (s *Server) carryOut(ctx context.Context, req *nup.Request, pub *key.Public, from netip.AddrPort, now time.Time) *nup.Reply {
	proofs, r := s.prove(ctx, req)
	if r != nil {
		return r
	}
	for range attempts {
		head, out, r, err := s.apply(req, proofs, from, now)
		if err != nil {
			return s.stalled(req, req.Seq, err)
		}
		if r != nil {
			return r
		}
		if out.Status != nup.StatusOK {
			s.Count.Refused.Add(1)
			r := req.Reply(out.Status, head.NextSeq)
			r.Codes, r.Text = out.Codes, out.Text
			return r
		}
		err = s.commit(ctx, out)
		if err == nil {
			s.done(req, pub, from, now, out)
			r := req.Reply(nup.StatusOK, out.Change.Head.NextSeq)
			r.Account = out.Change.Head.Account
			return r
		}
		if !conflict(err) {
			return s.stalled(req, head.NextSeq, err)
		}
	}
	return later(req, req.Seq, 100*time.Millisecond, "too many updates at once")
}

// apply reads the account anew, checks that the request still fits it, and
// applies it. It gives either a reply or an outcome.
func (s *Server) apply(req *nup.Request, proofs map[rr.Name]*zone.Refusal, from netip.AddrPort, now time.Time) (head store.Head, out zone.Outcome, r *nup.Reply, err error) {
	v, err := s.Store.View()
	if err != nil {
		return head, out, nil, err
	}
	defer v.Release()
	head, err = v.HeadByKey(req.KeyID())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return head, out, nil, err
	}
	if r := s.known(req, head, from, now); r != nil {
		return head, out, r, nil
	}
	order := zone.Order{
		Request: req, Account: head.Account, Base: s.Base, Quota: s.Quota, Now: now.Unix(),
		Prove: func(domain rr.Name) *zone.Refusal {
			r, looked := proofs[domain]
			if !looked {
				// It was the account's own when prove asked, and now is not.
				return &zone.Refusal{Code: nup.CodeProofDisagree, Text: "the domain's owner changed meanwhile"}
			}
			return r
		},
		NewKey: newKey(req),
	}
	if head.Version == 0 {
		order.Account = req.KeyID()
	}
	out, err = zone.Apply(v, head, order)
	return head, out, nil, err
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
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
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

// done counts and logs what a committed request did.
func (s *Server) done(req *nup.Request, pub *key.Public, from netip.AddrPort, now time.Time, out zone.Outcome) {
	s.Count.Accepted.Add(1)
	h := out.Change.Head
	s.Log.Debug("update", "account", h.Account, "seq", req.Seq, "elements", len(req.Elements), "from", from)
	if h.Version == 1 {
		s.takeNewAccount(from, now)
		s.Count.Created.Add(1)
		s.Log.Info("new account", "account", h.Account, "from", from)
		if pub.Algorithm() == key.DSA && pub.Bits() < strongDSA {
			s.Log.Warn("weak key", "account", h.Account, "algorithm", "DSA", "bits", pub.Bits())
		}
	}
	for _, domain := range out.Domains {
		s.Count.Claimed.Add(1)
		s.Log.Info("domain claimed", "domain", domain, "account", h.Account)
	}
	if h.KeyID != req.KeyID() {
		s.Log.Info("rekey", "account", h.Account, "key", h.KeyID)
	}
}

// strongDSA is the modulus below which the log warns of an account's key.
const strongDSA = 2048
