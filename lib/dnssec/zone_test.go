package dnssec

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/rr"
)

func testKey(t testing.TB, s Secret, zone string) *Key {
	t.Helper()
	k, err := s.epochs[0].Key(rr.MustName(zone))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// testSigner signs at a time that the caller may change.
func testSigner(s Secret, o Options) (*Signer, *time.Time) {
	now := day.Add(time.Hour)
	o.Now = func() time.Time { return now }
	return NewSigner(s, o), &now
}

func testZone(t testing.TB, s *Signer, name string) *Zone {
	t.Helper()
	z, err := s.Zone(rr.MustName(name))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// set reads an RRset from lines "owner ttl type data".
func set(t testing.TB, lines ...string) rr.Set {
	t.Helper()
	var s rr.Set
	for _, line := range lines {
		f := strings.SplitN(line, " ", 4)
		var err error
		if s.Type, err = rr.ParseType(f[2]); err != nil {
			t.Fatal(err)
		}
		d, err := rr.ParseData(s.Type, f[3])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(f[1], &s.TTL); err != nil {
			t.Fatal(err)
		}
		s.Owner, s.Data = rr.MustName(f[0]), append(s.Data, d)
	}
	return s
}

// verify checks the signatures of a set with another implementation.
func verify(t testing.TB, z *Zone, s, signed rr.Set, at time.Time) {
	t.Helper()
	sigs, err := signed.Records(signed.Owner.FQDN())
	if err != nil {
		t.Fatal(err)
	}
	records, err := s.Records(s.Owner.FQDN())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := z.DNSKEY().Records(z.name.FQDN())
	if err != nil {
		t.Fatal(err)
	}
	if len(sigs) == 0 {
		t.Fatalf("%s %s: no signature", s.Owner, s.Type)
	}
	for _, r := range sigs {
		sig, found := r.(*dns.RRSIG), false
		if !sig.ValidityPeriod(at) {
			t.Errorf("%v is not valid at %s", sig, at)
		}
		for _, k := range keys {
			key := k.(*dns.DNSKEY)
			if key.KeyTag() == sig.KeyTag {
				found = true
				if err := sig.Verify(key, records); err != nil {
					t.Errorf("verify %v\nof %v: %v", sig, records, err)
				}
			}
		}
		if !found {
			t.Errorf("no key for %v", sig)
		}
	}
}

// The vector of the package comment: another implementation must come to the
// same key.
func TestKeyVector(t *testing.T) {
	k := testKey(t, testSecret(t, 0), "Example.COM")
	got := fmt.Sprintf("%s\n%s", k.DNSKEY().Text(TypeDNSKEY), k.DS().Text(rr.TypeDS))
	want := vector
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r, err := rr.Set{Type: TypeDNSKEY, Data: []rr.Data{k.DNSKEY()}}.Records("example.com.")
	if err != nil {
		t.Fatal(err)
	}
	key := r[0].(*dns.DNSKEY)
	if key.KeyTag() != k.Tag {
		t.Errorf("key tag %d, the library says %d", k.Tag, key.KeyTag())
	}
	ds, err := rr.Set{Type: rr.TypeDS, Data: []rr.Data{k.DS()}}.Records("example.com.")
	if err != nil || !dns.IsDuplicate(ds[0], key.ToDS(dns.SHA256)) {
		t.Errorf("DS %v, the library makes %v, %v", ds, key.ToDS(dns.SHA256), err)
	}
	other := testKey(t, testSecret(t, 0), "example.net")
	if other.DNSKEY() == k.DNSKEY() {
		t.Error("two zones have one key")
	}
}

func TestScalar(t *testing.T) {
	n := elliptic.P256().Params().N
	top := new(big.Int).Sub(n, big.NewInt(1))
	for _, c := range []struct {
		name       string
		seed, want *big.Int
	}{
		{"zero", big.NewInt(0), big.NewInt(1)},
		{"n-2", new(big.Int).Sub(n, big.NewInt(2)), top},
		{"n-1", top, big.NewInt(1)},
		{"n", n, big.NewInt(2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := scalar(c.seed.FillBytes(make([]byte, 48)))
			if new(big.Int).SetBytes(got).Cmp(c.want) != 0 {
				t.Errorf("got %x, want %x", got, c.want)
			}
		})
	}
}

// TestRFC6979 has the vector of RFC 6979 appendix A.2.5 for "sample", to hold
// that signing without randomness is what that document says.
func TestRFC6979(t *testing.T) {
	a := testKey(t, testSecret(t, 0), "example.com")
	first, err := a.sign([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := a.sign([32]byte{1}); again != first {
			t.Fatal("two signatures of the same octets differ")
		}
	}
	x, _ := hex.DecodeString("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
	if a.private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), x); err != nil {
		t.Fatal(err)
	}
	sum, _ := hex.DecodeString("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf")
	got, err := a.sign([32]byte(sum))
	if err != nil {
		t.Fatal(err)
	}
	want := "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
		"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

// vector is what the key of epoch 1 of testSecret is for example.com.
const vector = "257 3 13 Fo6Nqm22zRR7MRXbW9P3UKK4ZQDQ0VNGAq4p/ytAIW6IsMenkzRHMQX475WOTnnNOweQozAb7dJBXH0T9htLXw==\n" +
	"32347 13 2 DBE33AFA038174D9C0E99EAA152BF2F4C583CEB205391B429FA0995FB4FCA476"

var sets = [][]string{
	{"www.example.com 300 A 192.0.2.1"},
	{"www.Example.COM 300 A 192.0.2.9", "www.Example.COM 300 A 192.0.2.1", "www.Example.COM 300 A 192.0.2.10"},
	{"*.example.com 300 A 192.0.2.1"},
	{"*.*.example.com 300 A 192.0.2.1"},
	{`\000.a\.b.example.com 0 TXT "Mixed Case" "" "x"`},
	{"example.com 3600 NS NS1.Example.Net", "example.com 3600 NS ns0.example.net"},
	{"example.com 3600 SOA NS1.Example.Net HostMaster.Example.Net 1 2 3 4 5"},
	{"a.example.com 300 MX 10 Mail.Example.COM", "a.example.com 300 MX 2 Mail.Example.COM"},
	{"a.example.com 300 SRV 1 2 3 Host.Example.COM"},
	{`a.example.com 300 NAPTR 100 50 "S" "SIP+D2U" "!^.*$!SIP:A@B!" _SIP._UDP.Example.COM`},
	{`a.example.com 300 NAPTR 100 50 "" "" "" .`},
	{"a.example.com 300 RP A.Example.COM B.Example.COM"},
	{"a.example.com 300 AFSDB 1 A.Example.COM"},
	{"a.example.com 300 KX 1 A.Example.COM"},
	{"a.example.com 300 PX 1 A.Example.COM B.Example.COM"},
	{"a.example.com 300 RT 1 A.Example.COM"},
	{"a.example.com 300 MINFO A.Example.COM B.Example.COM"},
	{"a.example.com 300 CNAME A.Example.COM"},
	{"a.example.com 300 DNAME A.Example.COM"},
	{"a.example.com 300 PTR A.Example.COM"},
	{"a.example.com 300 HTTPS 1 A.Example.COM alpn=h2 ipv4hint=192.0.2.1"},
	{"a.example.com 300 SVCB 1 A.Example.COM"},
	{"a.example.com 300 CAA 0 issue CA.Example"},
	{"a.example.com 300 LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"},
	{`a.example.com 300 TYPE65280 \# 3 414243`},
	{`a.example.com 300 HINFO "PC" "Unix"`},
	{"sub.example.com 300 DS 1 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"},
}

func TestSign(t *testing.T) {
	signer, now := testSigner(testSecret(t, 0), Options{})
	z := testZone(t, signer, "example.com")
	for _, lines := range sets {
		t.Run(strings.Join(lines, ","), func(t *testing.T) {
			s := set(t, lines...)
			sigs, err := z.Sign(s, Want{Class: Held})
			if err != nil {
				t.Fatal(err)
			}
			verify(t, z, s, sigs, *now)
		})
	}
	twice := set(t, sets[0][0], sets[0][0])
	sigs, _ := z.Sign(twice, Want{Class: Held})
	verify(t, z, set(t, sets[0][0]), sigs, *now)
}

// TestNodesAgree holds that what is signed depends on nothing but the secret
// and the time.
func TestNodesAgree(t *testing.T) {
	s := set(t, sets[1]...)
	var texts []string
	for range 2 {
		signer, _ := testSigner(testSecret(t, 0), Options{})
		sigs, err := testZone(t, signer, "example.com").Sign(s, Want{Class: Held})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprint(sigs))
	}
	if texts[0] != texts[1] {
		t.Errorf("nodes differ:\n%s\n%s", texts[0], texts[1])
	}
}

func TestWindow(t *testing.T) {
	starts := map[int64]bool{}
	for i := range 200 {
		owner := rr.MustName(fmt.Sprintf("n%d.example.com", i))
		changes := 0
		var before int64
		for at := day; at.Before(day.Add(48 * time.Hour)); at = at.Add(10 * time.Minute) {
			from, to := window(owner, at)
			if since := at.Unix() - from; since < int64(Back/time.Second) || since >= int64((Back+Step)/time.Second) {
				t.Fatalf("%s at %s: inception %d s ago", owner, at, since)
			}
			if left := to - at.Unix(); left <= int64(Ahead/time.Second) || left > int64((Ahead+Step)/time.Second) {
				t.Fatalf("%s at %s: expires in %d s", owner, at, left)
			}
			if from != before && before != 0 {
				changes++
				starts[from%86400/3600] = true
			}
			before = from
		}
		if changes != 2 {
			t.Errorf("%s: %d new windows in two days", owner, changes)
		}
	}
	if len(starts) != 24 {
		t.Errorf("windows begin in %d of 24 hours", len(starts))
	}
}
