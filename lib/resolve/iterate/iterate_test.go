package iterate

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// small is a world with a few zones below test.
func small(t *testing.T) *world {
	w := newWorld(t)
	w.rootAt("other. NS ns.other.\nns.other. A 192.0.2.5")
	w.serve("192.0.2.2", zoneOf("test", "ns.test.", `ns A 192.0.2.2
example NS ns1.example
example NS ns2.example
ns1.example A 192.0.2.3
ns2.example A 192.0.2.4
away NS ns.host.other.
www.deep.empty.names A 198.51.100.9
old DNAME example`))
	example := zoneOf("example.test", "ns1.example.test.", `ns1 A 192.0.2.3
ns2 A 192.0.2.4
www A 198.51.100.1
www AAAA 2001:db8::1
alias CNAME www
out CNAME www.away.test.
twist CNAME twine.other.
a.b.c.d.e.f.g.h.i.j.k.l.m A 198.51.100.2
lost CNAME nothing
_sip._tcp SRV 0 0 5060 www`)
	w.serve("192.0.2.3", example)
	w.serve("192.0.2.4", example)
	w.serve("192.0.2.5", zoneOf("other", "ns.other.", "ns A 192.0.2.5\nns.host A 192.0.2.6\ntwine CNAME twist.example.test."))
	w.serve("192.0.2.6", zoneOf("away.test", "ns.host.other.", "www A 198.51.100.3"))
	return w
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		typ  uint16
		want string
	}{
		{"www.example.test", dns.TypeA, "NOERROR, www.example.test. A 198.51.100.1"},
		{"WWW.Example.TEST", dns.TypeAAAA, "NOERROR, www.example.test. AAAA 2001:db8::1"},
		{"www.example.test", dns.TypeMX, "NOERROR, example.test. SOA ns.test."},
		{"no.example.test", dns.TypeA, "NXDOMAIN, example.test. SOA ns.test."},
		{"no.such.example.test", dns.TypeA, "NXDOMAIN, example.test. SOA ns.test."},
		{"no.tld", dns.TypeA, "NXDOMAIN, . SOA ns.test."},
		{"alias.example.test", dns.TypeA, "NOERROR, alias.example.test. CNAME www.example.test., www.example.test. A 198.51.100.1"},
		{"alias.example.test", dns.TypeCNAME, "NOERROR, alias.example.test. CNAME www.example.test."},
		{"lost.example.test", dns.TypeA, "NXDOMAIN, lost.example.test. CNAME nothing.example.test., example.test. SOA ns.test."},
		{"out.example.test", dns.TypeA, "NOERROR, out.example.test. CNAME www.away.test., www.away.test. A 198.51.100.3"},
		{"www.old.test", dns.TypeA, "NOERROR, old.test. DNAME example.test., www.old.test. CNAME www.example.test., www.example.test. A 198.51.100.1"},
		{"www.old.test", dns.TypeCNAME, "NOERROR, old.test. DNAME example.test., www.old.test. CNAME www.example.test."},
		{"a.b.c.d.e.f.g.h.i.j.k.l.m.example.test", dns.TypeA, "NOERROR, a.b.c.d.e.f.g.h.i.j.k.l.m.example.test. A 198.51.100.2"},
		{"deep.empty.names.test", dns.TypeA, "NOERROR, test. SOA ns.test."},
		{"www.deep.empty.names.test", dns.TypeA, "NOERROR, www.deep.empty.names.test. A 198.51.100.9"},
		{"_sip._tcp.example.test", dns.TypeSRV, "NOERROR, _sip._tcp.example.test. SRV 0"},
		{"example.test", dns.TypeDS, "NOERROR, test. SOA ns.test."},
		{"test", dns.TypeNS, "NOERROR, test. NS ns.test."},
		{".", dns.TypeNS, "NOERROR, . NS a.root."},
		{".", dns.TypeDS, "NOERROR, . SOA ns.test."},
	} {
		t.Run(c.name+" "+dns.Type(c.typ).String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := small(t).resolver(Options{})
				for _, when := range []string{"at first", "when delegations are known"} {
					if diff := cmp.Diff(c.want, resolve(t, r, c.name, c.typ)); diff != "" {
						t.Errorf("%s (-want +got)\n%s", when, diff)
					}
				}
			})
		})
	}
}

// No server hears more of a name than it must.
func TestMinimised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := small(t)
		r := w.resolver(Options{})
		resolve(t, r, "www.deep.empty.names.test", dns.TypeMX)
		want := []string{
			"192.0.2.1 . NS",
			"192.0.2.1 test. A",
			"192.0.2.2 names.test. A",
			"192.0.2.2 empty.names.test. A",
			"192.0.2.2 deep.empty.names.test. A",
			"192.0.2.2 www.deep.empty.names.test. MX",
		}
		if diff := cmp.Diff(want, w.asked()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		resolve(t, r, "a.b.c.d.e.f.g.h.i.j.k.l.m.example.test", dns.TypeA)
		if n := len(w.asked()); n > 1+maxSteps {
			t.Errorf("%d queries for a long name", n)
		}
	})
}

// Servers that deny a name with others below, or refuse what they are not used to, are
// asked for the whole.
func TestMinimisationFallsBack(t *testing.T) {
	for name, rcode := range map[string]int{"denied": dns.RcodeNameError, "refused": dns.RcodeRefused, "failed": dns.RcodeServerFailure} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := small(t)
				good := w.at["192.0.2.2"]
				w.at["192.0.2.2"] = func(q *dns.Msg) *dns.Msg {
					if q.Question[0].Name == "empty.names.test." {
						a := new(dns.Msg).SetRcode(q, rcode)
						a.Authoritative = true
						return a
					}
					return good(q)
				}
				want := "NOERROR, www.deep.empty.names.test. A 198.51.100.9"
				if got := resolve(t, w.resolver(Options{}), "www.deep.empty.names.test", dns.TypeA); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

func TestDelegationsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := small(t)
		r := w.resolver(Options{})
		resolve(t, r, "www.example.test", dns.TypeA)
		w.asked()
		resolve(t, r, "ns1.example.test", dns.TypeA)
		if got := w.asked(); len(got) != 1 {
			t.Errorf("asked %q", got)
		}
		time.Sleep(301 * time.Second)
		w.at["192.0.2.3"], w.at["192.0.2.4"] = nil, nil
		w.serve("192.0.2.2", zoneOf("test", "ns.test.", "ns A 192.0.2.2\nexample NS ns.example\nns.example A 192.0.2.7"))
		w.serve("192.0.2.7", zoneOf("example.test", "ns.example.test.", "www A 198.51.100.77"))
		if got := resolve(t, r, "www.example.test", dns.TypeA); !strings.Contains(got, "198.51.100.77") {
			t.Errorf("after the zone has moved: %s", got)
		}
		w.at["192.0.2.7"] = nil
		w.serve("192.0.2.2", zoneOf("test", "ns.test.", "ns A 192.0.2.2\nexample NS ns.example\nns.example A 192.0.2.8"))
		w.serve("192.0.2.8", zoneOf("example.test", "ns.example.test.", "www A 198.51.100.88"))
		resolve(t, r, "www.example.test", dns.TypeA)
		if got := resolve(t, r, "www.example.test", dns.TypeA); !strings.Contains(got, "198.51.100.88") {
			t.Errorf("after the zone has moved within its time: %s", got)
		}
	})
}

// What a server says of zones that are not its own is not believed.
func TestBailiwick(t *testing.T) {
	lie := func(s string) dns.RR {
		x, err := dns.NewRR(s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for name, change := range map[string]func(a *dns.Msg){
		"glue for another zone's server": func(a *dns.Msg) {
			a.Extra = append(a.Extra, lie("ns.host.other. A 192.0.2.66"))
		},
		"records for another zone": func(a *dns.Msg) {
			a.Answer = append(a.Answer, lie("www.away.test. A 192.0.2.66"), lie("www.other. A 192.0.2.66"))
		},
		"delegation of another zone": func(a *dns.Msg) {
			a.Ns = append(a.Ns, lie("other. NS ns.evil.test."), lie(". NS ns.evil.test."))
			a.Extra = append(a.Extra, lie("ns.evil.test. A 192.0.2.66"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := small(t)
				for _, at := range []string{"192.0.2.3", "192.0.2.4"} {
					good := w.at[at]
					w.at[at] = func(q *dns.Msg) *dns.Msg { a := good(q); change(a); return a }
				}
				w.at["192.0.2.66"] = func(q *dns.Msg) *dns.Msg {
					t.Error("the liar's server was asked")
					return nil
				}
				r := w.resolver(Options{})
				want := "NOERROR, out.example.test. CNAME www.away.test., www.away.test. A 198.51.100.3"
				if got := resolve(t, r, "out.example.test", dns.TypeA); got != want {
					t.Errorf("got %s", got)
				}
				if got := resolve(t, r, "twine.other", dns.TypeCNAME); got != "NOERROR, twine.other. CNAME twist.example.test." {
					t.Errorf("got %s", got)
				}
			})
		})
	}
}

// One bad server of two does no harm, whatever it does.
func TestOneServerBad(t *testing.T) {
	for name, bad := range map[string]handler{
		"silent":    func(q *dns.Msg) *dns.Msg { return nil },
		"refuses":   func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeRefused) },
		"upward":    func(q *dns.Msg) *dns.Msg { return upward(q) },
		"recursive": func(q *dns.Msg) *dns.Msg { a := new(dns.Msg).SetReply(q); a.RecursionAvailable = true; return a },
		"other id":  func(q *dns.Msg) *dns.Msg { a := new(dns.Msg).SetReply(q); a.Id++; a.Authoritative = true; return a },
		"other name": func(q *dns.Msg) *dns.Msg {
			a := new(dns.Msg).SetReply(q)
			a.Question[0].Name, a.Authoritative = "x.test.", true
			return a
		},
		"cut off": func(q *dns.Msg) *dns.Msg {
			a := new(dns.Msg).SetReply(q)
			a.Truncated, a.Authoritative = true, true
			return a
		},
		"foreign SOA": func(q *dns.Msg) *dns.Msg {
			a := new(dns.Msg).SetRcode(q, dns.RcodeNameError)
			a.Authoritative = true
			a.Ns = zoneOf("net", "ns.net.", "")[:1]
			return a
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := small(t)
				w.at["192.0.2.3"] = bad
				r := w.resolver(Options{})
				for range 8 {
					began := time.Now()
					if got := resolve(t, r, "www.example.test", dns.TypeA); got != "NOERROR, www.example.test. A 198.51.100.1" {
						t.Errorf("got %s", got)
					}
					if took := time.Since(began); took > 2*time.Second {
						t.Errorf("took %v", took)
					}
				}
			})
		})
	}
}

func upward(q *dns.Msg) *dns.Msg {
	a := new(dns.Msg).SetReply(q)
	a.Ns = zoneOf(".", "a.root.", "")[1:]
	return a
}

// A server that does not know EDNS is asked without it.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := small(t)
		good := w.at["192.0.2.2"]
		w.at["192.0.2.2"] = func(q *dns.Msg) *dns.Msg {
			if q.IsEdns0() != nil {
				return &dns.Msg{MsgHdr: dns.MsgHdr{Id: q.Id, Response: true, Rcode: dns.RcodeFormatError}}
			}
			return good(q)
		}
		if got := resolve(t, w.resolver(Options{}), "www.deep.empty.names.test", dns.TypeA); !strings.Contains(got, "198.51.100.9") {
			t.Errorf("got %s", got)
		}
	})
}

func TestPriming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.serve("192.0.2.1", zoneOf(".", "a.root.", "a.root. A 192.0.2.9\n"))
		w.serve("192.0.2.9", zoneOf(".", "a.root.", "a.root. A 192.0.2.9\nx. A 198.51.100.1"))
		r := w.resolver(Options{})
		if err := r.Prime(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.asked()
		resolve(t, r, "x", dns.TypeA)
		if diff := cmp.Diff([]string{"192.0.2.9 x. A"}, w.asked()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		time.Sleep(301 * time.Second)
		resolve(t, r, "x", dns.TypeA)
		if got := w.asked(); !slices.Contains(got, "192.0.2.1 . NS") {
			t.Errorf("asked %q after the time of the root's servers", got)
		}
	})
}

// The alias that a DNAME makes may be too long for a name.
func TestTooLongByDNAME(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rootAt("")
		long := strings.Repeat("d", 60)
		w.serve("192.0.2.2", zoneOf("test", "ns.test.", "x DNAME "+strings.Join([]string{long, long, long, long}, ".")+".test."))
		got := resolve(t, w.resolver(Options{}), strings.Repeat("e", 60)+".x.test", dns.TypeA)
		if !strings.HasPrefix(got, "YXDOMAIN, x.test. DNAME ") || strings.Contains(got, "CNAME") {
			t.Errorf("got %s", got)
		}
	})
}
