package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

func TestAddresses(t *testing.T) {
	at := onUDP(t, loopback, func(send func([]byte), q []byte, _ net.Addr) { send(answer(t, q, 60)) })
	got, err := client(t, Server{Addr: at}, Options{}).Addresses(within(t, patience), "dns.example")
	want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := client(t, Server{Addr: at}, Options{}).Addresses(within(t, patience), "a b..c"); err == nil {
		t.Errorf("a bad name has the addresses %v", got)
	}
}

// TestByName checks that the addresses of a name are tried in turn, the one that
// worked first, and found anew when none of them works.
func TestByName(t *testing.T) {
	var dialed, lookups atomic.Int32
	var down atomic.Bool
	c, s := overTLS(t, Options{}, func(conn net.Conn, _ int) { reply(conn, answer(t, next(conn), 60)) })
	bad, good := netip.MustParseAddr("192.0.2.77"), s.at.Addr()
	o := Options{
		Roots: c.opt.Roots,
		Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			lookups.Add(1)
			if name != "dns.example" {
				t.Errorf("asked for %q", name)
			}
			return []netip.Addr{bad, netip.IPv4Unspecified(), good}, nil
		},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed.Add(1)
			if down.Load() || address != s.at.String() {
				return nil, errors.New("down")
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	c = client(t, Server{Proto: TLS, Addr: nowhere(s.at.Port()), Name: "dns.example"}, o)
	exchange(t, c)
	exchange(t, c)
	if d, l := dialed.Load(), lookups.Load(); d != 3 || l != 1 {
		t.Errorf("%d connections tried and %d lookups for two queries", d, l)
	}
	down.Store(true)
	if _, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v", err)
	}
	down.Store(false)
	exchange(t, c)
	if l := lookups.Load(); l != 2 {
		t.Errorf("%d lookups after all addresses failed", l)
	}
}

// TestByNameFails checks that a lookup that fails does not make what was found
// before useless.
func TestByNameFails(t *testing.T) {
	known, s := overTLS(t, Options{}, func(conn net.Conn, _ int) { reply(conn, answer(t, next(conn), 60)) })
	var broken, down atomic.Bool
	no := errors.New("broken")
	o := Options{
		Roots: known.opt.Roots,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			if broken.Load() {
				return nil, no
			}
			return []netip.Addr{s.at.Addr()}, nil
		},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if down.Load() {
				return nil, no
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	server := Server{Proto: TLS, Addr: nowhere(s.at.Port()), Name: "dns.example"}
	broken.Store(true)
	c := client(t, server, o)
	if _, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA)); !errors.Is(err, ErrUnreachable) || !errors.Is(err, no) {
		t.Errorf("no address: %v", err)
	}
	broken.Store(false)
	exchange(t, c)
	broken.Store(true)
	down.Store(true)
	if _, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("down: %v", err)
	}
	down.Store(false)
	exchange(t, c)
}
