package key

import (
	"bytes"
	"fmt"
)

// foreign are algorithms that people have keys of and that Namecast refuses by
// name, by the contents of their object identifiers.
var foreign = []struct {
	name string
	oid  []byte
}{
	{"an RSA key", []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}},
	{"an RSA-PSS key", []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a}},
	{"a Diffie-Hellman key", []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01}},
	{"a Diffie-Hellman key", []byte{0x2a, 0x86, 0x48, 0xce, 0x3e, 0x02, 0x01}},
	{"an elliptic curve key", []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}},
	{"an X25519 key", []byte{0x2b, 0x65, 0x6e}},
	{"an X448 key", []byte{0x2b, 0x65, 0x6f}},
	{"an Ed448 key", []byte{0x2b, 0x65, 0x71}},
}

// wrongAlgorithm says what a key is that is not DSA.
func wrongAlgorithm(oid []byte) error {
	for _, f := range foreign {
		if bytes.Equal(oid, f.oid) {
			return fmt.Errorf("%s, %w", f.name, ErrAlgorithm)
		}
	}
	if bytes.Equal(oid, oidEd25519) {
		return fmt.Errorf("%w: an Ed25519 key in the place or with the parameters of another", ErrMalformed)
	}
	return fmt.Errorf("a key of an unknown algorithm, %w", ErrAlgorithm)
}
