package iterate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A handler is a server: it gives the answer to a query, or nil for silence.
type handler func(q *dns.Msg) *dns.Msg

// errNoRoute is what the network says at once of an address that nobody has.
var errNoRoute = errors.New("no route to host")

// A world is an Internet without packets.
type world struct {
	*testing.T
	mu    sync.Mutex
	at    map[string]handler       // by address
	delay map[string]time.Duration // of answers; default 10 ms
	seen  []string                 // "address name type", in their order
	now   func() time.Duration
}

func newWorld(t *testing.T) *world {
	began := time.Now()
	return &world{T: t, at: map[string]handler{}, delay: map[string]time.Duration{}, now: func() time.Duration { return time.Since(began) + time.Hour }}
}

// serve puts a server of zones at an address; each zone is its name and its records.
func (w *world) serve(addr string, zones ...[]dns.RR) {
	w.at[addr] = func(q *dns.Msg) *dns.Msg { return authority(zones, q) }
}

func (w *world) exchange(ctx context.Context, s netip.AddrPort, query []byte) ([]byte, error) {
	q := new(dns.Msg)
	if err := q.Unpack(query); err != nil {
		w.Errorf("query to %v: %v", s, err)
		return nil, err
	}
	addr := s.Addr().String()
	w.mu.Lock()
	w.seen = append(w.seen, fmt.Sprintf("%s %s %s", addr, q.Question[0].Name, dns.Type(q.Question[0].Qtype)))
	h, delay := w.at[addr], w.delay[addr]
	var a *dns.Msg
	if h != nil {
		a = h(q)
	}
	w.mu.Unlock()
	if h == nil {
		return nil, errNoRoute
	}
	if delay == 0 {
		delay = 10 * time.Millisecond
	}
	if a == nil {
		delay = time.Hour
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(delay):
		return a.Pack()
	}
}

// resolver makes a Resolver of the world, whose root is at 192.0.2.1.
func (w *world) resolver(o Options) *Resolver {
	if o.Hints == nil {
		o.Hints = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}
	}
	o.Exchange, o.Now = w.exchange, w.now
	return New(o)
}

// asked is what was asked since the last time.
func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.seen
	w.seen = nil
	return s
}

// zoneOf reads a zone: its SOA and NS records are made.
func zoneOf(name, server, text string) []dns.RR {
	apex := dns.Fqdn(name)
	text = fmt.Sprintf("$ORIGIN %s\n$TTL 300\n@ SOA ns.test. h.test. 1 2 3 4 60\n@ NS %s\n%s\n", apex, server, text)
	var to []dns.RR
	z := dns.NewZoneParser(strings.NewReader(text), apex, "")
	for x, ok := z.Next(); ok; x, ok = z.Next() {
		to = append(to, x)
	}
	if z.Err() != nil {
		panic(z.Err())
	}
	return to
}

// authority answers as an authoritative server of zones does.
func authority(zones [][]dns.RR, q *dns.Msg) *dns.Msg {
	a := new(dns.Msg).SetReply(q)
	at := q.Question[0].Name
	var zone []dns.RR
	for _, z := range zones {
		apex := z[0].Header().Name
		above := q.Question[0].Qtype == dns.TypeDS && apex == at && at != "."
		if dns.IsSubDomain(apex, at) && !above && (zone == nil || len(apex) > len(zone[0].Header().Name)) {
			zone = z
		}
	}
	if zone == nil {
		a.Rcode = dns.RcodeRefused
		return a
	}
	if refer(a, zone, at, q.Question[0].Qtype) {
		return a
	}
	a.Authoritative = true
	resolveIn(a, zone, at, q.Question[0].Qtype)
	return a
}

func records(zone []dns.RR, at string, typ uint16) (to []dns.RR) {
	for _, x := range zone {
		if strings.EqualFold(x.Header().Name, at) && (x.Header().Rrtype == typ || typ == dns.TypeANY) {
			to = append(to, x)
		}
	}
	return to
}

// refer makes a referral if the name is in another zone.
func refer(a *dns.Msg, zone []dns.RR, at string, typ uint16) bool {
	apex := zone[0].Header().Name
	for _, x := range zone {
		ns, ok := x.(*dns.NS)
		if !ok || ns.Hdr.Name == apex || !dns.IsSubDomain(ns.Hdr.Name, at) || typ == dns.TypeDS && ns.Hdr.Name == at {
			continue
		}
		a.Ns = append(a.Ns, ns)
		a.Extra = append(append(a.Extra, records(zone, ns.Ns, dns.TypeA)...), records(zone, ns.Ns, dns.TypeAAAA)...)
	}
	return len(a.Ns) > 0
}

func resolveIn(a *dns.Msg, zone []dns.RR, at string, typ uint16) {
	apex := zone[0].Header().Name
	found := records(zone, at, typ)
	if c := records(zone, at, dns.TypeCNAME); len(found) == 0 && len(c) > 0 {
		found = c
	}
	for _, x := range zone {
		if d, ok := x.(*dns.DNAME); ok && dns.IsSubDomain(d.Hdr.Name, at) && d.Hdr.Name != at {
			found = []dns.RR{d}
		}
	}
	if a.Answer = found; len(found) > 0 {
		if typ == dns.TypeNS {
			for _, x := range found {
				a.Extra = append(a.Extra, records(zone, x.(*dns.NS).Ns, dns.TypeA)...)
			}
		}
		return
	}
	a.Ns = records(zone, apex, dns.TypeSOA)
	if !slices.ContainsFunc(zone, func(x dns.RR) bool { return dns.IsSubDomain(at, x.Header().Name) }) {
		a.Rcode = dns.RcodeNameError
	}
}

// rootAt makes the world's root delegate the zone test to 192.0.2.2.
func (w *world) rootAt(more string) {
	w.serve("192.0.2.1", zoneOf(".", "a.root.", "a.root. A 192.0.2.1\ntest. NS ns.test.\nns.test. A 192.0.2.2\n"+more))
}

// resolve gives the answer in short: the code, and the records.
func resolve(t *testing.T, r *Resolver, name string, typ uint16) string {
	t.Helper()
	b, err := r.Resolve(t.Context(), Question{Name: rr.MustName(name), Type: typ})
	if err != nil {
		return err.Error()
	}
	return short(t, b)
}

func short(t *testing.T, b []byte) string {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	s := []string{dns.RcodeToString[m.Rcode]}
	for _, x := range append(m.Answer, m.Ns...) {
		f := strings.Fields(x.String())
		s = append(s, strings.Join(append([]string{f[0]}, f[3:min(len(f), 5)]...), " "))
	}
	return strings.Join(s, ", ")
}
