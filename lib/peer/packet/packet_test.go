package packet

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/rr"
)

var (
	nodeA = NodeID{0xa, 1, 2, 3, 4, 5, 6, 7}
	nodeB = NodeID{0xb, 1, 2, 3, 4, 5, 6, 7}
	addr4 = netip.MustParseAddrPort("192.0.2.7:5390")
	addr6 = netip.MustParseAddrPort("[fe80::7]:5390")
)

// testKeys makes the keys of the group "lab": the octets of each secret are one of the
// numbers.
func testKeys(t testing.TB, secrets ...byte) *Keys {
	t.Helper()
	k := &Keys{name: "lab"}
	for _, n := range secrets {
		var err error
		if k, err = k.Next(bytes.NewReader(bytes.Repeat([]byte{n}, KeySize))); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// response makes a DNS response about a name, with octets behind its question.
func response(name string, more ...byte) []byte {
	n := rr.MustName(name)
	b := []byte{0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}
	b = append(append(b, n...), 0, 0, 1, 0, 1)
	return append(b, more...)
}

func record(more ...byte) *Record {
	return &Record{Origin: nodeA, Age: 1500 * time.Millisecond, State: Secure, Net: 77, Msg: response("www.example.com", more...)}
}

// messages are one of each kind, by name.
func messages() map[string]*Message {
	all := map[string]*Message{}
	add := func(name string, to NodeID, body Body) {
		all[name] = &Message{From: nodeA, To: to, Boot: 1 << 60, Seq: 9, ID: 1<<64 - 1, Body: body}
	}
	add("hello", NodeID{}, &Hello{
		Key: [32]byte{1}, Signature: [64]byte{2}, Addrs: []netip.AddrPort{addr4, addr6}, Weight: MaxWeight, Net: 5,
		Upstream: Probation, UpstreamFor: time.Hour, Counters: Counters{1, 2, 3, 4, 5, 6}, Entries: 7, Members: 8,
		Version: 9, Started: 48 * time.Hour,
	})
	add("bare hello", nodeB, &Hello{})
	add("bye", NodeID{}, &Bye{Reason: "shutting down"})
	add("ping", NodeID{}, &Ping{Challenge: [8]byte{1, 2}})
	add("pong", nodeB, &Pong{Echo: [8]byte{3}, Seen: 4})
	add("ask", nodeB, &Ask{Name: rr.MustName("www.example.com"), Type: 1, DO: true, Deadline: 400 * time.Millisecond, Net: 5})
	add("ask for the root", nodeB, &Ask{Type: 2, FreshOnly: true, Resolve: true})
	add("ask all", NodeID{}, &Ask{Name: rr.MustName("a"), Type: 28, Any: true})
	add("have", nodeB, &Answer{Record: record(1, 2, 3)})
	add("miss", nodeB, &Answer{Outcome: Miss})
	add("wont", nodeB, &Answer{Outcome: Wont})
	add("put", nodeB, &Put{Records: []*Record{record(), record(4)}})
	add("known", nodeB, &Known{Addrs: []netip.AddrPort{addr6}})
	add("want", nodeB, &Known{Want: true})
	return all
}

func TestMessagesComeThrough(t *testing.T) {
	k := testKeys(t, 1)
	for name, m := range messages() {
		t.Run(name, func(t *testing.T) {
			out, err := k.Seal(m, rand.Reader)
			if err != nil || len(out) != 1 {
				t.Fatalf("%d datagrams, %v", len(out), err)
			}
			got, err := k.Open(out[0])
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(m, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
				t.Errorf("(-sent +received)\n%s", d)
			}
		})
	}
}

// TestSealedForm pins the form on the wire: what the package comment says, byte for byte.
func TestSealedForm(t *testing.T) {
	k := testKeys(t, 1)
	m := &Message{From: nodeA, To: nodeB, Boot: 1, Seq: 2, ID: 3, Body: &Pong{Echo: [8]byte{4}, Seen: 5}}
	out, err := k.Seal(m, bytes.NewReader(make([]byte, 24)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "4e43017df6000000000000000000000000000000000000000000000000"
	if got := hexOf(out[0][:headSize]); got != want {
		t.Errorf("head %s, want %s", got, want)
	}
	if got := len(out[0]); got != headSize+messageHead+16+16 {
		t.Errorf("%d octets", got)
	}
	plain, err := appendMessage(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	const wantPlain = "04000a010203040506070b01020304050607" +
		"000000000000000100000000000000020000000000000003" + "04000000000000000000000000000005"
	if got := hexOf(plain); got != wantPlain {
		t.Errorf("message %s, want %s", got, wantPlain)
	}
}

func TestSealRefuses(t *testing.T) {
	many := make([]netip.AddrPort, MaxKnown+1)
	for i := range many {
		many[i] = addr4
	}
	long := rr.Name(bytes.Repeat([]byte("\x01a"), 127))
	for _, c := range []struct {
		name string
		to   NodeID
		body Body
		want error
	}{
		{"nothing", nodeB, nil, ErrMalformed},
		{"ask of nobody", NodeID{}, &Ask{Type: 1}, ErrMalformed},
		{"ask all of one", nodeB, &Ask{Type: 1, Any: true}, ErrMalformed},
		{"put to nobody", NodeID{}, &Put{Records: []*Record{record()}}, ErrMalformed},
		{"weight", nodeB, &Hello{Weight: MaxWeight + 1}, ErrMalformed},
		{"nine addresses", nodeB, &Hello{Addrs: many[:MaxAddrs+1]}, ErrMalformed},
		{"no port", nodeB, &Hello{Addrs: []netip.AddrPort{netip.AddrPortFrom(addr4.Addr(), 0)}}, ErrMalformed},
		{"multicast address", nodeB, &Known{Addrs: []netip.AddrPort{netip.MustParseAddrPort("[ff02::1]:5390")}}, ErrMalformed},
		{"negative time", nodeB, &Hello{UpstreamFor: -1}, ErrMalformed},
		{"long time", nodeB, &Hello{Started: maxTime + 1}, ErrMalformed},
		{"many known", nodeB, &Known{Addrs: many}, ErrMalformed},
		{"long reason", nodeB, &Bye{Reason: string(make([]byte, MaxReason+1))}, ErrMalformed},
		{"control characters", nodeB, &Bye{Reason: "a\nb"}, ErrMalformed},
		{"upper case", nodeB, &Ask{Name: rr.MustName("A"), Type: 1}, ErrMalformed},
		{"malformed name", nodeB, &Ask{Name: "\x05a", Type: 1}, ErrMalformed},
		{"long name", nodeB, &Ask{Name: long + "\x01a", Type: 1}, ErrMalformed},
		{"type ANY", nodeB, &Ask{Type: 255}, ErrMalformed},
		{"type OPT", nodeB, &Ask{Type: 41}, ErrMalformed},
		{"have nothing", nodeB, &Answer{}, ErrMalformed},
		{"miss with a record", nodeB, &Answer{Outcome: Miss, Record: record()}, ErrMalformed},
		{"empty put", nodeB, &Put{}, ErrMalformed},
		{"put of nil", nodeB, &Put{Records: []*Record{nil}}, ErrMalformed},
		{"old record", nodeB, &Answer{Record: &Record{Age: maxTime + 1, Msg: response("a")}}, ErrMalformed},
		{"state", nodeB, &Answer{Record: &Record{State: Secure + 1, Msg: response("a")}}, ErrMalformed},
		{"no response", nodeB, &Answer{Record: &Record{}}, ErrMalformed},
		{"big put", nodeB, &Put{Records: []*Record{record(make([]byte, MaxBody)...)}}, ErrTooBig},
		{"big answer", nodeB, &Answer{Record: &Record{Msg: append(response("a"), make([]byte, MaxMsg)...)}}, ErrTooBig},
		{"huge answer", nodeB, &Answer{Record: &Record{Msg: append(response("a"), make([]byte, 1<<16)...)}}, ErrTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := testKeys(t, 1).Seal(&Message{From: nodeA, To: c.to, Body: c.body}, rand.Reader)
			wantErr(t, err, c.want)
		})
	}
	k := testKeys(t, 1)
	_, err := k.Seal(&Message{From: nodeA, Key: 1, Body: &Ping{}}, rand.Reader)
	wantErr(t, err, ErrMalformed)
	_, err = k.Seal(&Message{Body: &Ping{}}, rand.Reader)
	wantErr(t, err, ErrMalformed)
	if _, err := k.Seal(&Message{From: nodeA, Body: &Ping{}}, bytes.NewReader(nil)); err == nil {
		t.Error("sealed without randomness")
	}
}

func TestIsResponse(t *testing.T) {
	change := func(at int, v byte) []byte {
		b := response("www.example.com")
		b[at] = v
		return b
	}
	whole := response("www.example.com")
	for _, c := range []struct {
		name string
		msg  []byte
		want bool
	}{
		{"whole", whole, true},
		{"of the root", response("."), true},
		{"with more", response("a", 1, 2, 3), true},
		{"empty", nil, false},
		{"header only", whole[:12], false},
		{"cut in the question", whole[:len(whole)-1], false},
		{"query", change(2, 0x01), false},
		{"truncated", change(2, 0x83), false},
		{"update", change(2, 0xa8), false},
		{"no question", change(5, 0), false},
		{"two questions", change(5, 2), false},
		{"compressed question", change(12, 0xc0), false},
		{"label too long", change(12, 64), false},
		{"class CH", change(len(whole)-1, 3), false},
	} {
		if got := isResponse(c.msg); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestAgeNeverShrinks: each hand that a record goes through may only make it older.
func TestAgeNeverShrinks(t *testing.T) {
	k := testKeys(t, 1)
	for _, age := range []time.Duration{0, 1, time.Millisecond - 1, time.Millisecond, time.Hour + 1, maxTime} {
		r := record()
		r.Age = age
		out, err := k.Seal(&Message{From: nodeA, To: nodeB, Body: &Answer{Record: r}}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		m, err := k.Open(out[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Body.(*Answer).Record.Age; got < age || got >= age+time.Millisecond {
			t.Errorf("age %v came as %v", age, got)
		}
		if r.Age != age {
			t.Errorf("age %v was changed to %v", age, r.Age)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	k := testKeys(t, 1)
	seal := func(plain []byte) []byte {
		b, err := k.keys[0].seal(plain, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	plain, err := appendMessage(nil, messages()["hello"])
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, v byte) []byte {
		b := bytes.Clone(plain)
		b[at] = v
		return b
	}
	other := testKeys(t, 2).keys[0]
	other.id = k.keys[0].id
	sameID, err := other.seal(plain, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	flipped := seal(plain)
	flipped[len(flipped)-1] ^= 1
	wrongNonce := seal(plain)
	wrongNonce[headSize-1] ^= 1
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"as it is", seal(plain), nil},
		{"empty", nil, ErrForeign},
		{"short", seal(plain)[:minDatagram-1], ErrForeign},
		{"long", append(seal(plain), make([]byte, MaxDatagram)...), ErrForeign},
		{"another version", append([]byte("NC\x02"), seal(plain)[3:]...), ErrForeign},
		{"another key id", append([]byte("NC\x01\xff\xff"), seal(plain)[5:]...), ErrForeign},
		{"another key of the same id", sameID, ErrSeal},
		{"changed", flipped, ErrSeal},
		{"changed nonce", wrongNonce, ErrSeal},
		{"cut off", seal(plain)[:200], ErrSeal},
		{"no kind", seal(change(0, 0)), ErrMalformed},
		{"unknown kind", seal(change(0, 11)), ErrMalformed},
		{"another kind", seal(change(0, byte(KindPing))), ErrMalformed},
		{"flags", seal(change(1, 1)), ErrMalformed},
		{"nobody's", seal(append(append(bytes.Clone(plain[:2]), make([]byte, 8)...), plain[10:]...)), ErrMalformed},
		{"one octet more", seal(append(bytes.Clone(plain), 0)), ErrMalformed},
		{"one octet less", seal(plain[:len(plain)-1]), ErrMalformed},
		{"weight", seal(change(messageHead+96, 17)), ErrMalformed},
		{"upstream", seal(change(messageHead+105, 5)), ErrMalformed},
		{"time", seal(change(messageHead+106, 1)), ErrMalformed},
		{"family", seal(change(messageHead+181, 5)), ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := k.Open(c.in)
			if c.want == nil && err != nil || !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// TestOpenRefusesAnyChange turns each bit of a datagram.
func TestOpenRefusesAnyChange(t *testing.T) {
	k := testKeys(t, 1, 2)
	out, err := k.Seal(messages()["ask"], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(out[0]) * 8 {
		b := bytes.Clone(out[0])
		b[i/8] ^= 1 << (i % 8)
		if _, err := k.Open(b); !errors.Is(err, ErrForeign) && !errors.Is(err, ErrSeal) {
			t.Fatalf("bit %d turned: %v", i, err)
		}
	}
}

func TestOpenSharesNothing(t *testing.T) {
	k := testKeys(t, 1)
	out, err := k.Seal(messages()["put"], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m, err := k.Open(out[0])
	if err != nil {
		t.Fatal(err)
	}
	clear(out[0])
	if d := cmp.Diff(messages()["put"], m); d != "" {
		t.Error(d)
	}
}

func TestHelloSignature(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func() *Message {
		m := messages()["hello"]
		if err := SignHello(m, key); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		name   string
		change func(m *Message, h *Hello)
		want   error
	}{
		{"as it is", func(*Message, *Hello) {}, nil},
		{"signed by another", func(m *Message, h *Hello) {
			k, from := h.Key, m.From
			if err := SignHello(m, other); err != nil {
				t.Fatal(err)
			}
			h.Key, m.From = k, from
		}, ErrSignature},
		{"another node", func(m *Message, h *Hello) { m.From = nodeB }, ErrSignature},
		{"another key", func(m *Message, h *Hello) { h.Key[0] ^= 1 }, ErrSignature},
		{"another receiver", func(m *Message, h *Hello) { m.To = nodeB }, ErrSignature},
		{"another boot", func(m *Message, h *Hello) { m.Boot++ }, ErrSignature},
		{"another number", func(m *Message, h *Hello) { m.Seq++ }, ErrSignature},
		{"another exchange", func(m *Message, h *Hello) { m.ID++ }, ErrSignature},
		{"another address", func(m *Message, h *Hello) { h.Addrs = h.Addrs[1:] }, ErrSignature},
		{"another state", func(m *Message, h *Hello) { h.Upstream = Healthy }, ErrSignature},
		{"another signature", func(m *Message, h *Hello) { h.Signature[5] ^= 1 }, ErrSignature},
		{"ill formed", func(m *Message, h *Hello) { h.Weight = 17 }, ErrMalformed},
		{"another body", func(m *Message, h *Hello) { m.Body = &Ping{} }, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := signed()
			c.change(m, m.Body.(*Hello))
			if err := CheckHello(m); c.want == nil && err != nil || !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	k := testKeys(t, 1)
	out, err := k.Seal(signed(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m, err := k.Open(out[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckHello(m); err != nil {
		t.Error(err)
	}
	wantErr(t, SignHello(&Message{Body: &Ping{}}, key), ErrMalformed)
	wantErr(t, SignHello(&Message{Body: &Hello{}}, nil), ErrMalformed)
}
