package frame

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// TestRefused: what is no frame, and by which error.
func TestRefused(t *testing.T) {
	good, err := Append(nil, Header{Type: TypePing, Stream: 1, Chain: 2, Epoch: 3}, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, _, err := Parse(good[:n]); !errors.Is(err, ErrShort) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
	for bit := range len(good) * 8 {
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		if f, _, err := Parse(b); err == nil {
			t.Errorf("bit %d changed: taken as %+v", bit, f)
		}
	}
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"shorter than a frame", []byte{0, 0, 0, Overhead - 1}, ErrSize},
		{"longer than a frame", []byte{0, 0x10, 0, 1}, ErrSize},
		{"a flag", finish(Begin(nil, Header{Type: TypePing, Flags: 0x80}), 0), ErrFlags},
	} {
		if _, _, err := Parse(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestTooLong: a body of one octet too many leaves what was there before it.
func TestTooLong(t *testing.T) {
	before := []byte("before")
	if b, err := Append(before, Header{}, make([]byte, MaxBody+1)); !errors.Is(err, ErrSize) || !bytes.Equal(b, before) {
		t.Errorf("Append: %v, %d octets", err, len(b))
	}
	b := append(Begin(before, Header{}), make([]byte, MaxBody+1)...)
	if b, err := Finish(b, len(before)); !errors.Is(err, ErrSize) || !bytes.Equal(b, before) {
		t.Errorf("Finish: %v, %d octets", err, len(b))
	}
	b, err := Append(nil, Header{}, make([]byte, MaxBody))
	if err != nil || len(b) != MaxSize {
		t.Fatalf("%v, %d octets", err, len(b))
	}
	if _, _, err := Parse(b); err != nil {
		t.Error(err)
	}
}

// randomStream makes frames of all sizes, and the octets they go as.
func randomStream(t *testing.T, rnd *rand.Rand, n int) (frames []Frame, b []byte) {
	for range n {
		size := rnd.IntN(400)
		switch rnd.IntN(20) {
		case 0:
			size = rnd.IntN(MaxBody + 1)
		case 1:
			size = 0
		}
		f := Frame{Header{Type: Type(rnd.Uint32()), Stream: rnd.Uint64(), Chain: uint16(rnd.Uint32()), Epoch: rnd.Uint64()}, make([]byte, size)}
		for i := range f.Body[:min(size, 1000)] {
			f.Body[i] = byte(rnd.Uint32())
		}
		var err error
		if b, err = Append(b, f.Header, f.Body); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f)
	}
	return frames, b
}

// choppy reads a random number of octets at a time.
type choppy struct {
	r   io.Reader
	rnd *rand.Rand
}

func (c choppy) Read(b []byte) (int, error) { return c.r.Read(b[:1+c.rnd.IntN(len(b))]) }

func TestReader(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	want, octets := randomStream(t, rnd, 300)
	for name, src := range map[string]io.Reader{
		"as much as there is": bytes.NewReader(octets),
		"choppy":              choppy{bytes.NewReader(octets), rnd},
		"end with data":       iotest.DataErrReader(bytes.NewReader(octets)),
	} {
		r := NewReader(src)
		for i := range want {
			f, err := r.Next()
			if err != nil || f.Header != want[i].Header || !bytes.Equal(f.Body, want[i].Body) {
				t.Fatalf("seed %d, %s: frame %d: %v", seed, name, i, err)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("seed %d, %s: end: %v", seed, name, err)
		}
	}
}

// TestReaderEnds: a stream that ends within a frame, fails, or holds something
// else ends with the error for it, and goes on doing so.
func TestReaderEnds(t *testing.T) {
	one, err := Append(nil, Header{Type: TypePing}, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(one)
	damaged[Overhead-2]++
	failure := errors.New("failure")
	for name, c := range map[string]struct {
		src  io.Reader
		want error
	}{
		"nothing":   {bytes.NewReader(nil), io.EOF},
		"a length":  {bytes.NewReader(one[:3]), io.ErrUnexpectedEOF},
		"cut":       {bytes.NewReader(one[:len(one)-1]), io.ErrUnexpectedEOF},
		"damaged":   {bytes.NewReader(damaged), ErrChecksum},
		"http":      {bytes.NewReader([]byte("HTTP/1.1 400 Bad Request\r\n")), ErrSize},
		"a failure": {io.MultiReader(bytes.NewReader(one[:5]), iotest.ErrReader(failure)), failure},
	} {
		r := NewReader(c.src)
		for range 2 {
			if _, err := r.Next(); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	}
}

// TestReaderMemory: memory for large frames is kept while they come and given
// back when they do not, and a length alone takes none.
func TestReaderMemory(t *testing.T) {
	large, _ := Append(nil, Header{Type: TypePing}, make([]byte, MaxBody))
	small, _ := Append(nil, Header{Type: TypePing}, make([]byte, 100))
	r := NewReader(io.MultiReader(bytes.NewReader(bytes.Repeat(large, 3)), bytes.NewReader(bytes.Repeat(small, 12000))))
	next := func() {
		t.Helper()
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	next()
	if len(r.buf) != MaxSize {
		t.Errorf("%d octets of memory, want %d", len(r.buf), MaxSize)
	}
	if n := testing.AllocsPerRun(1, next); n != 0 {
		t.Errorf("a large frame after another: %v allocations", n)
	}
	for range 12000 {
		next()
	}
	if len(r.buf) != readSize {
		t.Errorf("after small frames %d octets of memory, want %d", len(r.buf), readSize)
	}
}
