package validate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

const address = "www.a.test. 300 IN A 192.0.2.1"

func TestAlgorithms(t *testing.T) {
	for _, c := range []struct {
		algorithm, digest uint8
		want              State
	}{
		{dns.RSASHA256, dns.SHA256, Secure},
		{dns.RSASHA512, dns.SHA384, Secure},
		{dns.ECDSAP256SHA256, dns.SHA256, Secure},
		{dns.ECDSAP384SHA384, dns.SHA384, Secure},
		{dns.ED25519, dns.SHA256, Secure},
		{dns.ECDSAP256SHA256, dns.SHA1, Secure},
		{dns.RSASHA1, dns.SHA256, Insecure},
	} {
		t.Run(fmt.Sprintf("%d with digest %d", c.algorithm, c.digest), func(t *testing.T) {
			b := newBook(t, "test")
			b.zone("a.test", c.algorithm, c.digest)
			good := b.signed("a.test", record(t, address))
			b.want(b.verdict("www.a.test", good, nil), c.want, nil)
			bad := b.signed("a.test", record(t, address))
			bad[0] = record(t, "www.a.test. 300 IN A 192.0.2.2")
			if got := b.verdict("www.a.test", bad, nil).State; got == Secure || c.want == Secure && got != Bogus {
				t.Errorf("another address: %v", got)
			}
		})
	}
}

// TestDigests holds that a SHA-1 digest does not count beside a better one, which then must
// fit.
func TestDigests(t *testing.T) {
	b := newBook(t, "test", "a.test")
	key := b.zones[rr.MustName("a.test")].key
	wrong := key.ToDS(dns.SHA256)
	wrong.Digest = strings.Repeat("ab", 32)
	b.put(rr.MustName("a.test"), dns.TypeDS, b.signed("test", key.ToDS(dns.SHA1), wrong)...)
	answer := b.signed("a.test", record(t, address))
	b.want(b.verdict("www.a.test", answer, nil), Bogus, ErrKeys)
	strange := key.ToDS(dns.SHA256)
	strange.DigestType = 99
	b.put(rr.MustName("a.test"), dns.TypeDS, b.signed("test", key.ToDS(dns.SHA1), strange)...)
	b.want(b.verdict("www.a.test", answer, nil), Secure, nil)
	b.put(rr.MustName("a.test"), dns.TypeDS, b.signed("test", strange)...)
	b.want(b.verdict("www.a.test", answer, nil), Insecure, nil)
}

func TestTimes(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name     string
		from, to time.Duration // from noon
		want     State
		reason   error
	}{
		{"in time", -day, day, Secure, nil},
		{"just over", -day, -50 * time.Minute, Secure, nil},
		{"over", -day, -70*time.Minute - 3*time.Hour, Bogus, ErrExpired},
		{"over for less than a tenth", -30 * day, -20 * time.Hour, Secure, nil},
		{"over for more than a day", -300 * day, -25 * time.Hour, Bogus, ErrExpired},
		{"soon", 50 * time.Minute, day, Secure, nil},
		{"not yet", 25 * time.Hour, 300 * day, Bogus, ErrEarly},
		{"ends before it begins", day, -day, Bogus, ErrExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBook(t, "test", "a.test")
			answer := b.signedFor("a.test", noon.Add(c.from), noon.Add(c.to), record(t, address))
			b.want(b.verdict("www.a.test", answer, nil), c.want, c.reason)
		})
	}
}

// TestUntil holds that the verdict ends with the first signature of its chain.
func TestUntil(t *testing.T) {
	b := newBook(t, "test", "a.test")
	end := noon.Add(5 * time.Hour)
	got := b.verdict("www.a.test", b.signedFor("a.test", noon, end, record(t, address)), nil)
	if want := end.Add(leastSpare); !got.Until.Equal(want) || got.MaxTTL != 300 {
		t.Errorf("until %v, want %v; TTL at most %d", got.Until, want, got.MaxTTL)
	}
	ds := b.zones[rr.MustName("a.test")].key.ToDS(dns.SHA256)
	b.put(rr.MustName("a.test"), dns.TypeDS, b.signedFor("test", noon, noon.Add(2*time.Hour), ds)...)
	v := b.validator()
	msg := response(Question{rr.MustName("www.a.test"), dns.TypeA}, b.signedFor("a.test", noon, end, record(t, address)), nil)
	for range 2 { // found, and kept
		if got, want := b.ask(v, msg).Until, noon.Add(3*time.Hour); !got.Equal(want) {
			t.Errorf("until %v, want %v", got, want)
		}
	}
}

// TestCollisions holds that keys with one tag and many signatures are no work without end
// (CVE-2023-50387).
func TestCollisions(t *testing.T) {
	b := newBook(t, "test", "a.test")
	own := b.zones[rr.MustName("a.test")]
	all := []dns.RR{own.key}
	for i := range 60 {
		all = append(all, colliding(own.key, byte(i)))
	}
	b.put(rr.MustName("a.test"), dns.TypeDNSKEY, b.signed("a.test", all...)...)
	answer := []dns.RR{record(t, address)}
	for i := range 60 {
		sig := b.signed("a.test", record(t, address))[1].(*dns.RRSIG)
		sig.Expiration += uint32(i + 1)
		answer = append(answer, sig)
	}
	w := b.validator().work(t.Context())
	m, _ := parse(Question{rr.MustName("www.a.test"), dns.TypeA}, pack(t, response(Question{rr.MustName("www.a.test"), dns.TypeA}, answer, nil)))
	if f := w.response(Question{rr.MustName("www.a.test"), dns.TypeA}, m); f.state != Bogus {
		t.Errorf("got %v: %v", f.state, f.reason)
	}
	if w.verifies > maxVerifies || w.verifies > maxSignatures*maxCollisions+20 {
		t.Errorf("%d signatures verified", w.verifies)
	}
}

// colliding is another key with the same tag: the tag is a sum, so two octets are swapped
// with those of their kind.
func colliding(k *dns.DNSKEY, i byte) *dns.DNSKEY {
	c := dns.Copy(k).(*dns.DNSKEY)
	raw := []byte(mustDecode(k.PublicKey))
	a, z := 2*int(i%16), 62-2*int(i/16)
	raw[a], raw[z] = raw[z], raw[a]
	c.PublicKey = encode(raw)
	return c
}

func TestFetchFails(t *testing.T) {
	b := newBook(t, "test", "a.test")
	answer := b.signed("a.test", record(t, address))
	msg := response(Question{rr.MustName("www.a.test"), dns.TypeA}, answer, nil)
	v := b.validator()
	b.down = errors.New("no route")
	b.want(b.ask(v, msg), Indeterminate, ErrFetch)
	b.down = nil
	b.want(b.ask(v, msg), Secure, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.gate = make(chan struct{})
	v.Forget()
	if got, err := v.Validate(ctx, asked(msg), pack(t, msg)); got != Indeterminate || !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v, %v", got, err)
	}
}

// TestOnce holds that what many need at the same time is fetched once, and kept for its TTL.
func TestOnce(t *testing.T) {
	b := newBook(t, "test", "a.test")
	b.gate = make(chan struct{})
	v := b.validator()
	msg := response(Question{rr.MustName("www.a.test"), dns.TypeA}, b.signed("a.test", record(t, address)), nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { b.want(b.ask(v, msg), Secure, nil) })
	}
	close(b.gate)
	all.Wait()
	for _, name := range []string{".", "test", "a.test"} {
		if n := b.count(name, dns.TypeDNSKEY); n != 1 {
			t.Errorf("keys of %s fetched %d times", name, n)
		}
	}
	b.now = noon.Add(301 * time.Second)
	b.want(b.ask(v, msg), Secure, nil)
	if n := b.count("a.test", dns.TypeDNSKEY); n != 2 {
		t.Errorf("keys fetched %d times after their TTL", n)
	}
}

// TestGivesUp holds that who waits for another's fetch need not wait longer than it may, and
// takes over if the other gives up.
func TestGivesUp(t *testing.T) {
	b := newBook(t, "test", "a.test")
	b.gate = make(chan struct{})
	v := b.validator()
	msg := response(Question{rr.MustName("www.a.test"), dns.TypeA}, b.signed("a.test", record(t, address)), nil)
	packed := pack(t, msg)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var first, second State
	all.Go(func() { first, _ = v.Validate(ctx, asked(msg), packed) })
	for limit := time.Now().Add(5 * time.Second); b.count(".", dns.TypeDNSKEY) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("nothing is fetched")
		}
	}
	all.Go(func() { second, _ = v.Validate(t.Context(), asked(msg), packed) })
	cancel()
	close(b.gate)
	all.Wait()
	if second != Secure {
		t.Errorf("the first: %v, the second: %v", first, second)
	}
}

// TestBounded holds that what is kept is, whatever is asked for.
func TestBounded(t *testing.T) {
	b := newBook(t, "test")
	v := b.validator()
	for i := range maxLinks + 500 {
		n := rr.MustName(fmt.Sprintf("n%d.test", i))
		v.settle(n, first(v.claim(n, noon)), outcome{until: noon.Add(time.Hour)})
	}
	if n := len(v.links); n > maxLinks {
		t.Errorf("%d links kept", n)
	}
}

func first(l *link, _ bool) *link { return l }

// TestLongNames holds that a name of many labels is not looked into for ever.
func TestLongNames(t *testing.T) {
	b := newBook(t, "test")
	name := strings.Repeat("a.", 100) + "test"
	got := b.verdict(name, []dns.RR{record(t, dns.Fqdn(name)+" 300 IN A 192.0.2.1")}, nil)
	b.want(got, Bogus, ErrWork)
	n := 0
	for _, times := range b.asked {
		n += times
	}
	if n > maxFetches {
		t.Errorf("%d fetches", n)
	}
}

// TestHashes holds that hashing is bounded (CVE-2023-50868).
func TestHashes(t *testing.T) {
	b := newBook(t, "test")
	name := strings.Repeat("a.", 120) + "test"
	var ns []dns.RR
	for i := range 60 {
		n := record(t, fmt.Sprintf("%032d.test. 60 IN NSEC3 1 0 50 %02x%02x 00000000000000000000000000000000 A", i, i, i))
		ns = append(ns, b.signed("test", n)...)
	}
	w := b.validator().work(t.Context())
	q := Question{rr.MustName(name), dns.TypeA}
	m, _ := parse(q, pack(t, response(q, nil, ns)))
	if f := w.response(q, m); f.state != Bogus || !errors.Is(f.reason, ErrWork) {
		t.Errorf("got %v: %v", f.state, f.reason)
	}
	if w.hashes > maxHashes {
		t.Errorf("%d hashes", w.hashes)
	}
}

func TestAliases(t *testing.T) {
	b := newBook(t, "test", "a.test", "b.test")
	cname := func(from, to string) []dns.RR {
		return b.signed(from[len(from)-6:], record(t, from+". 300 IN CNAME "+to+"."))
	}
	answer := append(cname("x.a.test", "x.b.test"), b.signed("b.test", record(t, "x.b.test. 300 IN A 192.0.2.1"))...)
	b.want(b.verdict("x.a.test", answer, nil), Secure, nil)
	b.want(b.verdict("x.a.test", answer[:3], nil), Bogus, ErrUnsigned)
	b.want(b.verdict("x.a.test", answer[:2], nil), Bogus, ErrDenial)
	b.want(b.verdict("x.a.test", append(cname("x.a.test", "x.b.test"), cname("x.b.test", "x.a.test")...), nil), Bogus, ErrMessage)
	two := b.signed("a.test", record(t, "x.a.test. 300 IN CNAME x.b.test."), record(t, "x.a.test. 300 IN CNAME y.b.test."))
	b.want(b.verdict("x.a.test", two, nil), Bogus, ErrMessage)
	more := append(answer, b.signed("b.test", record(t, "y.b.test. 300 IN A 192.0.2.1"))...)
	b.want(b.verdict("x.a.test", more, nil), Bogus, ErrMessage)
}

// TestIterationsAbove holds that a zone whose denials have too many iterations does not
// spoil a zone below that is signed well.
func TestIterationsAbove(t *testing.T) {
	b := newBook(t, "test", "a.test")
	high := b.signed("test", record(t, "00000000000000000000000000000000.test. 60 IN NSEC3 1 0 51 - 10000000000000000000000000000000 A"))
	b.want(b.verdict("www.a.test", nil, high), Bogus, ErrDenial)
	wild := b.signed("test", record(t, "*.test. 300 IN A 192.0.2.1"))
	for _, r := range wild {
		r.Header().Name = "www.a.test."
	}
	b.want(b.verdict("www.a.test", wild, high), Bogus, nil)
	b.entries[Question{rr.MustName("b.test"), dns.TypeDS}] = response(Question{rr.MustName("b.test"), dns.TypeDS}, nil, high)
	b.want(b.verdict("b.test", nil, high), Insecure, nil)
}

// TestEmptyWildcard holds that a wildcard that is only above others denies all types, and one
// with the type does not, though unbound 1.17 takes it for such if it ends a denial.
func TestEmptyWildcard(t *testing.T) {
	b := newBook(t, "test", "a.test")
	nsec := func(text string) []dns.RR { return b.signed("a.test", record(t, text+" RRSIG NSEC")) }
	covers := nsec("a.*.w.a.test. 60 IN NSEC z.a.test. A")
	b.want(b.verdict("x.w.a.test", nil, append(covers, nsec("a.test. 60 IN NSEC a.*.w.a.test. NS SOA")...)), Secure, nil)
	b.want(b.verdict("x.w.a.test", nil, covers), Bogus, ErrDenial)
	full := append(nsec("*.w.a.test. 60 IN NSEC z.a.test. A"), nsec("a.test. 60 IN NSEC *.w.a.test. NS SOA")...)
	b.want(b.verdict("x.w.a.test", nil, full), Bogus, ErrDenial)
	other := append(nsec("*.w.a.test. 60 IN NSEC z.a.test. TXT"), nsec("a.test. 60 IN NSEC *.w.a.test. NS SOA")...)
	b.want(b.verdict("x.w.a.test", nil, other), Secure, nil)
}

func TestExempt(t *testing.T) {
	b := newBook(t, "test", "a.test")
	answer := []dns.RR{record(t, address)}
	b.want(b.verdict("www.a.test", answer, nil), Bogus, ErrUnsigned)
	v := New(Options{Anchors: b.validator().options.Anchors, Fetch: b.fetch, Now: func() time.Time { return noon }, Insecure: []rr.Name{rr.MustName("A.test")}})
	msg := response(Question{rr.MustName("www.a.test"), dns.TypeA}, answer, nil)
	b.want(b.ask(v, msg), Insecure, nil)
	msg = response(Question{rr.MustName("www.test"), dns.TypeA}, []dns.RR{record(t, "www.test. 300 IN CNAME www.a.test."), answer[0]}, nil)
	b.want(b.ask(v, msg), Bogus, ErrUnsigned)
}

// TestSenseless has responses that say nothing, or not what was asked.
func TestSenseless(t *testing.T) {
	b := newBook(t, "test", "a.test")
	v := b.validator()
	good := func() *dns.Msg {
		return response(Question{rr.MustName("www.a.test"), dns.TypeA}, b.signed("a.test", record(t, address)), nil)
	}
	for _, c := range []struct {
		name   string
		change func(m *dns.Msg)
		want   State
	}{
		{"as it is", func(*dns.Msg) {}, Secure},
		{"a query", func(m *dns.Msg) { m.Response = false }, Bogus},
		{"another question", func(m *dns.Msg) { m.Question[0].Name = "w.a.test." }, Bogus},
		{"another type", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }, Bogus},
		{"another class", func(m *dns.Msg) { m.Answer[0].Header().Class = dns.ClassCHAOS }, Bogus},
		{"truncated", func(m *dns.Msg) { m.Truncated = true }, Indeterminate},
		{"refused", func(m *dns.Msg) { m.Rcode = dns.RcodeRefused }, Indeterminate},
		{"does not exist", func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }, Bogus},
		{"a signature of nothing", func(m *dns.Msg) { m.Ns = b.signed("a.test", record(t, "a.test. 300 IN TXT x"))[1:] }, Bogus},
		{"another zone beside", func(m *dns.Msg) { m.Ns = b.signed("test", record(t, "test. 300 IN TXT x")) }, Bogus},
		{"servers without signatures", func(m *dns.Msg) { m.Ns = []dns.RR{record(t, "a.test. 300 IN NS ns.a.test.")} }, Secure},
		{"upper case", func(m *dns.Msg) { m.Question[0].Name = "WWW.a.TEST."; m.Answer[0].Header().Name = "wWw.A.test." }, Secure},
	} {
		m := good()
		c.change(m)
		if got := v.Judge(t.Context(), Question{rr.MustName("www.a.test"), dns.TypeA}, pack(t, m)); got.State != c.want {
			t.Errorf("%s: %v (%v), want %v", c.name, got.State, got.Reason, c.want)
		}
	}
	if got := v.Judge(t.Context(), Question{rr.MustName("www.a.test"), dns.TypeA}, []byte{1, 2, 3}); got.State != Bogus {
		t.Errorf("no message: %v", got.State)
	}
}

func TestEDE(t *testing.T) {
	for err, want := range map[error]uint16{ErrExpired: 7, ErrEarly: 8, ErrKeys: 9, ErrUnsigned: 10, ErrDenial: 12, ErrFetch: 5, ErrSignature: 6, ErrWork: 6} {
		if got := EDE(fmt.Errorf("x: %w", err)); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRootAnchors holds that those built in are those of the system's package of them.
func TestRootAnchors(t *testing.T) {
	text, err := os.ReadFile("/usr/share/dns/root.ds")
	if err != nil {
		t.Skip("dns-root-data is not installed: root anchors not compared")
	}
	theirs, err := ParseAnchors(text)
	if err != nil {
		t.Fatal(err)
	}
	ours := RootAnchors()
	for i, a := range ours {
		if i >= len(theirs) || a.ds.KeyTag != theirs[i].ds.KeyTag || !strings.EqualFold(a.ds.Digest, theirs[i].ds.Digest) {
			t.Errorf("%v is not in %v", a, theirs)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	book := newBook(b, "test", "a.test")
	v := book.validator()
	msg := pack(b, response(Question{rr.MustName("www.a.test"), dns.TypeA}, book.signed("a.test", record(b, address)), nil))
	for b.Loop() {
		if s, err := v.Validate(b.Context(), Question{rr.MustName("www.a.test"), dns.TypeA}, msg); s != Secure {
			b.Fatal(s, err)
		}
	}
}
