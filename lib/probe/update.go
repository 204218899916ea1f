package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/client"
	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
)

// seeEvery is how often DNS is asked for what an update made.
const seeEvery = 20 * time.Millisecond

// An Update sends a signed update, with a text that was never there before, to an
// account of its own, waits until DNS says it, deletes it, and waits until DNS
// says that. So it goes by the way of every user: update server, storage, answer.
type Update struct {
	Key     *key.Secret // of the test account, which belongs to this node alone
	Account string      // its name
	Service rr.Name     // the installation's base domain
	Server  string      // where updates are taken, host:port
	At      netip.AddrPort
	Owner   rr.Name // of the TXT record, relative to the account

	known bool // next is what the server said last
	next  int64
}

// Look is the probe's Func.
func (u *Update) Look(ctx context.Context) (string, error) {
	began := time.Now()
	text := rand.Text()
	q, err := u.question(text)
	if err != nil {
		return "", err
	}
	put := nup.Element{Op: nup.OpReplace, Owner: u.Owner, Type: rr.TypeTXT, Data: []rr.Data{rr.TXTData(text)}}
	if err := u.send(ctx, put); err != nil {
		return "", fmt.Errorf("update: %w", err)
	}
	took := time.Since(began)
	if err := u.see(ctx, q); err != nil {
		return "", fmt.Errorf("after the update: %w", err)
	}
	seen := time.Since(began)
	if err := u.send(ctx, nup.Element{Op: nup.OpDelete, Owner: u.Owner}); err != nil {
		return "", fmt.Errorf("delete: %w", err)
	}
	q.Expect, q.Rcode = nil, dns.RcodeNameError
	if err := u.see(ctx, q); err != nil {
		return "", fmt.Errorf("after the deletion: %w", err)
	}
	return fmt.Sprintf("acknowledged after %v, in DNS after %v", took.Round(time.Microsecond*100), seen.Round(time.Microsecond*100)), nil
}

// question is what DNS is asked for.
func (u *Update) question(text string) (Question, error) {
	name := u.Owner.FQDN() + u.Account + "." + u.Service.FQDN()
	expect, err := dns.NewRR(fmt.Sprintf("%s IN TXT %q", name, text))
	return Question{Name: name, Type: dns.TypeTXT, Expect: []dns.RR{expect}}, err
}

// send has the server take one element. A sequence number that is not the right
// one any more, as after a lost reply, is asked for once.
func (u *Update) send(ctx context.Context, e nup.Element) error {
	for try := 0; ; try++ {
		reply, err := u.deliver(ctx, e)
		switch {
		case errors.Is(err, client.ErrNoAnswer) && ctx.Err() != nil:
			u.known = false
			return fmt.Errorf("no reply in time: %w", context.DeadlineExceeded)
		case err != nil:
			u.known = false
			return err
		case reply.Status == nup.StatusOK:
			u.next, u.known = reply.Next, true
			return nil
		}
		u.known = false
		if reply.Status != nup.StatusWrongSequence || try > 0 {
			return wrong("%v", &client.RefusedError{Reply: reply})
		}
	}
}

func (u *Update) deliver(ctx context.Context, e nup.Element) (*nup.Reply, error) {
	if !u.known {
		next, _, err := client.NextSeq(ctx, u.Server, u.Key, u.Service, client.Options{})
		if err != nil {
			return nil, err
		}
		u.next = next
	}
	req := &nup.Request{Version: 1, Service: u.Service, Seq: u.next, Elements: []nup.Element{e}}
	if err := req.Pad(nup.PadSize); err != nil {
		return nil, err
	}
	packet, err := nup.Sign(req, u.Key)
	if err != nil {
		return nil, err
	}
	return client.Deliver(ctx, u.Server, packet, client.Options{})
}

// see asks DNS until it says what it should, or ctx ends.
func (u *Update) see(ctx context.Context, q Question) error {
	d := DNS{At: u.At}
	for {
		err := d.ask(ctx, q)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(seeEvery):
		}
	}
}
