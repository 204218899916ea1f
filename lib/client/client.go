// Package client is the client's side of the network: it sends one update
// packet and waits for the reply to it.
//
// UDP loses datagrams, so the same bytes go out again and again, with growing
// waits in between, until a reply comes or the time is up. That is safe: a
// server answers the same bytes with the same reply and applies them once. All
// addresses of the server are tried in turn. A datagram counts as the reply
// only if it comes from an address that was asked and carries the version, the
// key and the sequence number of the request.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"namecast/lib/nup"
)

// What an exchange ends with when it is not a reply.
var (
	// ErrNoAnswer: the time is up, or no address of the server can be reached
	// from here. The request may have been applied; the same bytes may be sent
	// again at any time. The error is a *NoAnswerError.
	ErrNoAnswer = errors.New("no answer")
	// ErrServer: the server's name does not exist, or it has no address of the
	// family that was asked for.
	ErrServer = errors.New("no such server")
	// ErrPacket: what should be sent is not exactly one update packet.
	ErrPacket = errors.New("not one packet")
)

// DefaultLimit is how long an exchange goes on without an answer.
const DefaultLimit = 15 * time.Second

// How long to wait for a reply before the next datagram: the first wait, which
// doubles each time around the addresses, and the longest.
const (
	firstWait = 500 * time.Millisecond
	longWait  = 4 * time.Second
	quiet     = 2 * time.Second // no word to the user before
)

// maxPeers bounds the addresses, and so the sockets, of an exchange, however
// many the server's name has.
const maxPeers = 16

// Options say how to talk to a server. The zero Options are the usual way.
type Options struct {
	// Limit is how long to go on without an answer; 0 is DefaultLimit.
	Limit time.Duration
	// Network is "udp4" or "udp6" to use one family of addresses only; "" and
	// "udp" use both.
	Network string
	// Progress, if not nil, is told at each resending that 2 seconds or more
	// have gone by without an answer, and what came instead (nil: silence).
	Progress func(waited time.Duration, cause error)

	// Tests put their own network here.
	dial   func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Progress is a Progress function that tells the user of a tool, a line at a
// time, what it is waiting for.
func Progress(w io.Writer, tool, server string) func(time.Duration, error) {
	return func(waited time.Duration, cause error) {
		why := ""
		if cause != nil {
			why = ": " + cause.Error()
		}
		fmt.Fprintf(w, "%s: no answer from %q after %.1fs%s; trying on\n", tool, server, waited.Seconds(), why)
	}
}

// A NoAnswerError tells what was tried. It is an ErrNoAnswer.
type NoAnswerError struct {
	Server  string           // as asked for, "host:port"
	Asked   []netip.AddrPort // its addresses
	Waited  time.Duration
	Strange int   // datagrams that came and were not the reply
	Cause   error // the last thing that the network said, or nil
}

// Error gives one line: server, addresses, time and cause.
func (e *NoAnswerError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no answer from %q", e.Server)
	if len(e.Asked) > 1 || len(e.Asked) == 1 && e.Asked[0].String() != e.Server {
		fmt.Fprintf(&b, " %v", e.Asked)
	}
	fmt.Fprintf(&b, " in %v", e.Waited.Round(100*time.Millisecond))
	if e.Strange > 0 {
		fmt.Fprintf(&b, ", but %d datagrams that are no reply to this packet", e.Strange)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

// Is makes the error an ErrNoAnswer.
func (e *NoAnswerError) Is(target error) bool { return target == ErrNoAnswer }

// Unwrap gives the cause.
func (e *NoAnswerError) Unwrap() error { return e.Cause }

// Exchange sends packet, one signed request, to server ("host:port") and
// returns the reply to it, whatever its status. Errors: ErrPacket, ErrServer,
// ErrNoAnswer, or the context's.
func Exchange(ctx context.Context, server string, packet []byte, o Options) (*nup.Reply, error) {
	return exchangeWait(ctx, server, packet, 0, o)
}

// exchangeWait is Exchange that asks the server to hold its reply; see package
// nup. With a wait of 0 it does not ask.
func exchangeWait(ctx context.Context, server string, packet []byte, wait time.Duration, o Options) (*nup.Reply, error) {
	req, err := nup.ParseDatagram(packet)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPacket, err)
	}
	if wait > 0 {
		packet = nup.AppendWait(packet[:len(packet):len(packet)], wait)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nothing was sent, and a reply cannot win a race
	}
	x := &exchange{
		o:      o.filled(),
		server: server,
		packet: packet,
		accept: func(b []byte) *nup.Reply { return replyTo(req, b) },
		begun:  time.Now(),
		events: make(chan event),
		done:   make(chan struct{}),
	}
	limited, cancel := context.WithTimeout(ctx, x.o.Limit)
	defer cancel()
	if err := x.resolve(limited); err != nil {
		return nil, x.unlessEnded(ctx, err)
	}
	defer x.close()
	reply, err := x.run(limited)
	return reply, x.unlessEnded(ctx, err)
}

// filled puts the defaults in.
func (o Options) filled() Options {
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	if o.Network == "" {
		o.Network = "udp"
	}
	if o.Progress == nil {
		o.Progress = func(time.Duration, error) {}
	}
	if o.lookup == nil {
		o.lookup = net.DefaultResolver.LookupNetIP
	}
	if o.dial == nil {
		o.dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", to.String())
		}
	}
	return o
}

// resolve finds the server's addresses, in the order in which to try them.
func (x *exchange) resolve(ctx context.Context) error {
	host, service, err := net.SplitHostPort(x.server)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrServer, err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%w: bad port %q", ErrServer, service)
	}
	family := "ip" + strings.TrimPrefix(x.o.Network, "udp")
	addrs, err := x.o.addresses(ctx, family, host)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if len(x.peers) == maxPeers {
			break
		}
		if a = a.Unmap(); family == "ip" || a.Is4() == (family == "ip4") {
			x.peers = append(x.peers, &peer{addr: netip.AddrPortFrom(a, uint16(port))})
		}
	}
	if len(x.peers) == 0 {
		return fmt.Errorf("%w: %q has no IPv%s address", ErrServer, host, family[2:])
	}
	return nil
}

// addresses reads an address or looks a name up. A look-up that may work later
// counts as no answer.
func (o Options) addresses(ctx context.Context, family, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := o.lookup(ctx, family, host)
	var d *net.DNSError
	switch {
	case err == nil:
		return addrs, nil
	case errors.As(err, &d) && d.IsNotFound:
		return nil, fmt.Errorf("%w: %w", ErrServer, err)
	}
	return nil, err
}

// unlessEnded gives the caller's own context its say: an exchange that the
// caller ended did not go unanswered. What is left without a kind is an
// unanswered exchange.
func (x *exchange) unlessEnded(caller context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case caller.Err() != nil:
		return context.Cause(caller)
	case errors.Is(err, ErrServer), errors.Is(err, ErrPacket):
		return err
	}
	e := &NoAnswerError{Server: x.server, Waited: time.Since(x.begun), Strange: x.strange}
	for _, p := range x.peers {
		e.Asked = append(e.Asked, p.addr)
	}
	if !errors.Is(err, errTimeUp) {
		e.Cause = err
	}
	return e
}
