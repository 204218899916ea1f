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
	nothing := func() {}
	g := s.newGroup(ctx)
	g.tasks = []task{newTask(packet, from, s.Now())}
	t := &g.tasks[0]
	g.ended, g.pause = func(int) {}, nothing
	g.waits = func(int) { t.end(s.carryOut(ctx, t)) }
	g.run(nothing, nothing)
	if t.asksSync() {
		s.sync(ctx, t)
	}
	return t.answer(nil)
}

// open reads a task's packet and checks what it tells by itself.
func (s *Server) open(t *task) {
	req, err := nup.ParseDatagram(t.packet)
	bad, answerable := errors.AsType[*nup.ParseError](err)
	if err != nil && !answerable {
		s.Count.NotNUP.Add(1)
		t.end(nil)
		return
	}
	if s.budgets.takeSource(t.from, t.now) > 0 {
		// No reply: the source may be forged, and this is a flood.
		s.Count.OverRate.Add(1)
		t.end(nil)
		return
	}
	var r *nup.Reply
	if answerable {
		r = bad.Reply()
	} else {
		r = s.structure(req)
	}
	if r != nil {
		s.Count.Refused.Add(1)
		t.end(r)
		return
	}
	t.at, t.req, t.keyID = opened, req, req.KeyID()
}

// judge checks an opened task, the cheapest checks first, and applies it to the
// account as the view, or what is remembered, has it.
func (s *Server) judge(v store.View, t *task) {
	if a := s.accounts.get(t.keyID); a != nil && a.fits(t) {
		t.head, t.records = a.head, a.records
	} else if r := s.lookUp(v, t, 0); r != nil {
		t.end(r)
		return
	}
	if r, ok := s.verify(t); !ok {
		t.end(r)
		return
	}
	if len(t.req.Elements) == 0 {
		t.end(s.query(t))
		return
	}
	if r := s.account(t); r != nil {
		t.end(r)
		return
	}
	if t.at = waiting; !t.asks(nup.OpValidate) {
		s.apply(v, t, nil)
	}
}

// lookUp reads the account from the store and settles what can be settled
// without the signature. next goes into the reply if the store does not serve.
func (s *Server) lookUp(v store.View, t *task, next int64) *nup.Reply {
	var err error
	t.records = nil
	if t.head, err = headIn(v, t.keyID); err != nil {
		return s.stalled(t.req, next, err)
	}
	return s.known(t)
}

// query answers a request without elements: the next sequence number, and what
// a new account needs to be admitted.
func (s *Server) query(t *task) *nup.Reply {
	s.Count.Queries.Add(1)
	r := t.req.Reply(nup.StatusNoElements, t.head.NextSeq)
	if r.Account = t.head.Account; t.head.Version == 0 {
		r.Account = t.keyID
		if s.admission().admits(t) != "" {
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
	return headIn(v, keyID)
}

func headIn(v store.View, keyID string) (store.Head, error) {
	h, err := v.HeadByKey(keyID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Head{}, nil
	}
	return h, err
}

// known settles what can be settled without the signature: the account's last
// request again, a key that was replaced, an account that is not admitted, a
// wrong sequence number. No reply means that the request may go on.
func (s *Server) known(t *task) *nup.Reply {
	req, head := t.req, &t.head
	switch {
	case head.Version > 0 && t.hash == head.LastHash:
		// A retry whose reply was lost: all its elements took effect.
		s.Count.Replayed.Add(1)
		r := req.Reply(nup.StatusOK, head.NextSeq)
		r.Account = head.Account
		return r
	case head.Version > 0 && t.keyID != head.KeyID:
		s.Count.Refused.Add(1)
		return req.Reply(nup.StatusKeyReplaced, 0)
	case !req.IsQuery() && req.Seq != head.NextSeq:
		s.Count.Refused.Add(1)
		r := req.Reply(nup.StatusWrongSequence, head.NextSeq)
		r.Text = fmt.Sprintf("the next sequence number is %d", head.NextSeq)
		return r
	case head.Version == 0 && len(req.Elements) > 0:
		return s.newAccount(t)
	}
	return nil
}

// verify checks the signature, under the ceiling of verifications a second.
// Past the ceiling there is no reply: the packet is dropped.
func (s *Server) verify(t *task) (r *nup.Reply, ok bool) {
	var err error
	if t.pub, err = key.ParsePublic(t.req.Version, t.req.Key); err != nil {
		s.Count.Refused.Add(1)
		r := t.req.Reply(nup.StatusMalformed, 0)
		r.Text = "the key: " + err.Error()
		return r, false
	}
	if s.budgets.verify.TakeN("", cost(t.pub), t.now) > 0 {
		s.Count.Overload.Add(1)
		return nil, false
	}
	if !t.req.Verify(t.pub) {
		s.Count.Forged.Add(1)
		return t.req.Reply(nup.StatusBadSignature, t.head.NextSeq), false
	}
	return nil, true
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
func (s *Server) account(t *task) *nup.Reply {
	if t.head.Version == 0 {
		if t.pub.Algorithm() == key.DSA && t.pub.Bits() < s.admission().DSABits {
			s.Count.Refused.Add(1)
			r := t.req.Reply(nup.StatusNotAdmitted, 0)
			r.Text = fmt.Sprintf("DSA keys of new accounts need %d bits", s.admission().DSABits)
			return r
		}
		return nil
	}
	if wait := s.budgets.account.Take(t.head.Account, t.now); wait > 0 {
		s.Count.OverRate.Add(1)
		return later(t.req, t.head.NextSeq, wait, "too many updates of this account")
	}
	return nil
}

// stalled is the answer when the store cannot serve: nothing was changed, or it
// is not known whether. The same request, sent again, then finds that it was made.
func (s *Server) stalled(req *nup.Request, next int64, err error) *nup.Reply {
	s.Count.Stalled.Add(1)
	s.Log.Error("storage", "err", err)
	return later(req, next, time.Second, "storage is unavailable")
}
