package frame

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"namecast/lib/chain"
)

// body gives a message's body by itself.
func body(t testing.TB, m chain.Message) Frame {
	t.Helper()
	b, err := AppendMessage(nil, envelope(m))
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCut: no message is read from a part of its body, or from more.
func TestCut(t *testing.T) {
	for _, m := range samples {
		f := body(t, m)
		whole := f.Body
		for n := range whole {
			f.Body = whole[:n]
			if e, err := ParseMessage(f, node); !errors.Is(err, ErrMessage) {
				t.Errorf("%T: %d octets of %d: %+v, %v", m, n, len(whole), e, err)
			}
		}
		f.Body = append(whole[:len(whole):len(whole)], 0)
		if _, err := ParseMessage(f, node); !errors.Is(err, ErrMessage) {
			t.Errorf("%T and an octet: %v", m, err)
		}
	}
}

// TestOneEncoding: forms that would mean the same, and headers that fit none.
func TestOneEncoding(t *testing.T) {
	uvarint := func(v uint64) []byte { return binary.AppendUvarint(nil, v) }
	for _, c := range []struct {
		name string
		h    Header
		body []byte
		want error
	}{
		{"a number of one octet in two", Header{Type: TypeFeedAck}, []byte{0x80, 0}, ErrMessage},
		{"a number of 65 bits", Header{Type: TypeFeedAck}, append(uvarint(math.MaxUint64)[:9], 2), ErrMessage},
		{"a truth of 2", Header{Type: TypeVersionReply}, []byte{2, 0}, ErrMessage},
		{"a node without incarnation", Header{Type: TypeProposeReply}, []byte{2, 0, 0, 0, 0, 1, 'a', 0}, ErrMessage},
		{"an incarnation without node", Header{Type: TypeProposeReply}, []byte{2, 0, 0, 0, 0, 0, 1}, ErrMessage},
		{"records without outcomes", Header{Type: TypeFeedBatch}, []byte{0, 1, 1, 1, 0, 0}, ErrMessage},
		{"more elements than octets", Header{Type: TypeRead}, append([]byte{1, 0, 0, 0}, uvarint(1<<40)...), ErrMessage},
		{"a string of 2^64-1 octets", Header{Type: TypeRead}, append([]byte{1, 0, 0, 0, 1}, uvarint(math.MaxUint64)...), ErrMessage},
		{"a condition of 2^32", Header{Type: TypeProposeReply}, append(append([]byte{1, 2, 0}, uvarint(1<<32)...), 0, 0, 0), ErrMessage},
		{"a chain too many", Header{Type: TypeFeedEnd, Chain: chain.Chains}, nil, ErrMessage},
		{"a stream of a message without", Header{Type: TypeStaleEpoch, Stream: 1}, nil, ErrMessage},
		{"a ping", Header{Type: TypePing}, nil, ErrType},
		{"a type between others", Header{Type: 23}, nil, ErrType},
		{"the last type", Header{Type: 255}, nil, ErrType},
	} {
		if e, err := ParseMessage(Frame{c.h, c.body}, node); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", c.name, e, err)
		}
	}
}

// TestNoEncoding: a message that nobody knows, or that is too long, leaves what
// was there before it.
func TestNoEncoding(t *testing.T) {
	for name, c := range map[string]struct {
		m    chain.Message
		want error
	}{
		"none":     {nil, ErrType},
		"too long": {chain.Read{Keys: [][]byte{make([]byte, MaxBody)}}, ErrSize},
	} {
		if b, err := AppendMessage([]byte("before"), chain.Envelope{Body: c.m}); !errors.Is(err, c.want) || string(b) != "before" {
			t.Errorf("%s: %v, %d octets", name, err, len(b))
		}
	}
}

// TestRecordSize: a sender that counts by Size never makes a frame too long.
func TestRecordSize(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	octets := func() []byte { return make([]byte, rnd.IntN(1<<rnd.IntN(16))) }
	for range 300 {
		r := chain.Record{LSN: math.MaxUint64, Epoch: math.MaxUint64, Base: math.MaxUint64}
		for range rnd.IntN(5) {
			r.Conds = append(r.Conds, chain.Cond{Key: octets()[:0], Version: math.MaxUint64})
		}
		for range 1 + rnd.IntN(5) {
			r.Ops = append(r.Ops, chain.Op{Key: octets(), Value: octets()})
		}
		const around = 64 + Overhead
		b, err := AppendMessage(nil, envelope(chain.Append{Prev: math.MaxUint64, Commit: math.MaxUint64, Records: []chain.Record{r}}))
		if n := len(b) - around; err != nil || n > r.Size() {
			t.Fatalf("seed %d: a record of size %d takes %d octets, %v", seed, r.Size(), n, err)
		}
		o := chain.Outcome{LSN: math.MaxUint64, Cond: math.MaxUint32, Version: math.MaxUint64}
		b, err = AppendMessage(nil, envelope(chain.FeedBatch{Records: []chain.Record{r}, Outcomes: []chain.Outcome{o}}))
		if n := len(b) - around; err != nil || n > r.Size()+26 {
			t.Fatalf("seed %d: a record of size %d takes %d octets with its outcome, %v", seed, r.Size(), n, err)
		}
	}
}

// TestAllocations: what the path of a write costs in memory.
func TestAllocations(t *testing.T) {
	e := envelope(chain.Append{Prev: 1, Records: records, Commit: 1})
	ack := envelope(chain.Ack{Last: 4, Durable: 3, Commit: 2})
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf, _ = AppendMessage(buf[:0], e); buf, _ = AppendMessage(buf, ack) }); n != 0 {
		t.Errorf("writing: %v allocations", n)
	}
	buf, _ = AppendMessage(buf[:0], e)
	if n := testing.AllocsPerRun(100, func() { Parse(buf) }); n != 0 {
		t.Errorf("parsing a frame: %v allocations", n)
	}
	one, _, _ := Parse(buf)
	// The copy, the records, conditions and operations of both, the message.
	if n := testing.AllocsPerRun(100, func() { ParseMessage(one, node) }); n > 6 {
		t.Errorf("reading an Append of two records: %v allocations", n)
	}
	one = body(t, ack.Body)
	if n := testing.AllocsPerRun(100, func() { ParseMessage(one, node) }); n > 1 {
		t.Errorf("reading an Ack: %v allocations", n)
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	e := envelope(chain.Append{Prev: 1, Records: records[1:], Commit: 1})
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = AppendMessage(buf[:0], e)
	}
}

func BenchmarkParseMessage(b *testing.B) {
	buf, _ := AppendMessage(nil, envelope(chain.Append{Prev: 1, Records: records[1:], Commit: 1}))
	b.ReportAllocs()
	for b.Loop() {
		f, _, _ := Parse(buf)
		if _, err := ParseMessage(f, node); err != nil {
			b.Fatal(err)
		}
	}
}
