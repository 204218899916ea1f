package packet

import (
	"crypto/rand"
	mrand "math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bigAnswer makes an Answer whose body has so many octets.
func bigAnswer(body int) *Message {
	msg := response("www.example.com")
	msg = append(msg, make([]byte, body-1-recordHead-len(msg))...)
	for i := range msg[40:] {
		msg[40+i] = byte(i * 7)
	}
	return &Message{From: nodeA, To: nodeB, Boot: 3, Seq: 100, ID: 9, Body: &Answer{Record: &Record{Origin: nodeA, Msg: msg}}}
}

// open seals a message and opens its datagrams.
func open(t testing.TB, m *Message) []*Message {
	t.Helper()
	k := testKeys(t, 1)
	out, err := k.Seal(m, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var all []*Message
	for _, b := range out {
		if len(b) > MaxDatagram {
			t.Fatalf("datagram of %d octets", len(b))
		}
		got, err := k.Open(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got)
	}
	return all
}

func TestFragments(t *testing.T) {
	for _, c := range []struct{ body, datagrams int }{
		{MaxBody, 1}, {MaxBody + 1, 2}, {2 * MaxPart, 2}, {2*MaxPart + 1, 3}, {4 * MaxPart, 4},
	} {
		m := bigAnswer(c.body)
		parts := open(t, m)
		if len(parts) != c.datagrams {
			t.Errorf("%d octets in %d datagrams, want %d", c.body, len(parts), c.datagrams)
		}
		if len(parts) == 1 {
			continue
		}
		a := NewAssembler()
		for i, p := range parts {
			if p.Seq != m.Seq+uint64(i) {
				t.Errorf("fragment %d has the number %d", i, p.Seq)
			}
		}
		var whole *Message
		for _, i := range mrand.Perm(len(parts)) {
			if whole != nil {
				t.Fatal("whole too early")
			}
			var err error
			if whole, err = a.Add(0, parts[i]); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(m, whole); d != "" {
			t.Errorf("(-sent +received)\n%s", d)
		}
		if a.Len() != 0 {
			t.Errorf("%d left", a.Len())
		}
	}
}

func add(t *testing.T, a *Assembler, now time.Duration, m *Message) *Message {
	t.Helper()
	whole, err := a.Add(now, m)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// TestAssemblerKeepsApart: fragments of two Answers are never mixed, and a second copy of
// one changes nothing.
func TestAssemblerKeepsApart(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *Message)
	}{
		{"another sender", func(m *Message) { m.From = nodeB }},
		{"another receiver", func(m *Message) { m.To = nodeA }},
		{"another boot", func(m *Message) { m.Boot++ }},
		{"another number", func(m *Message) { m.Seq++ }},
		{"another exchange", func(m *Message) { m.ID++ }},
		{"another count", func(m *Message) { m.Body.(*Fragment).Count++ }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := NewAssembler()
			parts := open(t, bigAnswer(2*MaxPart))
			other := open(t, bigAnswer(2*MaxPart))[0]
			c.change(other)
			forged := *parts[0]
			forged.Body = &Fragment{Count: 2, Part: make([]byte, MaxPart)}
			for _, m := range []*Message{other, parts[0], &forged, other} {
				if add(t, a, 0, m) != nil {
					t.Fatal("whole too early")
				}
			}
			if d := cmp.Diff(bigAnswer(2*MaxPart), add(t, a, 0, parts[1])); d != "" {
				t.Errorf("(-sent +received)\n%s", d)
			}
		})
	}
}

func TestAssemblerForgets(t *testing.T) {
	a := NewAssembler()
	parts := open(t, bigAnswer(2*MaxPart))
	add(t, a, 0, parts[0])
	if add(t, a, assemblyTime, parts[1]) != nil {
		t.Error("whole although its time was over")
	}
	if add(t, a, 2*assemblyTime-1, parts[0]) == nil {
		t.Error("not whole although it is in time")
	}
}

// TestAssemblerIsBounded: a member that sends only beginnings pushes out its own, and all
// members together not more than there is room for.
func TestAssemblerIsBounded(t *testing.T) {
	a := NewAssembler()
	first := open(t, bigAnswer(2*MaxPart))
	add(t, a, 0, first[0])
	flood := *first[0]
	flood.From = NodeID{1}
	for range 1000 {
		flood.Seq += MaxFragments
		copied := flood
		add(t, a, 0, &copied)
	}
	if a.Len() != 1+maxOfSender {
		t.Errorf("%d unfinished", a.Len())
	}
	if add(t, a, 0, first[1]) == nil {
		t.Error("one member has pushed out what another sent")
	}
	for i := range 1000 {
		copied := flood
		copied.From = NodeID{2, byte(i), byte(i >> 8)}
		add(t, a, 0, &copied)
	}
	if a.Len() != maxUnfinished {
		t.Errorf("%d unfinished, want %d", a.Len(), maxUnfinished)
	}
}

func TestAssemblerRefuses(t *testing.T) {
	good := func(f Fragment) *Message {
		return &Message{From: nodeA, To: nodeB, Seq: 100, Body: &f}
	}
	early := good(Fragment{1, 2, []byte{1}})
	early.Seq = 0
	for name, m := range map[string]*Message{
		"another body":      {From: nodeA, To: nodeB, Body: &Ping{}},
		"one of one":        good(Fragment{0, 1, []byte{1}}),
		"third of two":      good(Fragment{2, 2, []byte{1}}),
		"five":              good(Fragment{0, 5, make([]byte, MaxPart)}),
		"short first":       good(Fragment{0, 2, []byte{1}}),
		"long last":         good(Fragment{1, 2, make([]byte, MaxPart+1)}),
		"empty last":        good(Fragment{1, 2, nil}),
		"before the number": early,
	} {
		a := NewAssembler()
		if _, err := a.Add(0, m); err == nil || a.Len() != 0 {
			t.Errorf("%s is taken", name)
		}
	}
	a := NewAssembler()
	add(t, a, 0, good(Fragment{0, 2, make([]byte, MaxPart)}))
	last := good(Fragment{1, 2, []byte{1}})
	last.Seq++
	_, err := a.Add(0, last)
	wantErr(t, err, ErrMalformed)
	if a.Len() != 0 {
		t.Error("what is malformed is kept")
	}
}

// FuzzAssembler gives fragments of hostile members: octets choose sender, place and part.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte{0, 0, 2, 1, 1, 2, 0, 1, 2})
	f.Add([]byte{0, 1, 4, 0, 0, 4, 0, 3, 4, 0, 2, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		a := NewAssembler()
		now := time.Duration(0)
		for ; len(in) >= 3; in = in[3:] {
			part := make([]byte, MaxPart)
			if in[1]+1 == in[2] {
				part = part[:int(in[0])*4+1]
			}
			m := &Message{From: NodeID{in[0]}, To: nodeB, Seq: 8 + uint64(in[1]), Body: &Fragment{in[1], in[2], part}}
			if _, err := a.Add(now, m); err == nil {
				now += time.Millisecond
			}
			if a.Len() > maxUnfinished {
				t.Fatalf("%d unfinished", a.Len())
			}
		}
	})
}
