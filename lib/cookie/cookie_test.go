package cookie

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func secrets(t testing.TB, lines ...string) Secrets {
	t.Helper()
	s, err := ReadSecrets(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSipHash has the first vectors of the paper's reference code: the key 00
// to 0f, the message the octets 00, 01, ... of the length.
func TestSipHash(t *testing.T) {
	var key [16]byte
	var msg [64]byte
	for i := range msg {
		msg[i] = byte(i)
	}
	copy(key[:], msg[:])
	for n, want := range map[int]string{
		0: "310e0edd47db6f72", 1: "fd67dc93c539f874", 2: "5a4fa9d909806c0d", 3: "2d7efbd796666785",
		7: "37d1018bf50002ab", 8: "6224939a79f5f593", 15: "e545be4961ca29a1", 63: "724506eb4c328a95",
	} {
		if got := sipHash(&key, msg[:n]); hex.EncodeToString(got[:]) != want {
			t.Errorf("length %d: %x, want %s", n, got, want)
		}
	}
}

// The secrets of RFC 9018 appendix A.
const (
	first  = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	before = "dd3bdf9344b678b185a6f5cb60fca715"
	after  = "445536bcd2513298075a5d379663c962"
)

// TestVectors has the exchanges of RFC 9018 appendix A.
func TestVectors(t *testing.T) {
	for _, c := range []struct {
		name, from, query string
		secrets           []string
		now               int64
		status            Status
		reply             string
	}{
		{"A.1 a new cookie", "198.51.100.100", "2464c4abcf10c957", []string{first}, 1559731985, New,
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2 the same client 40 minutes later", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", []string{first}, 1559734385, Good,
			"2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"A.3 reserved octets are set, when it is made", "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", []string{first}, 1559727985, Good,
			"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"},
		{"A.3 at the time of the reply it is too old", "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", []string{first}, 1559734700, Bad,
			"fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
		{"A.4 an IPv6 client, a changed secret", "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", []string{after, before}, 1559741961, Good,
			"22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"A.4 without the old secret", "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", []string{after}, 1559741961, Bad,
			"22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"IPv4 in IPv6 is IPv4", "::ffff:198.51.100.100", "2464c4abcf10c957", []string{first}, 1559731985, New,
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reply, status := secrets(t, c.secrets...).Check(unhex(t, c.query), netip.MustParseAddr(c.from), time.Unix(c.now, 0))
			if status != c.status || hex.EncodeToString(reply[:]) != c.reply {
				t.Errorf("%s %x, want %s %s", status, reply, c.status, c.reply)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	s, from, now := secrets(t, first), netip.MustParseAddr("192.0.2.1"), time.Unix(1<<32-100, 0) // the clock goes round
	good := s.Make([8]byte{1, 2, 3, 4, 5, 6, 7, 8}, from, now)
	change := func(i int) []byte {
		b := bytes.Clone(good[:])
		b[i] ^= 1
		return b
	}
	for _, c := range []struct {
		name   string
		option []byte
		from   string
		after  time.Duration
		want   Status
		same   bool // the reply is the query's
	}{
		{"empty", nil, "192.0.2.1", 0, Malformed, false},
		{"client cookie cut off", good[:7], "192.0.2.1", 0, Malformed, false},
		{"server cookie of 7 octets", good[:15], "192.0.2.1", 0, Malformed, false},
		{"server cookie of 8 octets", good[:16], "192.0.2.1", 0, Bad, false},
		{"server cookie of 32 octets", append(good[:], make([]byte, 16)...), "192.0.2.1", 0, Bad, false},
		{"server cookie of 33 octets", append(good[:], make([]byte, 17)...), "192.0.2.1", 0, Malformed, false},
		{"client cookie alone", good[:8], "192.0.2.1", 0, New, false},
		{"fresh", good[:], "192.0.2.1", 0, Good, true},
		{"29 minutes old", good[:], "192.0.2.1", 29 * time.Minute, Good, true},
		{"31 minutes old", good[:], "192.0.2.1", 31 * time.Minute, Good, false},
		{"an hour old", good[:], "192.0.2.1", time.Hour, Good, false},
		{"older", good[:], "192.0.2.1", time.Hour + time.Second, Bad, false},
		{"of a clock that is ahead", good[:], "192.0.2.1", -5 * time.Minute, Good, true},
		{"of the future", good[:], "192.0.2.1", -5*time.Minute - time.Second, Bad, false},
		{"another address", good[:], "192.0.2.2", 0, Bad, false},
		{"another client cookie", change(0), "192.0.2.1", 0, Bad, false},
		{"another version", change(8), "192.0.2.1", 0, Bad, false},
		{"other reserved octets", change(9), "192.0.2.1", 0, Bad, false},
		{"another time", change(15), "192.0.2.1", 0, Bad, false},
		{"another hash", change(23), "192.0.2.1", 0, Bad, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			reply, got := s.Check(c.option, netip.MustParseAddr(c.from), now.Add(c.after))
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if got != Malformed && (bytes.Equal(reply[:], c.option) != c.same || !bytes.Equal(reply[:8], c.option[:8])) {
				t.Errorf("reply %x to %x", reply, c.option)
			}
		})
	}
}

// TestRollover takes a cookie through the change of a secret (RFC 9018 section 5).
func TestRollover(t *testing.T) {
	from, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1e9, 0)
	c := secrets(t, before).Make([8]byte{}, from, now)
	for i, s := range []Secrets{secrets(t, before, after), secrets(t, after, before), secrets(t, after)} {
		next, status := s.Check(c[:], from, now)
		if status != Good || (next == c) != (i != 1) {
			t.Errorf("step %d: %s", i, status)
		}
		c = next
	}
}

func TestReadSecrets(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"one", first, nil},
		{"two, a comment, upper case", "# nodes\n\n" + strings.ToUpper(first) + "\n " + after + " \n", nil},
		{"none", "# nothing\n", ErrNumber},
		{"three", first + "\n" + before + "\n" + after, ErrNumber},
		{"short", first[2:], ErrSecret},
		{"long", first + "00", ErrSecret},
		{"not hexadecimal", "z" + first[1:], ErrSecret},
		{"half an octet", first[1:], ErrSecret},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadSecrets(strings.NewReader(c.text))
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), first[:8]) {
				t.Errorf("the error tells the secret: %v", err)
			}
			if active := s.list; err == nil && hex.EncodeToString(active[0][:]) != first {
				t.Errorf("active: %x", active[0])
			}
		})
	}
}

// FuzzCheck gives any option: only what Make made for the client is good.
func FuzzCheck(f *testing.F) {
	s, from, now := secrets(f, first), netip.MustParseAddr("2001:db8::1"), time.Unix(1559731985, 0)
	good := s.Make([8]byte{}, from, now)
	for _, b := range [][]byte{nil, good[:8], good[:16], good[:], append(good[:], 0)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		reply, status := s.Check(b, from, now)
		if status == Malformed {
			if len(b) == 8 || len(b) >= 16 && len(b) <= 40 {
				t.Fatalf("malformed: %x", b)
			}
			return
		}
		if _, again := s.Check(reply[:], from, now); again != Good {
			t.Fatalf("%x for %x is %s", reply, b, again)
		}
		if status == Good {
			made := time.Unix(int64(binary.BigEndian.Uint32(b[12:])), 0)
			if want := s.Make([8]byte(b), from, made); b[9]|b[10]|b[11] == 0 && !bytes.Equal(want[:], b) {
				t.Fatalf("good: %x", b)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	s, from, now := secrets(b, first), netip.MustParseAddr("192.0.2.1"), time.Unix(1559731985, 0)
	good := s.Make([8]byte{}, from, now)
	b.ReportAllocs()
	for b.Loop() {
		s.Check(good[:], from, now)
	}
}
