package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/ndb"
)

// serveDNS runs a name server on loopback, over UDP and TCP, that answers by a
// function; nil is no answer.
func serveDNS(t *testing.T, answer func(*dns.Msg) *dns.Msg) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", c.LocalAddr().String())
	if err != nil {
		t.Skipf("the port is free for UDP only: %v", err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		if r := answer(m); r != nil {
			w.WriteMsg(r)
		}
	})
	for _, s := range []*dns.Server{{PacketConn: c, Handler: handler}, {Listener: l, Handler: handler}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		var served sync.WaitGroup
		served.Go(func() { s.ActivateAndServe() })
		<-up
		t.Cleanup(func() { s.Shutdown(); served.Wait() })
	}
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

// zone answers from records, with authority.
func zone(t *testing.T, records ...string) func(*dns.Msg) *dns.Msg {
	var all []dns.RR
	for _, text := range records {
		r, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return func(m *dns.Msg) *dns.Msg {
		r := new(dns.Msg)
		r.SetReply(m)
		r.Authoritative = true
		r.Rcode = dns.RcodeNameError
		for _, a := range all {
			if a.Header().Name == m.Question[0].Name {
				r.Rcode = dns.RcodeSuccess
				if a.Header().Rrtype == m.Question[0].Qtype {
					r.Answer = append(r.Answer, a)
				}
			}
		}
		if len(r.Answer) == 0 {
			r.Ns = all[:1]
		}
		return r
	}
}

const soa = "d.example. 60 IN SOA ns1.d.example. hostmaster.d.example. 1 2 3 4 5"

// look parses a DNS probe's line and looks once.
func look(t *testing.T, at netip.AddrPort, words string) (string, error) {
	t.Helper()
	p := parse(t, "dns", "at="+at.String()+" "+words)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return p.Look(ctx)
}

func parse(t *testing.T, kind, words string) Probe {
	t.Helper()
	lines, err := ndb.Parse(strings.NewReader(words))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(kind, lines[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDNS(t *testing.T) {
	at := serveDNS(t, zone(t, soa, "www.d.example. 60 IN A 192.0.2.1", "www.d.example. 60 IN A 192.0.2.2", `t.d.example. 60 IN TXT "hello there"`))
	for _, c := range []struct{ name, words, want string }{
		{"SOA", "name=d.example", ""},
		{"TCP", "tcp name=d.example", ""},
		{"a set", "name=www.d.example type=A expect=192.0.2.2 expect=192.0.2.1", ""},
		{"any data", "name=www.d.example type=A", ""},
		{"a text", `name=t.d.example type=TXT expect='"hello there"'`, ""},
		{"no such name", "name=none.d.example type=A rcode=NXDOMAIN", ""},
		{"no such data", "name=www.d.example type=MX rcode=NODATA", ""},
		{"several", "name=d.example name=www.d.example type=A name=none.d.example rcode=nxdomain", ""},
		{"one of several wrong", "name=d.example name=www.d.example type=A expect=192.0.2.9 name=none.d.example rcode=nxdomain", ""},

		{"half a set", "name=www.d.example type=A expect=192.0.2.1", "2 records instead of 1"},
		{"other data", "name=www.d.example type=A expect=192.0.2.1 expect=192.0.2.3", "no 192.0.2.3, but 192.0.2.1"},
		{"name that should be there", "name=none.d.example type=A", "NXDOMAIN instead of NOERROR"},
		{"name that should not", "name=www.d.example type=A rcode=NXDOMAIN", "NOERROR instead of NXDOMAIN"},
		{"data that should not", "name=www.d.example type=A rcode=NODATA", "records where none should be"},
		{"data that should be there", "name=www.d.example type=MX", "no such record"},
		{"two of three wrong", "name=d.example name=www.d.example type=MX name=x.d.example", "www.d.example. MX: wrong answer: no such record"},
		{"TCP, wrong", "tcp name=www.d.example type=MX", "no such record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			detail, err := look(t, at, c.words)
			if c.want == "" {
				if err != nil || detail == "" {
					t.Errorf("%q, %v", detail, err)
				}
				return
			}
			if !errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), c.want) || Timeout(err) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

func TestDNSBadHeaders(t *testing.T) {
	for name, spoil := range map[string]func(*dns.Msg){
		"not authoritative": func(m *dns.Msg) { m.Authoritative = false },
		"truncated":         func(m *dns.Msg) { m.Truncated = true },
		"SERVFAIL":          func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure },
		"another question":  func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA },
	} {
		t.Run(name, func(t *testing.T) {
			good := zone(t, soa)
			at := serveDNS(t, func(m *dns.Msg) *dns.Msg {
				r := good(m)
				spoil(r)
				return r
			})
			if _, err := look(t, at, "name=d.example"); !errors.Is(err, ErrWrong) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDNSNoAnswer(t *testing.T) {
	at := serveDNS(t, func(*dns.Msg) *dns.Msg { return nil })
	p := parse(t, "dns", "at="+at.String()+" name=d.example name=e.example")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Look(ctx); !Timeout(err) || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("silent server: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
	time.AfterFunc(20*time.Millisecond, cancel)
	begun := time.Now()
	if _, err := p.Look(ctx); err == nil || time.Since(begun) > time.Second {
		t.Errorf("a look that was called off comes to %v after %v", err, time.Since(begun))
	}
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.LocalAddr().String()
	closed.Close()
	for _, tcp := range []string{"", "tcp "} {
		p = parse(t, "dns", tcp+"at="+nobody+" name=d.example")
		if _, err := p.Look(t.Context()); err == nil || Timeout(err) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("nobody there, %q: %v", tcp, err)
		}
	}
}

// TestDNSRotates sees that all names have their turn.
func TestDNSRotates(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	good := zone(t, "a.example. 60 IN SOA a. a. 1 2 3 4 5", "b.example. 60 IN A 192.0.2.1", "c.example. 60 IN A 192.0.2.1", "e.example. 60 IN A 192.0.2.1", "f.example. 60 IN A 192.0.2.1")
	at := serveDNS(t, func(m *dns.Msg) *dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		asked[m.Question[0].Name]++
		return good(m)
	})
	p := parse(t, "dns", "at="+at.String()+" name=a.example name=b.example type=A name=c.example type=A name=e.example type=A name=f.example type=A")
	for range 5 {
		if _, err := p.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"a.example.", "b.example.", "c.example.", "e.example.", "f.example."} {
		if asked[name] != 3 {
			t.Errorf("%s was asked for %d times in 5 looks, want 3", name, asked[name])
		}
	}
}
