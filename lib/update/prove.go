package update

import (
	"context"
	"errors"
	"time"

	"namecast/lib/claim"
	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/zone"
)

// A Prover finds out whether an account may own a domain: nil, or one of the
// errors of package claim.
type Prover interface {
	Prove(ctx context.Context, domain rr.Name, account string) error
}

// maxProofs is how many domains one request may claim: each costs look-ups.
const maxProofs = 4

// prove asks for the proofs of all domains that the request would claim,
// before anything of the store is held. A reply means that the request cannot
// go on.
func (s *Server) prove(ctx context.Context, t *task) (map[rr.Name]*zone.Refusal, *nup.Reply) {
	var proofs map[rr.Name]*zone.Refusal
	req := t.req
	for _, e := range req.Elements {
		if e.Op != nup.OpValidate || e.Code != nup.CodeOK {
			continue
		}
		account, owned, err := s.owns(t.keyID, e.Owner.Lower())
		if err != nil {
			return nil, s.stalled(req, req.Seq, err)
		}
		if owned {
			continue
		}
		if proofs == nil {
			proofs = map[rr.Name]*zone.Refusal{}
		}
		if len(proofs) == maxProofs {
			r := req.Reply(nup.StatusOverLimit, req.Seq)
			r.Text = "too many domains in one request"
			return nil, r
		}
		refusal, err := s.proof(ctx, e.Owner.Lower(), account)
		if err != nil {
			return nil, later(req, req.Seq, 2*time.Second, err.Error())
		}
		proofs[e.Owner.Lower()] = refusal
	}
	return proofs, nil
}

// owns reports whether the domain's object names the key's account already.
func (s *Server) owns(keyID string, domain rr.Name) (account string, owned bool, err error) {
	head, err := s.head(keyID)
	if err != nil {
		return "", false, err
	}
	if account = head.Account; head.Version == 0 {
		account = keyID
	}
	v, err := s.Store.View()
	if err != nil {
		return "", false, err
	}
	defer v.Release()
	c, err := v.Claim(domain)
	return account, c.Account == account, err
}

// proof asks the operator's list, then the prover.
func (s *Server) proof(ctx context.Context, domain rr.Name, account string) (*zone.Refusal, error) {
	if s.Granted != nil && s.Granted(domain, account) {
		return nil, nil
	}
	if s.Prover == nil {
		return &zone.Refusal{Code: nup.CodeDomainRefused, Text: "this node gives domains only from its operator's list"}, nil
	}
	err := s.Prover.Prove(ctx, domain, account)
	if errors.Is(err, claim.ErrBusy) {
		return nil, err
	}
	for _, known := range []struct {
		err  error
		code nup.Code
	}{
		{claim.ErrMissing, nup.CodeProofMissing},
		{claim.ErrTarget, nup.CodeProofTarget},
		{claim.ErrWildcard, nup.CodeProofTarget},
		{claim.ErrDisagree, nup.CodeProofDisagree},
		{claim.ErrBogus, nup.CodeProofBogus},
		{claim.ErrDomain, nup.CodeDomainRefused},
		{err, nup.CodeProofTimeout}, // and whatever else kept the look-up from an answer
	} {
		if err != nil && errors.Is(err, known.err) {
			return &zone.Refusal{Code: known.code, Text: err.Error()}, nil
		}
	}
	return nil, nil
}
