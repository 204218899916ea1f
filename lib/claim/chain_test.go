package claim

import (
	"crypto"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/rr"
)

var (
	testTime = time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC)
	apex     = rr.MustName("example.test")
)

// makeKey generates a key of the zone example.test.
func makeKey() (crypto.Signer, *dns.DNSKEY) {
	k := &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: "example.test.", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 60},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	secret, err := k.Generate(256)
	if err != nil {
		panic(err)
	}
	return secret.(crypto.Signer), k
}

// signingKey gives the one key that most tests sign with.
var signingKey = sync.OnceValues(makeKey)

// sign gives the signature of the set for a month around testTime.
func sign(t testing.TB, change func(*dns.RRSIG), set ...dns.RR) *dns.RRSIG {
	t.Helper()
	secret, k := signingKey()
	sig := &dns.RRSIG{
		Hdr:       dns.RR_Header{Ttl: 60},
		Inception: uint32(testTime.AddDate(0, 0, -15).Unix()), Expiration: uint32(testTime.AddDate(0, 0, 15).Unix()),
		KeyTag: k.KeyTag(), SignerName: k.Hdr.Name, Algorithm: k.Algorithm,
	}
	if change != nil {
		change(sig)
	}
	if err := sig.Sign(secret, set); err != nil {
		t.Fatal(err)
	}
	return sig
}

func record(t testing.TB, line string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(line)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerify(t *testing.T) {
	good := "validate-x.example.test. 60 CNAME base.example."
	for _, c := range []struct {
		name    string
		signed  string // what the signature was made over
		served  string
		change  func(*dns.RRSIG) // before signing
		after   func(*dns.RRSIG)
		zone    string
		refusal string
	}{
		{name: "good", signed: good, served: good},
		{name: "other letter case", signed: good, served: "VALIDATE-X.example.TEST. 60 CNAME BASE.example."},
		{name: "lower TTL", signed: good, served: "validate-x.example.test. 9 CNAME base.example."},
		{name: "other target", signed: good, served: "validate-x.example.test. 60 CNAME evil.example.", refusal: "wrong signature"},
		{name: "wildcard", signed: "*.example.test. 60 CNAME base.example.", served: good,
			after: func(s *dns.RRSIG) { s.Hdr.Name = "validate-x.example.test." }, refusal: "wildcard"},
		{name: "too old", signed: good, served: good, refusal: "too old",
			change: func(s *dns.RRSIG) { s.Expiration = uint32(testTime.Unix() - 1) }},
		{name: "too new", signed: good, served: good, refusal: "too new",
			change: func(s *dns.RRSIG) { s.Inception = uint32(testTime.Unix() + 1) }},
		{name: "life changed", signed: good, served: good, refusal: "wrong signature",
			after: func(s *dns.RRSIG) { s.Expiration++ }},
		{name: "no signature", served: good, refusal: "not signed"},
		{name: "zone above", signed: good, served: good, zone: "test", refusal: "not signed by test"},
		{name: "another set's signature", signed: "validate-x.example.test. 60 TXT base.example.", served: good, refusal: "not signed"},
		{name: "another name's signature", signed: "x.example.test. 60 CNAME base.example.", served: good, refusal: "not signed"},
		{name: "empty signature", signed: good, served: good, refusal: "wrong signature",
			after: func(s *dns.RRSIG) { s.Signature = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			section := []dns.RR{record(t, c.served)}
			if c.signed != "" {
				sig := sign(t, c.change, record(t, c.signed))
				if c.after != nil {
					c.after(sig)
				}
				section = append(section, sig)
			}
			_, k := signingKey()
			trusted := chain{zone: apex, keys: []*dns.DNSKEY{k}}
			if c.zone != "" {
				trusted.zone = rr.MustName(c.zone)
			}
			set, sigs := rrset(section, proof, dns.TypeCNAME)
			err := trusted.verify(set, sigs, testTime)
			if c.refusal == "" && err != nil {
				t.Error(err)
			}
			if c.refusal != "" && (!errors.Is(err, ErrBogus) || !strings.Contains(err.Error(), c.refusal)) {
				t.Errorf("want ErrBogus with %q, got %v", c.refusal, err)
			}
		})
	}
}

// TestVerifyIsBounded has many keys of one tag and many signatures.
func TestVerifyIsBounded(t *testing.T) {
	set := []dns.RR{record(t, "validate-x.example.test. 60 CNAME base.example.")}
	_, k := signingKey()
	bad := sign(t, nil, set...)
	bad.Signature = strings.Repeat("A", len(bad.Signature))
	c := chain{zone: apex}
	var sigs []*dns.RRSIG
	for range maxKeys {
		c.keys, sigs = append(c.keys, k), append(sigs, bad)
	}
	start := time.Now()
	if c.verify(set, sigs, testTime) == nil {
		t.Error("validated")
	}
	t.Logf("%d keys, %d signatures: %v", len(c.keys), len(sigs), time.Since(start))
	section := append([]dns.RR{}, set...)
	for range 100 {
		section = append(section, bad)
	}
	if _, sigs := rrset(section, proof, dns.TypeCNAME); len(sigs) != maxSigs {
		t.Errorf("%d signatures are looked at", len(sigs))
	}
	var many []dns.RR
	for range maxKeys + 1 {
		many = append(many, k)
	}
	if got := keysOf(many); got != nil {
		t.Errorf("%d keys are looked at", len(got))
	}
}

func TestUsable(t *testing.T) {
	for _, c := range []struct {
		name, want string
		lines      []string
	}{
		{"strong over weak", "2", []string{"example.test. 60 DS 1 13 1 aa", "example.test. 60 DS 2 13 2 bb"}},
		{"weak alone", "1", []string{"example.test. 60 DS 1 8 1 aa"}},
		{"unknown algorithm", "", []string{"example.test. 60 DS 1 253 2 aa"}},
		{"unknown digest", "", []string{"example.test. 60 DS 1 13 200 aa"}},
		{"SHA-384 and SHA-256", "12", []string{"example.test. 60 DS 1 13 4 aa", "example.test. 60 DS 2 15 2 bb"}},
		{"RSAMD5 and an ED25519", "2", []string{"example.test. 60 DS 1 1 2 aa", "example.test. 60 DS 2 15 2 bb"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var set []dns.RR
			for _, line := range c.lines {
				set = append(set, record(t, line))
			}
			got := ""
			for _, ds := range usable(set) {
				got += string(rune('0' + ds.KeyTag))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMatching(t *testing.T) {
	_, k := signingKey()
	_, other := makeKey()
	if got := matching([]*dns.DNSKEY{other, k}, []*dns.DS{k.ToDS(dns.SHA256)}); len(got) != 1 || got[0] != k {
		t.Errorf("want the one key, got %v", got)
	}
	forged := k.ToDS(dns.SHA256)
	forged.Digest = other.ToDS(dns.SHA256).Digest
	if got := matching([]*dns.DNSKEY{other, k}, []*dns.DS{forged}); got != nil {
		t.Errorf("want none, got %v", got)
	}
	revoked := *k
	revoked.Flags |= dns.REVOKE
	host := *k
	host.Flags = 0
	if got := keysOf([]dns.RR{&revoked, &host}); got != nil {
		t.Errorf("want no zone keys, got %v", got)
	}
}

// hash is the label of a name's NSEC3 record.
func hash(name string, iterations uint16) string {
	return strings.ToLower(dns.HashName(name, dns.SHA1, iterations, "aa"))
}

// around gives an interval that covers only hashes close to the name's.
func around(name string, iterations uint16) (before, after string) {
	h := []byte(hash(name, iterations))
	before, after = string(h[:31])+"0", string(h[:31])+"v"
	if h[31] == '0' || h[31] == 'v' {
		h[30]--
		before = string(h)
		h[30] += 2
		after = string(h)
	}
	return before, after
}

func TestUnsigned(t *testing.T) {
	const cut = "child.example.test."
	before, after := around(cut, 1)
	_, near := around("example.test.", 1)
	n3 := func(owner, flags, iterations, next, types string) string {
		return owner + ".example.test. 60 NSEC3 1 " + flags + " " + iterations + " aa " + next + " " + types
	}
	for _, c := range []struct {
		name  string
		lines []string
		bare  bool // without signatures
		want  bool
	}{
		{name: "NSEC of a delegation", lines: []string{cut + " 60 NSEC d.example.test. NS RRSIG NSEC"}, want: true},
		{name: "not signed", lines: []string{cut + " 60 NSEC d.example.test. NS RRSIG NSEC"}, bare: true},
		{name: "NSEC with DS", lines: []string{cut + " 60 NSEC d.example.test. NS DS RRSIG NSEC"}},
		{name: "NSEC from the child", lines: []string{cut + " 60 NSEC d.example.test. NS SOA RRSIG NSEC"}},
		{name: "NSEC of a host", lines: []string{cut + " 60 NSEC d.example.test. A RRSIG NSEC"}},
		{name: "NSEC that covers it", lines: []string{"a.example.test. 60 NSEC z.example.test. NS RRSIG NSEC"}},
		{name: "NSEC3 of a delegation", lines: []string{n3(hash(cut, 1), "0", "1", after, "NS")}, want: true},
		{name: "NSEC3 of a delegation, not signed", lines: []string{n3(hash(cut, 1), "0", "1", after, "NS")}, bare: true},
		{name: "NSEC3 with DS", lines: []string{n3(hash(cut, 1), "0", "1", after, "NS DS RRSIG")}},
		{name: "NSEC3 of a host", lines: []string{n3(hash(cut, 1), "1", "1", after, "A RRSIG")}},
		{name: "opt-out", lines: []string{n3(hash("example.test.", 1), "1", "1", near, "NS SOA"), n3(before, "1", "1", after, "A")}, want: true},
		{name: "opt-out without the flag", lines: []string{n3(hash("example.test.", 1), "1", "1", near, "NS SOA"), n3(before, "0", "1", after, "A")}},
		{name: "opt-out without the encloser", lines: []string{n3(before, "1", "1", after, "A")}},
		{name: "opt-out that covers another name", lines: []string{n3(hash("example.test.", 1), "1", "1", near, "NS SOA"), n3(after, "1", "1", before[:31]+"1", "A")}},
		{name: "encloser is a DNAME", lines: []string{n3(hash("example.test.", 1), "1", "1", near, "SOA DNAME"), n3(before, "1", "1", after, "A")}},
		{name: "too many iterations", lines: []string{n3(hash(cut, 101), "0", "101", after, "NS")}},
		{name: "NSEC3 of another zone", lines: []string{strings.Replace(n3(hash(cut, 1), "0", "1", after, "NS"), ".example", ".sub.example", 1)}},
		{name: "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ns []dns.RR
			for _, line := range c.lines {
				r := record(t, line)
				ns = append(ns, r)
				if !c.bare {
					ns = append(ns, sign(t, nil, r))
				}
			}
			_, k := signingKey()
			got := chain{zone: apex, keys: []*dns.DNSKEY{k}}.unsigned(ns, rr.MustName(cut), testTime)
			if got != c.want {
				t.Errorf("want %v, got %v for\n%v", c.want, got, ns)
			}
		})
	}
}

func TestNames(t *testing.T) {
	var got []string
	for _, n := range names(rr.MustName("test"), rr.MustName("a.b.test")) {
		got = append(got, n.String())
	}
	if diff := cmp.Diff([]string{"b.test", "a.b.test"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := names(rr.MustName("a.test"), rr.MustName("a.test")); got != nil {
		t.Errorf("want none, got %v", got)
	}
}
