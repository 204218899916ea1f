// Package key holds account keys: their account names, signatures, files, and
// the tokens and work proofs that let a new key in.
//
// A public key is the account. NUP version 0 has DSA keys with SHA-1, in the
// X.509 form that Java gives them; version 1 has Ed25519 keys. Nothing here
// reads the clock; randomness is an argument where keys are made.
package key

import (
	"crypto/ed25519"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
)

// What is wrong with a key.
var (
	// ErrMalformed: the octets are not a key of the form they should have.
	ErrMalformed = errors.New("malformed key")
	// ErrKeySize: a DSA key whose p is not of 512 to 3,072 bits, or whose q is
	// not of 160, 224 or 256 bits.
	ErrKeySize = errors.New("key size not allowed")
	// ErrAlgorithm: a key of an algorithm that Namecast does not use.
	ErrAlgorithm = errors.New("not Ed25519 or DSA")
	// ErrEncrypted: the key file is encrypted, and nothing here asks for passwords.
	ErrEncrypted = errors.New("the key is encrypted")
	// ErrMismatch: a secret key and the public key beside it are not a pair.
	ErrMismatch = errors.New("the secret and the public key are not a pair")
	// ErrNoKey: there is no key in the input.
	ErrNoKey = errors.New("no key in it")
	// ErrMode: others than the owner can read a secret.
	ErrMode = errors.New("others can read it")
)

// An Algorithm is a DNSSEC algorithm number (IANA registry of RFC 4034).
type Algorithm byte

// The algorithms: DSA belongs to NUP version 0 and Ed25519 to version 1.
const (
	DSA     Algorithm = 3
	Ed25519 Algorithm = 15
)

// String gives the name that a key file has after proto=.
func (a Algorithm) String() string {
	switch a {
	case DSA:
		return "dsa"
	case Ed25519:
		return "ed25519"
	}
	return fmt.Sprintf("algorithm-%d", byte(a))
}

// Lengths of a version 1 key in a packet, in octets.
const (
	Ed25519Size   = 1 + ed25519.PublicKeySize // algorithm octet and key
	SignatureSize = ed25519.SignatureSize
)

// A Public is a public key that has passed ParsePublic. Its zero value is no
// key: it verifies nothing. Two are the same key if they are ==.
type Public struct {
	algorithm Algorithm
	octets    string // as Bytes gives them
}

// ParsePublic reads the key of a packet of the NUP version: for 0 an X.509
// SubjectPublicKeyInfo in DER with a DSA key, its parameters in it (RFC 3279
// 2.3.2), for 1 an algorithm octet and the key. It does no arithmetic on a key's
// numbers: a DSA key's sizes are known from the lengths of its INTEGERs. The
// error is ErrMalformed, ErrKeySize or ErrAlgorithm.
func ParsePublic(version int, b []byte) (Public, error) {
	switch version {
	case 0:
		if _, err := parseDSA(b); err != nil {
			return Public{}, err
		}
		return Public{DSA, string(b)}, nil
	case 1:
		if len(b) == 0 {
			return Public{}, fmt.Errorf("%w: empty", ErrMalformed)
		}
		if Algorithm(b[0]) != Ed25519 {
			return Public{}, fmt.Errorf("algorithm %d, %w", b[0], ErrAlgorithm)
		}
		return ed25519Public(b[1:])
	}
	return Public{}, fmt.Errorf("%w: NUP has no version %d", ErrMalformed, version)
}

// ed25519Public makes a key of its 32 octets. Whether they are a point of the
// curve is for Verify to say.
func ed25519Public(b []byte) (Public, error) {
	if len(b) != ed25519.PublicKeySize {
		return Public{}, fmt.Errorf("%w: an Ed25519 key of %d octets, want %d", ErrMalformed, len(b), ed25519.PublicKeySize)
	}
	return Public{Ed25519, string(byte(Ed25519)) + string(b)}, nil
}

// IsZero tells the zero value, which is no key.
func (p Public) IsZero() bool { return p == Public{} }

// Equal is ==.
func (p Public) Equal(q Public) bool { return p == q }

// Algorithm gives the key's algorithm, 0 for the zero value.
func (p Public) Algorithm() Algorithm { return p.algorithm }

// Version gives the NUP version that the key speaks: 0 for DSA, 1 for Ed25519.
func (p Public) Version() int {
	if p.algorithm == DSA {
		return 0
	}
	return 1
}

// Bytes gives a copy of what a packet carries: the SubjectPublicKeyInfo of a DSA
// key, the algorithm octet and the 32 octets of an Ed25519 key.
func (p Public) Bytes() []byte { return []byte(p.octets) }

// Bits gives the length of a DSA key's modulus p in bits, 256 for Ed25519.
func (p Public) Bits() int {
	switch p.algorithm {
	case Ed25519:
		return 8 * ed25519.PublicKeySize
	case DSA:
		if n, err := parseDSA([]byte(p.octets)); err == nil {
			return bitLen(n.p)
		}
	}
	return 0
}

// Account gives the name of the account that the key starts: see AccountOf.
func (p Public) Account() string { return AccountOf(p.Version(), []byte(p.octets)) }

// Verify tells whether sig is the key's signature of msg: SHA1withDSA with its
// two numbers in DER (FIPS 186-4 4.7), or Ed25519 exactly as crypto/ed25519
// judges it.
//
// Signatures are verified one by one, though one equation for a batch of them
// takes half the time. It cannot give these verdicts: a sum with random factors
// says something certain only when it is multiplied by the cofactor 8, and then
// it accepts what single verification refuses, as libraries' batches do with
// several of the cases in edge_test.go. A request would be good or bad depending
// on what came with it.
func (p Public) Verify(msg, sig []byte) bool {
	switch p.algorithm {
	case Ed25519:
		return ed25519.Verify(ed25519.PublicKey(p.octets[1:]), msg, sig)
	case DSA:
		return verifyDSA([]byte(p.octets), msg, sig)
	}
	return false
}

// accountOctets is how much of the hash names a version 1 account: 160 bits are
// 32 characters.
const accountOctets = 160 / 8

// base32Lower is RFC 4648's alphabet in lower case: what DNS names look like.
var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// AccountOf names the account of the key octets that a packet of the version
// carries, without looking into them: it costs one hash. Version 0: SHA-1 in
// lower-case hex, 40 characters, as the paper has it. Version 1: the first 160
// bits of SHA-256 in lower-case base32, 32 characters. Another version has no
// names: the empty string.
func AccountOf(version int, b []byte) string {
	switch version {
	case 0:
		h := sha1.Sum(b)
		return hex.EncodeToString(h[:])
	case 1:
		h := sha256.Sum256(b)
		return base32Lower.EncodeToString(h[:accountOctets])
	}
	return ""
}

// IsAccount tells whether s has the form of an account name of either version.
func IsAccount(s string) bool {
	for _, c := range []byte(s) {
		letter, digit := 'a' <= c && c <= 'z', '2' <= c && c <= '7'
		if len(s) == 40 {
			letter, digit = 'a' <= c && c <= 'f', '0' <= c && c <= '9'
		}
		if !letter && !digit {
			return false
		}
	}
	return len(s) == 32 || len(s) == 40
}
