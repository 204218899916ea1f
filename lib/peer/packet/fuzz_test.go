package packet

import (
	"bytes"
	"crypto/rand"
	"testing"
)

// FuzzParseMessage reads octets as a member may have sealed them: what is taken has one
// form, and is taken again.
func FuzzParseMessage(f *testing.F) {
	for _, m := range messages() {
		plain, err := appendMessage(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	for _, m := range open(f, bigAnswer(2*MaxPart)) {
		plain, err := appendMessage(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		m, err := parseMessage(plain)
		if err != nil {
			return
		}
		again, err := appendMessage(nil, m)
		if err != nil || !bytes.Equal(again, plain) {
			t.Errorf("%x is read, and written as %x, %v", plain, again, err)
		}
		if _, ok := m.Body.(*Hello); ok && CheckHello(m) == nil {
			t.Errorf("%x is signed", plain)
		}
	})
}

// FuzzOpen gives octets of no member: none of them may open.
func FuzzOpen(f *testing.F) {
	k, other := testKeys(f, 1, 2), testKeys(f, 3)
	f.Add([]byte(magic))
	for _, m := range messages() {
		out, err := other.Seal(m, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(out[0])
		copy(out[0][len(magic):], k.keys[1].id[:])
		f.Add(bytes.Clone(out[0]))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if m, err := k.Open(datagram); err == nil {
			t.Errorf("%x opens: %+v", datagram, m)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	k := testKeys(b, 1)
	m := messages()["have"]
	for b.Loop() {
		if _, err := k.Seal(m, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k := testKeys(b, 1)
	out, err := k.Seal(messages()["have"], rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Open(out[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenForeign is what a flood of the unauthenticated costs.
func BenchmarkOpenForeign(b *testing.B) {
	k := testKeys(b, 1)
	out, err := k.Seal(messages()["have"], rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	out[0][40] ^= 1
	for b.Loop() {
		if _, err := k.Open(out[0]); err == nil {
			b.Fatal("opened")
		}
	}
}
