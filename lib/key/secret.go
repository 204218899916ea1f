package key

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
	"math/big"
)

// A Secret is a secret key with its public key. It prints as "(secret key)"
// under every verb, so that no log line gives it away.
type Secret struct {
	public  Public
	ed25519 ed25519.PrivateKey
	dsa     dsaNumbers
}

// Generate makes an Ed25519 key of 32 octets from random.
func Generate(random io.Reader) (*Secret, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("make Ed25519 key: %w", err)
	}
	return newEd25519(seed), nil
}

// GenerateDSA makes a DSA key for NUP version 0 with a modulus of 1024 (and a
// subgroup of 160), 2048 or 3072 bits (256). It takes seconds.
func GenerateDSA(random io.Reader, bits int) (*Secret, error) {
	n, err := generateDSA(random, bits)
	if err != nil {
		return nil, err
	}
	return &Secret{public: Public{DSA, string(n.spki())}, dsa: n}, nil
}

// ed25519Secret makes a key of a file's octets.
func ed25519Secret(seed []byte) (*Secret, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: an Ed25519 secret of %d octets, want %d", ErrMalformed, len(seed), ed25519.SeedSize)
	}
	return newEd25519(seed), nil
}

// newEd25519 makes a key of its 32-octet seed (RFC 8032 5.1.5).
func newEd25519(seed []byte) *Secret {
	k := ed25519.NewKeyFromSeed(seed)
	public, _ := ed25519Public(k.Public().(ed25519.PublicKey)) // its length is right
	return &Secret{public: public, ed25519: k}
}

// newDSA makes a key of a file's numbers. If y is missing it is computed. The
// numbers must be a key that signs: here, unlike for a public key from the
// network, the arithmetic is worth its time, since it tells the owner of a
// damaged file so at once.
func newDSA(n dsaNumbers) (*Secret, error) {
	given := n.y
	if given == nil {
		n.y = []byte{2} // stands in until the sizes are known to be good
	}
	if err := n.check(); err != nil {
		return nil, err
	}
	if len(n.x) == 0 || !less(n.x, n.q) {
		return nil, fmt.Errorf("%w: the DSA secret is out of range", ErrMalformed)
	}
	p, g := number(n.p), number(n.g)
	if new(big.Int).Exp(g, number(n.q), p).Cmp(big.NewInt(1)) != 0 {
		return nil, fmt.Errorf("%w: the DSA generator does not fit the subgroup", ErrMalformed)
	}
	n.y = new(big.Int).Exp(g, number(n.x), p).Bytes()
	if given != nil && !bytes.Equal(given, n.y) {
		return nil, ErrMismatch
	}
	return &Secret{public: Public{DSA, string(n.spki())}, dsa: n}, n.check()
}

// Public gives the public key.
func (s Secret) Public() Public { return s.public }

// Sign signs msg such that the public key's Verify accepts it. The same key and
// message always give the same signature.
func (s Secret) Sign(msg []byte) ([]byte, error) {
	switch s.public.algorithm {
	case Ed25519:
		return ed25519.Sign(s.ed25519, msg), nil
	case DSA:
		return signDSA(s.dsa, msg)
	}
	return nil, ErrNoKey
}

// Format implements fmt.Formatter: it prints no secret.
func (s Secret) Format(f fmt.State, verb rune) { io.WriteString(f, "(secret key)") }

// octets gives what a key file holds after !secret=: the seed of an Ed25519
// key, PKCS#8 of a DSA key.
func (s Secret) octets() []byte {
	if s.public.algorithm == Ed25519 {
		return s.ed25519.Seed()
	}
	return s.dsa.pkcs8()
}
