package packet

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func TestParseKeys(t *testing.T) {
	line := func(group string, n byte) string {
		return "group=" + group + " !key=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{n}, KeySize)) + "\n"
	}
	for _, c := range []struct{ name, in, want string }{ // want: the error, or ""
		{"one", line("lab", 1), ""},
		{"four, with comments", "# a\n" + line("lab", 4) + line("lab", 3) + "\n" + line("lab", 2) + line("lab", 1), ""},
		{"empty", "", "bad group key: no key"},
		{"comments only", "# a\n", "bad group key: no key"},
		{"five", line("lab", 1) + line("lab", 2) + line("lab", 3) + line("lab", 4) + line("lab", 5), "bad group key: line 5: more than 4 keys"},
		{"twice", line("lab", 1) + line("lab", 1), "bad group key: line 2: the same key twice"},
		{"two groups", line("lab", 1) + line("pub", 2), "bad group key: line 2: group=pub, and the first line has lab"},
		{"no name", line("", 1), `bad group key: line 1: group="" is not 1 to 63 of a-z, 0-9 and inner hyphens`},
		{"bad name", line("Lab", 1), `bad group key: line 1: group="Lab" is not 1 to 63 of a-z, 0-9 and inner hyphens`},
		{"long name", line(strings.Repeat("a", 64), 1), `is not 1 to 63 of a-z, 0-9 and inner hyphens`},
		{"no key", "group=lab", "bad group key: line 1: !key= is not base64 of 32 octets"},
		{"short key", "group=lab !key=AQEB", "bad group key: line 1: !key= is not base64 of 32 octets"},
		{"no base64", "group=lab !key=????", "bad group key: line 1: !key= is not base64 of 32 octets"},
		{"another word", "group=lab secret=x", `bad group key: line 1: unknown word "secret"`},
		{"word twice", "group=lab group=lab !key=x", "bad group key: line 1: group= stands twice"},
		{"control characters", "group=\x00", "bad group key: line 1: "},
		{"too large", strings.Repeat("#\n", maxKeysText), "bad group key: more than 65536 octets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := ParseKeys([]byte(c.in))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %s", err, c.want)
			case c.want != "":
				wantErr(t, err, ErrKeys)
			default:
				again, err := ParseKeys(k.Text())
				if err != nil || !bytes.Equal(again.Text(), k.Text()) {
					t.Errorf("not read back: %v", err)
				}
			}
		})
	}
}

func TestNewKey(t *testing.T) {
	text, err := NewKey("lab", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	if k.Name() != "lab" || k.Len() != 1 {
		t.Errorf("%v", k)
	}
	for _, name := range []string{"", "-a", "a-", "a b", "ä", strings.Repeat("a", 64)} {
		_, err := NewKey(name, rand.Reader)
		wantErr(t, err, ErrKeys)
	}
	if _, err := NewKey("lab", bytes.NewReader(nil)); err == nil {
		t.Error("a key without randomness")
	}
}

// TestNextKeepsFour: the newest is in front, the oldest is left out, and what any of them
// sealed opens.
func TestNextKeepsFour(t *testing.T) {
	old, now := testKeys(t, 1, 2, 3, 4), testKeys(t, 1, 2, 3, 4, 5)
	if now.Len() != MaxKeys || now.keys[0].secret[0] != 5 || now.keys[3].secret[0] != 2 {
		t.Fatalf("%d keys, %d to %d", now.Len(), now.keys[0].secret[0], now.keys[3].secret[0])
	}
	m := messages()["ask"]
	for m.Key = range old.Len() {
		out, err := old.Seal(m, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := now.Open(out[0])
		switch {
		case m.Key == 3:
			wantErr(t, err, ErrForeign)
		case err != nil:
			t.Error(err)
		case got.Key != m.Key+1:
			t.Errorf("opened by key %d, sealed by %d", got.Key, m.Key)
		}
	}
}

// TestKeysMadeFrom pins what is made from a key: all of a group must agree on it.
func TestKeysMadeFrom(t *testing.T) {
	k := testKeys(t, 1)
	if got, want := k.String(), "group=lab keys=1 v6=ff12::c94f:9979 v4=239.255.198.28"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	sum := k.Mac("owner", []byte("a"))
	if got, want := hexOf(sum[:8]), "2ed3fafed2fecb99"; got != want {
		t.Errorf("mac %s, want %s", got, want)
	}
}

func TestGroupAddresses(t *testing.T) {
	range6 := netip.MustParsePrefix("ff12::8000:0/97")
	range4 := netip.MustParsePrefix("239.255.0.0/16")
	reserved := netip.MustParsePrefix("239.255.255.0/24")
	seen := map[netip.Addr]bool{}
	for n := range 100 {
		k := testKeys(t, byte(n))
		v6, v4 := k.Group()
		if !range6.Contains(v6) || !range4.Contains(v4) || reserved.Contains(v4) || seen[v6] {
			t.Errorf("group addresses %v and %v", v6, v4)
		}
		seen[v6] = true
	}
	k := testKeys(t, 1, 2)
	first6, first4 := k.Group()
	second6, second4 := k.GroupOf(1)
	if got, want := fmt.Sprint(k.Groups()), fmt.Sprint([]netip.Addr{first6, first4, second6, second4}); got != want {
		t.Errorf("groups %s, want %s", got, want)
	}
}

func TestMac(t *testing.T) {
	k, other := testKeys(t, 1), testKeys(t, 2)
	sums := map[[32]byte]string{}
	for _, c := range []struct {
		name string
		sum  [32]byte
	}{
		{"ab", k.Mac("owner", []byte("ab"))},
		{"a, b", k.Mac("owner", []byte("a"), []byte("b"))},
		{"ab, nothing", k.Mac("owner", []byte("ab"), nil)},
		{"nothing, ab", k.Mac("owner", nil, []byte("ab"))},
		{"another domain", k.Mac("owne", []byte("rab"))},
		{"another key", other.Mac("owner", []byte("ab"))},
	} {
		if old, ok := sums[c.sum]; ok {
			t.Errorf("%s and %s have the same hash", c.name, old)
		}
		sums[c.sum] = c.name
	}
	first, again := k.Mac("owner", []byte("ab")), k.Mac("owner", []byte("ab"))
	if first != again {
		t.Error("not the same twice")
	}
}

func TestKeysPrintNoSecret(t *testing.T) {
	k := testKeys(t, 'K')
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'K'}, 30))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		got := fmt.Sprintf(verb, k)
		if strings.Contains(got, secret) || strings.Contains(got, "KKKK") || strings.Contains(got, "75, 75") || strings.Contains(got, "4b4b") {
			t.Errorf("%s prints the secret: %s", verb, got)
		}
	}
	if !bytes.Contains(k.Text(), []byte(secret)) {
		t.Error("the text lacks the secret, and this test tests nothing")
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("group=lab !key=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"))
	f.Add([]byte("group=lab !key=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\ngroup=lab !key=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"))
	f.Add([]byte("# nothing\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		k, err := ParseKeys(in)
		if err != nil {
			return
		}
		again, err := ParseKeys(k.Text())
		if err != nil || !bytes.Equal(again.Text(), k.Text()) {
			t.Errorf("%q is not read back: %v", in, err)
		}
	})
}
