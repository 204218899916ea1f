package validate

import (
	"encoding/base32"
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// TestCompare has the example of RFC 4034 section 6.1.
func TestCompare(t *testing.T) {
	var want []rr.Name
	for _, n := range strings.Fields(`example a.example yljkjljk.a.example z.a.example zabc.a.example z.example \001.z.example *.z.example \200.z.example`) {
		want = append(want, rr.MustName(n))
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compare)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestHash has the example of RFC 5155 appendix A.
func TestHash(t *testing.T) {
	for name, want := range map[string]string{
		"example":       "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
		"ai.example":    "gjeqe526plbf1g8mklp59enfd789njgi",
		"*.w.example":   "r53bq7cc2uvmubfu5ocmm6pers9tk9en",
		"x.y.w.example": "2vptu5timamqttgl4luu9kg21e0aor3s",
	} {
		got := strings.ToLower(base32.HexEncoding.EncodeToString([]byte(hash(rr.MustName(name), "\xaa\xbb\xcc\xdd", 12))))
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestCommon(t *testing.T) {
	for _, c := range [][3]string{{"a.b.test", "c.b.test", "b.test"}, {"a.test", "a.test", "a.test"}, {"a.x", "a.y", "."}, {"xa.test", "a.test", "test"}} {
		if got := common(rr.MustName(c[0]), rr.MustName(c[1])); got != rr.MustName(c[2]) {
			t.Errorf("%s and %s: %v", c[0], c[1], got)
		}
	}
}

// TestSerial holds that the times of signatures go on after 2106.
func TestSerial(t *testing.T) {
	now := time.Unix(1<<32+1000, 0)
	sig := &dns.RRSIG{Inception: 1<<32 - 1000, Expiration: 100000}
	if err := inTime(sig, now); err != nil {
		t.Error(err)
	}
	if err := inTime(&dns.RRSIG{Inception: 1<<32 - 200000, Expiration: 1<<32 - 100000}, now); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
}

// followed is a file in which unbound follows a zone's keys: one that is new, one that is
// valid, one that is missing, and one that was removed.
const followed = `; autotrust trust anchor file
;;id: . 1
. 172800 IN DNSKEY 257 3 8 AwEAAa96 ;{id = 11112 (ksk), size = 2048b} ;;state=1 [ ADDPEND ] ;;count=3 ;;lastchange=1 ;;Thu Jan  1
. 172800 IN DNSKEY 257 3 8 AwEAAaz/ ;{id = 11113 (ksk), size = 2048b} ;;state=2 [  VALID  ] ;;count=0 ;;lastchange=1 ;;Thu Jan  1
. 172800 IN DNSKEY 257 3 8 AwEAAbz/ ;{id = 11114 (ksk), size = 2048b} ;;state=3 [ MISSING ] ;;count=0 ;;lastchange=1 ;;Thu Jan  1
. 172800 IN DNSKEY 257 3 8 AwEAAcz/ ;{id = 11115 (ksk), size = 2048b} ;;state=5 [ REMOVED ] ;;count=0 ;;lastchange=1 ;;Thu Jan  1
`

func TestParseAnchors(t *testing.T) {
	const key = "test. IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n"
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"the root's", rootAnchors, 2},
		{"with a TTL and a comment", "; of today\n. 172800 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D ; KSK-2017", 1},
		{"a key", key, 1},
		{"a revoked key", key + strings.Replace(key, "257", "385", 1), 1},
		{"only a revoked key", strings.Replace(key, "257", "385", 1), 0},
		{"keys that are followed", followed, 2},
		{"nothing", "", 0},
		{"another record", key + "test. IN A 192.0.2.1\n", 0},
		{"another class", strings.Replace(key, "IN", "CH", 1), 0},
		{"half a record", key[:20], 0},
		{"another file", "$INCLUDE /etc/passwd\n" + key, 0},
		{"too many", strings.Repeat(key, maxAnchors+1), 0},
	} {
		got, err := ParseAnchors([]byte(c.text))
		if len(got) != c.want || (err == nil) != (c.want > 0) || err != nil && !errors.Is(err, ErrAnchor) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

// TestSetAnchors: what the new anchors do not lead to is bogus from then on, though its
// keys were known.
func TestSetAnchors(t *testing.T) {
	b := newBook(t, "test", "a.test")
	msg := response(Question{rr.MustName("www.a.test"), dns.TypeA}, b.signed("a.test", record(t, address)), nil)
	v := b.validator()
	b.want(b.ask(v, msg), Secure, nil)
	v.SetAnchors([]Anchor{{ds: b.zones[rr.MustName("a.test")].key.ToDS(dns.SHA256)}})
	b.want(b.ask(v, msg), Bogus, ErrKeys)
	v.SetAnchors([]Anchor{{key: b.zones[rr.MustName(".")].key}})
	b.want(b.ask(v, msg), Secure, nil)
}

// TestAnchors holds that a key can be an anchor, and one below the root.
func TestAnchors(t *testing.T) {
	b := newBook(t, "test", "a.test")
	answer := b.signed("a.test", record(t, address))
	msg := response(Question{rr.MustName("www.a.test"), dns.TypeA}, answer, nil)
	for _, zone := range []string{".", "test", "a.test"} {
		anchors, err := ParseAnchors([]byte(b.zones[rr.MustName(zone)].key.String()))
		if err != nil {
			t.Fatal(err)
		}
		v := New(Options{Anchors: anchors, Fetch: b.fetch, Now: func() time.Time { return noon }})
		b.want(b.ask(v, msg), Secure, nil)
		other := response(Question{rr.MustName("www.test"), dns.TypeA}, []dns.RR{record(t, "www.test. 300 IN A 192.0.2.1")}, nil)
		want := Bogus
		if zone == "a.test" {
			want = Insecure
		}
		b.want(b.ask(v, other), want, nil)
	}
	b.zone(".", dns.ECDSAP256SHA256, dns.SHA256)
	wrong := New(Options{Anchors: []Anchor{{ds: b.zones[rr.MustName("a.test")].key.ToDS(dns.SHA256)}}, Fetch: b.fetch, Now: func() time.Time { return noon }})
	b.want(b.ask(wrong, msg), Bogus, ErrKeys)
}

func mustDecode(text string) string {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func FuzzParseAnchors(f *testing.F) {
	f.Add([]byte(rootAnchors))
	f.Add([]byte("$ORIGIN test.\n$TTL 5\n@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n"))
	f.Add([]byte("$GENERATE 1-1000000 n$ DS 1 8 2 00\n"))
	if text, err := os.ReadFile("/usr/share/dns/root.key"); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		anchors, err := ParseAnchors(text)
		if (err == nil) != (len(anchors) > 0) {
			t.Errorf("%d anchors, %v", len(anchors), err)
		}
		for _, a := range anchors {
			if again, err := ParseAnchors([]byte(a.String())); err != nil || len(again) != 1 || again[0].Zone != a.Zone {
				t.Errorf("%v reads back as %v, %v", a, again, err)
			}
		}
	})
}
