package validate

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// noon is the time of the day in tests.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A book has all that is fetched: the keys and DS records of a few zones, whose secret
// keys it has. Of other names it proves that no zone begins there.
type book struct {
	t       testing.TB
	now     time.Time
	zones   map[rr.Name]*signer
	mu      sync.Mutex
	entries map[Question]*dns.Msg
	asked   map[Question]int
	down    error         // all fetches fail
	gate    chan struct{} // fetches wait for its end
}

type signer struct {
	key    *dns.DNSKEY
	secret crypto.Signer
}

// newBook makes a signed root and the zones below it, the higher ones first.
func newBook(t testing.TB, zones ...string) *book {
	b := &book{t: t, now: noon, zones: map[rr.Name]*signer{}, entries: map[Question]*dns.Msg{}, asked: map[Question]int{}}
	for _, z := range append([]string{"."}, zones...) {
		b.zone(z, dns.ECDSAP256SHA256, dns.SHA256)
	}
	return b
}

// zone makes a zone with one key, and its DS record.
func (b *book) zone(name string, algorithm, digest uint8) {
	b.t.Helper()
	s := &signer{key: &dns.DNSKEY{Hdr: head(name, dns.TypeDNSKEY), Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: algorithm}}
	bits := map[uint8]int{dns.RSASHA1: 1024, dns.RSASHA256: 1024, dns.RSASHA512: 1024, dns.ECDSAP384SHA384: 384}[algorithm]
	if bits == 0 {
		bits = 256
	}
	secret, err := s.key.Generate(bits)
	if err != nil {
		b.t.Fatal(err)
	}
	s.secret = secret.(crypto.Signer)
	n := rr.MustName(name)
	b.zones[n] = s
	b.put(n, dns.TypeDNSKEY, b.signed(name, s.key)...)
	if n != "" {
		b.put(n, dns.TypeDS, b.signed(b.above(n.Parent()).FQDN(), s.key.ToDS(digest))...)
	}
}

func head(name string, typ uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: typ, Class: dns.ClassINET, Ttl: 300}
}

// above is the zone that a name is in.
func (b *book) above(n rr.Name) rr.Name {
	for ; n != ""; n = n.Parent() {
		if b.zones[n] != nil {
			return n
		}
	}
	return ""
}

// signed gives a set with its signature by a zone, from an hour before noon to a day after.
func (b *book) signed(zone string, set ...dns.RR) []dns.RR {
	return b.signedFor(zone, noon.Add(-time.Hour), noon.Add(24*time.Hour), set...)
}

func (b *book) signedFor(zone string, from, to time.Time, set ...dns.RR) []dns.RR {
	b.t.Helper()
	s := b.zones[rr.MustName(zone)]
	sig := &dns.RRSIG{Algorithm: s.key.Algorithm, KeyTag: s.key.KeyTag(), SignerName: dns.Fqdn(zone),
		Inception: uint32(from.Unix()), Expiration: uint32(to.Unix())}
	if err := sig.Sign(s.secret, set); err != nil {
		b.t.Fatal(err)
	}
	return append(set, sig)
}

// put enters what is answered to a question.
func (b *book) put(n rr.Name, typ uint16, answer ...dns.RR) {
	b.entries[Question{n, typ}] = response(Question{n, typ}, answer, nil)
}

func response(q Question, answer, authority []dns.RR) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.Name.FQDN(), q.Type)
	m.Response, m.Answer, m.Ns = true, answer, authority
	return m
}

// record reads one.
func record(t testing.TB, text string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fetch is the Fetch of a Validator.
func (b *book) fetch(ctx context.Context, name rr.Name, typ uint16) ([]byte, error) {
	b.mu.Lock()
	q := Question{name, typ}
	b.asked[q]++
	m, down, gate := b.entries[q], b.down, b.gate
	b.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if down != nil {
		return nil, down
	}
	if m == nil {
		nsec := &dns.NSEC{Hdr: head(name.FQDN(), dns.TypeNSEC), NextDomain: `\000.` + name.FQDN(), TypeBitMap: []uint16{dns.TypeA, dns.TypeRRSIG, dns.TypeNSEC}}
		m = response(q, nil, b.signed(b.above(name).FQDN(), nsec))
	}
	return m.Pack()
}

func (b *book) validator() *Validator {
	return New(Options{Anchors: []Anchor{{ds: b.zones[""].key.ToDS(dns.SHA256)}}, Fetch: b.fetch, Now: func() time.Time { return b.now }})
}

// verdict is what a new validator says of a response to a question for addresses.
func (b *book) verdict(name string, answer, authority []dns.RR) Verdict {
	b.t.Helper()
	return b.ask(b.validator(), response(Question{rr.MustName(name), dns.TypeA}, answer, authority))
}

func (b *book) ask(v *Validator, m *dns.Msg) Verdict {
	b.t.Helper()
	msg, err := m.Pack()
	if err != nil {
		b.t.Fatal(err)
	}
	return v.Judge(context.Background(), asked(m), msg)
}

func (b *book) want(got Verdict, state State, reason error) {
	b.t.Helper()
	if got.State != state || reason != nil && !errors.Is(got.Reason, reason) {
		b.t.Errorf("%v: %v; want %v: %v", got.State, got.Reason, state, reason)
	}
}

// count is how often something of a type was fetched.
func (b *book) count(name string, typ uint16) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[Question{rr.MustName(name), typ}]
}
