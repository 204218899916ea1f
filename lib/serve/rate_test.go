package serve

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/limit"
	"namecast/lib/rr"
	"namecast/lib/rrl"
	"namecast/lib/zone"
)

// limited is a server with a rate of 10 in an hour, and slip 2: of 30 queries
// that are alike 1 is answered, 14 slip and 15 are dropped.
func limited(t *testing.T) *DNS {
	d := quiet(t)
	d.Rate = rrl.New(limit.Rate{N: 10, Per: time.Hour}, 2)
	return d
}

// flood sends queries and counts what the responses say, "-" for silence.
func flood(t *testing.T, d *DNS, over transport, n int, q func(i int) []byte) map[string]int {
	t.Helper()
	got := map[string]int{}
	for i := range n {
		if b := d.respond(q(i), client{over, someone}, nil); b == nil {
			got["-"]++
		} else {
			got[told(t, b)]++
		}
	}
	return got
}

func TestRate(t *testing.T) {
	same := func(b []byte) func(int) []byte { return func(int) []byte { return b } }
	const mine = "NOERROR opt cookie:0102030405060708+16"
	for _, c := range []struct {
		name string
		over transport
		q    func(i int) []byte
		want map[string]int
	}{
		{"plain", overUDP, same(query(t, 1)), map[string]int{"NOERROR": 1, "NOERROR tc": 14, "-": 15}},
		{"with EDNS", overUDP, same(edns(t, "namecast.example.", dns.TypeSOA, 1232)), map[string]int{"NOERROR opt": 1, "NOERROR tc opt": 14, "-": 15}},
		{"client cookie", overUDP, same(edns(t, "namecast.example.", dns.TypeSOA, 1232, local(10, "0102030405060708"))),
			map[string]int{mine: 1, "BADCOOKIE opt cookie:0102030405060708+16": 14, "-": 15}},
		{"errors have nothing to truncate", overUDP, same(edns(t, "out.test.", dns.TypeSOA, 1232)), map[string]int{"REFUSED opt ede:20": 15, "-": 15}},
		{"octets that are no query", overUDP, same(query(t, 1)[:14]), map[string]int{"FORMERR": 15, "-": 15}},
		{"names without end", overUDP, func(i int) []byte { return edns(t, fmt.Sprintf("n%d.namecast.example.", i), dns.TypeA, 1232) },
			map[string]int{"NXDOMAIN opt": 1, "NXDOMAIN tc opt": 14, "-": 15}},
		{"over TCP", overTCP, same(query(t, 1)), map[string]int{"NOERROR": 30}},
		{"over TLS", overTLS, same(query(t, 1)[:14]), map[string]int{"FORMERR": 30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, flood(t, limited(t), c.over, 30, c.q)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestRateOfCookies does not limit who has shown to be real, through BADCOOKIE.
func TestRateOfCookies(t *testing.T) {
	d := limited(t)
	ask := edns(t, "namecast.example.", dns.TypeSOA, 1232, local(10, "0102030405060708"))
	m := new(dns.Msg)
	for m.Rcode != dns.RcodeBadCookie {
		if b := d.respond(ask, client{overUDP, someone}, nil); b != nil {
			if err := m.Unpack(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(m.Answer) > 0 || m.Truncated || m.Authoritative {
		t.Errorf("BADCOOKIE: %v", m)
	}
	full := m.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie
	again := edns(t, "namecast.example.", dns.TypeSOA, 1232, local(10, full))
	want := map[string]int{"NOERROR opt cookie:0102030405060708+16": 100}
	if diff := cmp.Diff(want, flood(t, d, overUDP, 100, func(int) []byte { return again })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s := d.Stats(); s.Limited.BadCookie != 1 || s.UDP.Responses[17] != 1 || s.Limited.Dropped != 1 {
		t.Errorf("counts: %+v", s)
	}
}

func TestAlike(t *testing.T) {
	group := func(in zone.Section, text string) []zone.Group {
		owner, kind, ok := strings.Cut(text, " ")
		if !ok {
			return nil
		}
		of, err := rr.ParseType(kind)
		if err != nil {
			t.Fatal(err)
		}
		return []zone.Group{{Section: in, Needed: true, Set: rr.Set{Owner: rr.MustName(owner), Type: of, Data: []rr.Data{"x"}}}}
	}
	for _, c := range []struct {
		name             string
		rcode            int
		answer, ns, wild string
		class            rrl.Class
		of               string
	}{
		{"answer", 0, "WWW.example A", "", "", rrl.Positive, "www.example"},
		{"wildcard", 0, "x.example A", "", "*.example", rrl.Positive, "*.example"},
		{"DNAME", 0, "d.example DNAME", "", "", rrl.Positive, "d.example"},
		{"no such name", 3, "", "Example SOA", "", rrl.Negative, "example"},
		{"no such type", 0, "", "Example SOA", "", rrl.Negative, "example"},
		{"no such type at a wildcard", 0, "", "example SOA", "*.example", rrl.Negative, "example"},
		{"an alias to nothing", 3, "a.example CNAME", "example SOA", "", rrl.Negative, "example"},
		{"referral", 0, "", "Sub.example NS", "", rrl.Referral, "sub.example"},
		{"truncated to nothing", 0, "", "", "", rrl.Positive, "q.example"},
		{"refused", 5, "", "", "", rrl.Error, "@"},
		{"loop of DNAME", 6, "d.example DNAME", "", "", rrl.Error, "@"},
	} {
		r := &zone.Response{Rcode: c.rcode, Groups: slices.Concat(group(zone.InAnswer, c.answer), group(zone.InAuthority, c.ns))}
		if c.wild != "" {
			r.Wildcard = rr.MustName(c.wild)
		}
		question := append(rr.MustName("Q.example").Wire(), 0, 1, 0, 1)
		if class, name := alike(r, question); class != c.class || rr.Name(name).String() != c.of {
			t.Errorf("%s: %d %q, want %d %q", c.name, class, name, c.class, c.of)
		}
	}
}
