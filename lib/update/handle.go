package update

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/store"
)

// Handle takes one datagram along the way of an update and returns the reply,
// nil if there is to be none. It is the whole of the update server but its
// sockets and its bounds on how much is done at once.
func (s *Server) Handle(ctx context.Context, packet []byte, from netip.AddrPort) []byte {
	req, err := nup.ParseDatagram(packet)
	var bad *nup.ParseError
	if err != nil && !errors.As(err, &bad) {
		s.Count.NotNUP.Add(1)
		return nil
	}
	now := s.Now()
	if s.budgets.source.Take(source(from), now) > 0 {
		// No reply: the source may be forged, and this is a flood.
		s.Count.OverRate.Add(1)
		return nil
	}
	var reply *nup.Reply
	if bad != nil {
		s.Count.Refused.Add(1)
		reply = bad.Reply()
	} else if reply = s.request(ctx, req, from, now); reply == nil {
		return nil
	}
	reply.From = from
	return reply.Append(nil, len(packet))
}

// request checks a request, the cheapest checks first, and carries it out.
func (s *Server) request(ctx context.Context, req *nup.Request, from netip.AddrPort, now time.Time) *nup.Reply {
	if r := s.structure(req); r != nil {
		s.Count.Refused.Add(1)
		return r
	}
	head, err := s.head(req.KeyID())
	if err != nil {
		return s.stalled(req, 0, err)
	}
	if r := s.known(req, head, from, now); r != nil {
		return r
	}
	pub, r := s.verify(req, head, now)
	if pub == nil {
		return r
	}
	if len(req.Elements) == 0 {
		return s.query(req, head)
	}
	if r := s.account(req, head, pub, from, now); r != nil {
		return r
	}
	return s.carryOut(ctx, req, pub, from, now)
}

// query answers a request without elements: the next sequence number, and what
// a new account needs to be admitted.
func (s *Server) query(req *nup.Request, head store.Head) *nup.Reply {
	s.Count.Queries.Add(1)
	r := req.Reply(nup.StatusNoElements, head.NextSeq)
	if r.Account = head.Account; head.Version == 0 {
		r.Account = req.KeyID()
		if s.admission().admits(req) != "" {
			r.WorkBits = s.admission().Work
		}
	}
	return r
}

// structure checks what the packet alone tells.
func (s *Server) structure(req *nup.Request) *nup.Reply {
	switch {
	case req.Version > 0 && req.Service != s.Base.Lower():
		r := req.Reply(nup.StatusOtherService, 0)
		r.Text = "this is " + s.Base.String()
		return r
	case s.MaxElements > 0 && len(req.Elements) > s.MaxElements:
		r := req.Reply(nup.StatusOverLimit, 0)
		r.Text = fmt.Sprintf("more than %d elements in a request", s.MaxElements)
		return r
	}
	return nil
}

// head returns the account that the key belongs to, the zero Head if none.
func (s *Server) head(keyID string) (store.Head, error) {
	v, err := s.Store.View()
	if err != nil {
		return store.Head{}, err
	}
	defer v.Release()
	head, err := v.HeadByKey(keyID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Head{}, nil
	}
	return head, err
}

// known settles what can be settled without the signature: the account's last
// request again, a key that was replaced, an account that is not admitted, a
// wrong sequence number. No reply means that the request may go on.
func (s *Server) known(req *nup.Request, head store.Head, from netip.AddrPort, now time.Time) *nup.Reply {
	switch {
	case head.Version > 0 && req.Hash() == head.LastHash:
		// A retry whose reply was lost: all its elements took effect.
		s.Count.Replayed.Add(1)
		r := req.Reply(nup.StatusOK, head.NextSeq)
		r.Account = head.Account
		return r
	case head.Version > 0 && req.KeyID() != head.KeyID:
		s.Count.Refused.Add(1)
		return req.Reply(nup.StatusKeyReplaced, 0)
	case !req.IsQuery() && req.Seq != head.NextSeq:
		s.Count.Refused.Add(1)
		r := req.Reply(nup.StatusWrongSequence, head.NextSeq)
		r.Text = fmt.Sprintf("the next sequence number is %d", head.NextSeq)
		return r
	case head.Version == 0 && len(req.Elements) > 0:
		return s.newAccount(req, from, now)
	}
	return nil
}

// verify checks the signature, under the ceiling of verifications a second.
// Past the ceiling there is neither key nor reply: the packet is dropped.
func (s *Server) verify(req *nup.Request, head store.Head, now time.Time) (*key.Public, *nup.Reply) {
	pub, err := key.ParsePublic(req.Version, req.Key)
	if err != nil {
		s.Count.Refused.Add(1)
		r := req.Reply(nup.StatusMalformed, 0)
		r.Text = "the key: " + err.Error()
		return nil, r
	}
	if s.budgets.verify.TakeN("", cost(pub), now) > 0 {
		s.Count.Overload.Add(1)
		return nil, nil
	}
	if !req.Verify(pub) {
		s.Count.Forged.Add(1)
		return nil, req.Reply(nup.StatusBadSignature, head.NextSeq)
	}
	return &pub, nil
}

// cost is what a verification costs, in verifications of Ed25519: measured, 70
// µs against 0.3 ms for DSA of 1,024 bits and 2.8 ms for 3,072, which grows with
// the square of the modulus.
func cost(pub key.Public) int {
	if pub.Algorithm() != key.DSA {
		return 1
	}
	k := (pub.Bits() + 1023) / 1024
	return 4 * k * k
}

// account checks what may be checked, and taken, only once the signature is good.
func (s *Server) account(req *nup.Request, head store.Head, pub *key.Public, from netip.AddrPort, now time.Time) *nup.Reply {
	if head.Version == 0 {
		if pub.Algorithm() == key.DSA && pub.Bits() < s.admission().DSABits {
			s.Count.Refused.Add(1)
			r := req.Reply(nup.StatusNotAdmitted, 0)
			r.Text = fmt.Sprintf("DSA keys of new accounts need %d bits", s.admission().DSABits)
			return r
		}
		return nil
	}
	if wait := s.budgets.account.Take(head.Account, now); wait > 0 {
		s.Count.OverRate.Add(1)
		return later(req, head.NextSeq, wait, "too many updates of this account")
	}
	return nil
}

// stalled is the answer when the store cannot serve: nothing was changed.
func (s *Server) stalled(req *nup.Request, next int64, err error) *nup.Reply {
	s.Count.Stalled.Add(1)
	s.Log.Error("storage", "err", err)
	return later(req, next, time.Second, "storage is unavailable")
}
