package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// maxAddresses is how many addresses of a server are tried.
const maxAddresses = 4

// addresses gives where the server may be. What Lookup has found is kept until a
// query fails, and is still good if Lookup then fails as well: it may need the very
// network that is down.
func (c *Client) addresses(ctx context.Context) ([]netip.Addr, error) {
	if a := c.server.Addr.Addr(); a.IsValid() {
		return []netip.Addr{a}, nil
	}
	c.mu.Lock()
	known, doubt := c.found, c.doubt
	c.mu.Unlock()
	if len(known) > 0 && !doubt {
		return known, nil
	}
	found, err := c.lookup(ctx)
	if err != nil {
		if len(known) > 0 {
			return known, nil
		}
		return nil, err
	}
	c.mu.Lock()
	c.found, c.doubt = found, false
	c.mu.Unlock()
	return found, nil
}

// lookup asks for the addresses of the server's name.
func (c *Client) lookup(ctx context.Context) ([]netip.Addr, error) {
	if c.opt.Lookup == nil {
		return nil, errors.New("no address, and nobody to ask for it")
	}
	if until, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/2)
		defer cancel()
	}
	found, err := c.opt.Lookup(ctx, c.server.Name)
	if err != nil {
		return nil, fmt.Errorf("find the address: %w", err)
	}
	found = slices.DeleteFunc(slices.Clone(found), func(a netip.Addr) bool { return usable(a) != nil })
	if len(found) == 0 {
		return nil, errors.New("the name has no address")
	}
	return found[:min(len(found), maxAddresses)], nil
}

// prefer puts an address in front, after it could be connected to.
func (c *Client) prefer(a netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.found, a); i > 0 {
		c.found = slices.Concat([]netip.Addr{a}, c.found[:i], c.found[i+1:])
	}
}

// failed has the addresses looked up again before the next connection is made.
func (c *Client) failed() {
	c.mu.Lock()
	c.doubt = true
	c.mu.Unlock()
}

// Addresses asks the server for the IPv4 and IPv6 addresses of a host. It is what
// Options.Lookup of another client may be. The errors are those of Exchange; that a
// name has none is no error.
func (c *Client) Addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	name, err := rr.ParseName(host)
	if err != nil {
		return nil, fmt.Errorf("find %q: %w", host, err)
	}
	type result struct {
		addrs []netip.Addr
		err   error
	}
	six := make(chan result, 1)
	go func() {
		addrs, err := c.list(ctx, name, dns.TypeAAAA)
		six <- result{addrs, err}
	}()
	four, err := c.list(ctx, name, dns.TypeA)
	r := <-six
	if err != nil && r.err != nil {
		return nil, err
	}
	return append(four, r.addrs...), nil
}

// list asks for the addresses of one family.
func (c *Client) list(ctx context.Context, name rr.Name, typ uint16) (addrs []netip.Addr, err error) {
	msg := make([]byte, headerSize, headerSize+len(name)+5)
	msg[2], msg[5] = 1, 1 // recursion desired, one question
	msg = append(append(msg, name...), 0)
	msg = binary.BigEndian.AppendUint16(msg, typ)
	msg = binary.BigEndian.AppendUint16(msg, dns.ClassINET)
	reply, err := c.Exchange(ctx, msg)
	if err != nil {
		return nil, err
	}
	err = eachRecord(reply, func(r record) {
		if a, ok := netip.AddrFromSlice(r.data); ok && r.answer && r.typ == typ && a.Is4() == (typ == dns.TypeA) {
			addrs = append(addrs, a)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("ask %v: %w: %w", c.server, ErrUnreachable, err)
	}
	return addrs, nil
}
