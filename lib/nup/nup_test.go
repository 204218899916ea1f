package nup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"testing"

	"namecast/lib/key"
)

// A stream is a reader of octets that a seed fixes, so that keys and packets
// are the same in every run.
type stream struct {
	seed byte
	n    uint64
	rest []byte
}

func (s *stream) Read(b []byte) (int, error) {
	for len(s.rest) < len(b) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte{s.seed}, s.n))
		s.rest = append(s.rest, sum[:]...)
		s.n++
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func edKey(t testing.TB, seed byte) *key.Secret {
	t.Helper()
	k, err := key.Generate(&stream{seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// dsaKey reads the 1,024-bit key of the vectors.
func dsaKey(t testing.TB) *key.Secret {
	t.Helper()
	b, err := os.ReadFile("testdata/dsa.key")
	if err != nil {
		t.Fatal(err)
	}
	f, err := key.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return f.Secret
}
