package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/nup"
)

var errUnreachable = syscall.ENETUNREACH

const (
	here  = "192.0.2.1:8153"
	there = "[2001:db8::1]:8153"
)

func TestExchange(t *testing.T) {
	request, req := packet(t, 5)
	good := req.Reply(nup.StatusOK, 6).Append(nil, 1000)
	silent := func(int, []byte) []answer { return nil }
	answers := func(b []byte) server { return func(int, []byte) []answer { return []answer{{datagram: b}} } }
	refuses := func(int, []byte) []answer { return []answer{{err: syscall.ECONNREFUSED}} }

	tests := []struct {
		name    string
		servers map[string]server
		sent    []sending
		took    time.Duration
		err     string
	}{
		{
			name:    "answered at once",
			servers: map[string]server{here: answers(good)},
			sent:    []sending{{0, here}},
		}, {
			name: "two datagrams lost",
			servers: map[string]server{here: func(n int, b []byte) []answer {
				if n < 3 {
					return nil
				}
				return answers(good)(n, b)
			}},
			sent: []sending{{0, here}, {500 * time.Millisecond, here}, {1500 * time.Millisecond, here}},
			took: 1500 * time.Millisecond,
		}, {
			name: "the answer takes its time",
			servers: map[string]server{here: func(n int, b []byte) []answer {
				return []answer{{after: 700 * time.Millisecond, datagram: good}}
			}},
			sent: []sending{{0, here}, {500 * time.Millisecond, here}},
			took: 700 * time.Millisecond,
		}, {
			name:    "silence",
			servers: map[string]server{here: silent},
			sent: []sending{{0, here}, {500 * time.Millisecond, here}, {1500 * time.Millisecond, here},
				{3500 * time.Millisecond, here}, {7500 * time.Millisecond, here}, {11500 * time.Millisecond, here}},
			took: 15 * time.Second,
			err:  `no answer from "ns.example:8153" [192.0.2.1:8153] in 15s`,
		}, {
			name:    "refused, and the other address answers",
			servers: map[string]server{here: refuses, there: answers(good)},
			sent:    []sending{{0, here}, {0, there}},
		}, {
			name: "refused until the server is up",
			servers: map[string]server{here: func(n int, b []byte) []answer {
				if n < 2 {
					return refuses(n, b)
				}
				return answers(good)(n, b)
			}},
			sent: []sending{{0, here}, {500 * time.Millisecond, here}},
			took: 500 * time.Millisecond,
		}, {
			name:    "silent, and the other address answers",
			servers: map[string]server{here: silent, there: answers(good)},
			sent:    []sending{{0, here}, {500 * time.Millisecond, there}},
			took:    500 * time.Millisecond,
		}, {
			name: "an answer from the address asked before",
			servers: map[string]server{there: silent, here: func(int, []byte) []answer {
				return []answer{{after: 600 * time.Millisecond, datagram: good}}
			}},
			sent: []sending{{0, here}, {500 * time.Millisecond, there}},
			took: 600 * time.Millisecond,
		}, {
			name:    "one address cannot be reached",
			servers: map[string]server{here: nil, there: answers(good)},
			sent:    []sending{{0, there}},
		}, {
			name:    "no address can be reached",
			servers: map[string]server{here: nil, there: nil},
			err:     `no answer from "ns.example:8153" [192.0.2.1:8153 [2001:db8::1]:8153] in 0s: network is unreachable`,
		}, {
			name: "refused for ever",
			servers: map[string]server{here: func(n int, b []byte) []answer {
				if n > 1 {
					return nil
				}
				return refuses(n, b)
			}},
			sent: []sending{{0, here}, {500 * time.Millisecond, here}, {1500 * time.Millisecond, here},
				{3500 * time.Millisecond, here}, {7500 * time.Millisecond, here}, {11500 * time.Millisecond, here}},
			took: 15 * time.Second,
			err:  `no answer from "ns.example:8153" [192.0.2.1:8153] in 15s: connection refused`,
		}, {
			name: "datagrams that are no reply to it, then the reply",
			servers: map[string]server{here: func(int, []byte) []answer {
				return []answer{{datagram: []byte("junk")}, {after: 1, datagram: nil}, {after: 2, datagram: good}}
			}},
			sent: []sending{{0, here}},
			took: 2,
		}, {
			name: "only datagrams that are no reply to it",
			servers: map[string]server{here: func(n int, _ []byte) []answer {
				if n > 1 {
					return nil
				}
				return []answer{{datagram: []byte("junk")}, {datagram: good[:len(good)-1]}}
			}},
			sent: []sending{{0, here}, {500 * time.Millisecond, here}, {1500 * time.Millisecond, here},
				{3500 * time.Millisecond, here}, {7500 * time.Millisecond, here}, {11500 * time.Millisecond, here}},
			took: 15 * time.Second,
			err:  `no answer from "ns.example:8153" [192.0.2.1:8153] in 15s, but 2 datagrams that are no reply to this packet`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork(tt.servers)
				o := Options{dial: net.dial, lookup: lookup(tt.servers)}
				reply, err := Exchange(t.Context(), "ns.example:8153", request, o)
				if diff := cmp.Diff(tt.took, time.Since(net.begun)); diff != "" {
					t.Errorf("time (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.sent, net.sent); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if tt.err != "" {
					if !errors.Is(err, ErrNoAnswer) || err.Error() != tt.err {
						t.Fatalf("error\n got %v\nwant %s", err, tt.err)
					}
					return
				}
				if err != nil || reply.Next != 6 {
					t.Fatalf("reply %v, error %v", reply, err)
				}
			})
		})
	}
}

// lookup answers with the addresses of the servers, IPv4 first.
func lookup(servers map[string]server) func(context.Context, string, string) ([]netip.Addr, error) {
	return func(context.Context, string, string) (addrs []netip.Addr, err error) {
		for _, s := range []string{here, there} {
			if _, ok := servers[s]; ok {
				addrs = append(addrs, netip.MustParseAddrPort(s).Addr())
			}
		}
		return addrs, nil
	}
}

func TestExchangeFamily(t *testing.T) {
	request, req := packet(t, 5)
	good := req.Reply(nup.StatusOK, 6).Append(nil, 1000)
	answers := func(int, []byte) []answer { return []answer{{datagram: good}} }
	servers := map[string]server{here: answers, there: answers}
	for family, want := range map[string]string{"udp4": here, "udp6": there} {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork(servers)
			o := Options{Network: family, dial: net.dial, lookup: lookup(servers)}
			if _, err := Exchange(t.Context(), "ns.example:8153", request, o); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]sending{{0, want}}, net.sent); diff != "" {
				t.Errorf("%s: sent (-want +got):\n%s", family, diff)
			}
		})
	}
}

// A caller that gives up is told so, and not that the server did not answer.
func TestExchangeCancel(t *testing.T) {
	request, _ := packet(t, 5)
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]server{here: func(int, []byte) []answer { return nil }}
		net := newNetwork(servers)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := Exchange(ctx, "ns.example:8153", request, Options{dial: net.dial, lookup: lookup(servers)})
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrNoAnswer) {
			t.Errorf("error %v", err)
		}
		if diff := cmp.Diff(time.Second, time.Since(net.begun)); diff != "" {
			t.Errorf("time (-want +got):\n%s", diff)
		}
	})
}

func TestExchangeProgress(t *testing.T) {
	request, _ := packet(t, 5)
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]server{here: func(n int, _ []byte) []answer {
			if n < 5 {
				return nil
			}
			return []answer{{err: syscall.ECONNREFUSED}}
		}}
		type call struct {
			At    time.Duration
			Cause string
		}
		var calls []call
		o := Options{dial: newNetwork(servers).dial, lookup: lookup(servers), Progress: func(waited time.Duration, cause error) {
			c := call{At: waited}
			if cause != nil {
				c.Cause = cause.Error()
			}
			calls = append(calls, c)
		}}
		Exchange(t.Context(), "ns.example:8153", request, o)
		want := []call{{3500 * time.Millisecond, ""}, {7500 * time.Millisecond, ""}, {11500 * time.Millisecond, "connection refused"}}
		if diff := cmp.Diff(want, calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestExchangeRefuses(t *testing.T) {
	request, _ := packet(t, 5)
	notFound := func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "ns.example", IsNotFound: true}
	}
	broken := func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "server misbehaving", Name: "ns.example", IsTemporary: true}
	}
	tests := []struct {
		name   string
		server string
		packet []byte
		o      Options
		want   error
		text   string
	}{
		{"nothing", here, nil, Options{}, ErrPacket, `not one packet: not a Namecast packet`},
		{"a cut packet", here, request[:len(request)-1], Options{}, ErrPacket, `not one packet: read packet: packet too short`},
		{"a packet and more", here, append(request[:len(request):len(request)], 0), Options{}, ErrPacket,
			`not one packet: read packet: malformed packet: 1 octets after the signature`},
		{"no port", "192.0.2.1", request, Options{}, ErrServer, `no such server: address 192.0.2.1: missing port in address`},
		{"bad port", "192.0.2.1:0", request, Options{}, ErrServer, `no such server: bad port "0"`},
		{"other family", here, request, Options{Network: "udp6"}, ErrServer, `no such server: "192.0.2.1" has no IPv6 address`},
		{"name without address", "ns.example:1", request, Options{lookup: notFound}, ErrServer, `no such server: lookup ns.example: no such host`},
		{"broken look-up", "ns.example:1", request, Options{lookup: broken}, ErrNoAnswer,
			`no answer from "ns.example:1" in 0s: lookup ns.example: server misbehaving`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Exchange(t.Context(), tt.server, tt.packet, tt.o)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if diff := cmp.Diff(tt.text, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// Real sockets: a server that loses the first datagram, and a port where nobody
// listens.
func TestExchangeUDP(t *testing.T) {
	request, req := packet(t, 5)
	sock, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for n := 0; ; n++ {
			size, from, err := sock.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 0 && string(buf[:size]) == string(request) {
				sock.WriteTo(req.Reply(nup.StatusOK, 6).Append(nil, size), from)
			}
		}
	}()
	reply, err := Exchange(t.Context(), sock.LocalAddr().String(), request, Options{})
	if err != nil || reply.Next != 6 {
		t.Errorf("reply %v, error %v", reply, err)
	}
	sock.Close()
	<-done
	_, err = Exchange(t.Context(), sock.LocalAddr().String(), request, Options{Limit: 20 * time.Millisecond})
	if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the server is gone: %v", err)
	}
}
