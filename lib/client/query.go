package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"

	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
)

// ErrNoAddress: the reply does not say from which address the request came.
var ErrNoAddress = errors.New("the server does not tell the address it saw")

// A RefusedError is a reply that does not bring what was asked for.
type RefusedError struct{ Reply *nup.Reply }

// Error gives the status in number and words, and the server's own text.
func (e *RefusedError) Error() string {
	s := fmt.Sprintf("the server answers %d, %q", e.Reply.Status, e.Reply.Status.String())
	if e.Reply.Text != "" {
		s += fmt.Sprintf(": %q", e.Reply.Text)
	}
	return s
}

// Query sends a signed sequence query, which changes nothing, and returns the
// reply, whatever its status. The service is the installation's base domain;
// version 0 keys need none.
func Query(ctx context.Context, server string, secret *key.Secret, service rr.Name, o Options) (*nup.Reply, error) {
	public := secret.Public()
	req := &nup.Request{Version: public.Version(), Key: public.Bytes(), Service: service}
	if err := req.Pad(nup.PadSize); err != nil {
		return nil, fmt.Errorf("sign a sequence query: %w", err)
	}
	packet, err := nup.Sign(req, secret)
	if err != nil {
		return nil, fmt.Errorf("sign a sequence query: %w", err)
	}
	return Exchange(ctx, server, packet, o)
}

// NextSeq asks the server for the sequence number that the next update of the
// secret key's account must have; a key that no account has is told 0. The
// reply comes along for what else it says. Errors are those of Exchange, or a
// *RefusedError.
func NextSeq(ctx context.Context, server string, secret *key.Secret, service rr.Name, o Options) (int64, *nup.Reply, error) {
	reply, err := Query(ctx, server, secret, service, o)
	if err != nil {
		return 0, nil, err
	}
	if reply.Status != nup.StatusNoElements && reply.Status != nup.StatusOK || reply.Next < 0 {
		return 0, reply, &RefusedError{reply}
	}
	return reply.Next, reply, nil
}

// WhoAmI asks the server from which address it sees this machine. The query is
// signed by a key made for it alone, so no account is involved. An attacker on
// the way can change the answer: it is good for this machine's own records and
// for nothing more.
func WhoAmI(ctx context.Context, server string, service rr.Name, o Options) (netip.Addr, error) {
	secret, err := key.Generate(rand.Reader)
	if err != nil {
		return netip.Addr{}, err
	}
	reply, err := Query(ctx, server, secret, service, o)
	if err != nil {
		return netip.Addr{}, err
	}
	// Every version 1 reply has the address, also one that refuses the query.
	if from := reply.From.Addr(); from.IsValid() {
		return from.Unmap(), nil
	}
	return netip.Addr{}, fmt.Errorf("%w: %w", ErrNoAddress, &RefusedError{reply})
}

// replyTo reads a datagram and returns it if it is the reply to req, otherwise
// nil. It must be of the request's version, unless it says that the server does
// not speak that version: it says so in the form of version 0.
func replyTo(req *nup.Request, datagram []byte) *nup.Reply {
	r, err := nup.ParseReply(datagram)
	if err != nil || !r.Answers(req) {
		return nil
	}
	unspoken := r.Version == 0 && (r.Status == nup.StatusUnsupported || r.Status == nup.StatusObsolete)
	if r.Version != req.Version && !unspoken {
		return nil
	}
	return r
}
