package key

import (
	"bytes"
	//lint:ignore SA1019 NUP version 0 is DSA with SHA-1 and stays so, byte for byte; new keys are Ed25519
	"crypto/dsa"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Limits of DSA keys in bits. They bound the work of one verification, and are
// checked before there is any.
const (
	minModulus = 512
	maxModulus = 3072
)

// Object identifiers, as the contents of their DER elements.
var (
	oidDSA     = []byte{0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01} // 1.2.840.10040.4.1
	oidEd25519 = []byte{0x2b, 0x65, 0x70}                         // 1.3.101.112
)

// dsaNumbers are a DSA key's numbers as big-endian octets without leading
// zeros; x is nil in a public key.
type dsaNumbers struct{ p, q, g, y, x []byte }

// parseDSA reads a SubjectPublicKeyInfo with a DSA key.
func parseDSA(b []byte) (dsaNumbers, error) {
	algorithm, key, ok := splitSPKI(b)
	if !ok {
		return dsaNumbers{}, fmt.Errorf("%w: not an X.509 public key in DER", ErrMalformed)
	}
	n, err := parseDSAParameters(algorithm)
	if err != nil {
		return dsaNumbers{}, err
	}
	if y := der(key); !y.integers(&n.y) {
		return dsaNumbers{}, fmt.Errorf("%w: the DSA public value is not one INTEGER", ErrMalformed)
	}
	return n, n.check()
}

// splitSPKI takes a SubjectPublicKeyInfo apart: SEQUENCE { SEQUENCE { OID,
// parameters }, BIT STRING }. The algorithm is the inner sequence's contents.
func splitSPKI(b []byte) (algorithm der, key []byte, ok bool) {
	body, ok := der(b).only(tagSequence)
	if !ok {
		return nil, nil, false
	}
	algorithm, ok = body.next(tagSequence)
	if !ok {
		return nil, nil, false
	}
	bits, ok := body.only(tagBitString)
	if !ok || len(bits) == 0 || bits[0] != 0 {
		return nil, nil, false
	}
	return algorithm, bits[1:], true
}

// parseDSAParameters reads an algorithm identifier's contents, which must be
// DSA's with p, q and g.
func parseDSAParameters(algorithm der) (n dsaNumbers, err error) {
	oid, ok := algorithm.next(tagOID)
	if !ok {
		return n, fmt.Errorf("%w: no algorithm", ErrMalformed)
	}
	if !bytes.Equal(oid, oidDSA) {
		return n, wrongAlgorithm(oid)
	}
	parameters, ok := algorithm.only(tagSequence)
	if !ok || !parameters.integers(&n.p, &n.q, &n.g) {
		return n, fmt.Errorf("%w: the DSA parameters are not p, q and g", ErrMalformed)
	}
	return n, nil
}

// check judges the numbers by their sizes and order alone, without arithmetic.
// Whether p and q are prime and g and y lie in the subgroup is the key owner's
// concern: a bad key lets nobody but its maker into its account, since the
// account's name is a hash of all the numbers. Even moduli are refused because
// arithmetic with them takes several times as long.
func (n dsaNumbers) check() error {
	if bits := bitLen(n.p); bits < minModulus || bits > maxModulus {
		return fmt.Errorf("%w: DSA with a modulus of %d bits, not %d to %d", ErrKeySize, bits, minModulus, maxModulus)
	}
	switch bits := bitLen(n.q); bits {
	case 160, 224, 256:
	default:
		return fmt.Errorf("%w: DSA with a subgroup of %d bits, not 160, 224 or 256", ErrKeySize, bits)
	}
	if n.p[len(n.p)-1]&1 == 0 || n.q[len(n.q)-1]&1 == 0 {
		return fmt.Errorf("%w: a DSA modulus is even", ErrMalformed)
	}
	one := []byte{1}
	if !less(one, n.g) || !less(n.g, n.p) || !less(one, n.y) || !less(n.y, n.p) {
		return fmt.Errorf("%w: a DSA number is out of range", ErrMalformed)
	}
	return nil
}

// public gives the key in the form of crypto/dsa.
func (n dsaNumbers) public() dsa.PublicKey {
	return dsa.PublicKey{
		Parameters: dsa.Parameters{P: number(n.p), Q: number(n.q), G: number(n.g)},
		Y:          number(n.y),
	}
}

// spki encodes the public key.
func (n dsaNumbers) spki() []byte {
	return element(tagSequence, n.algorithm(), element(tagBitString, []byte{0}, integerElement(n.y)))
}

// pkcs8 encodes the secret key (RFC 5208).
func (n dsaNumbers) pkcs8() []byte {
	return element(tagSequence, integerElement(nil), n.algorithm(),
		element(tagOctetString, integerElement(n.x)))
}

// algorithm encodes the algorithm identifier with the parameters.
func (n dsaNumbers) algorithm() []byte {
	return element(tagSequence, element(tagOID, oidDSA),
		element(tagSequence, integerElement(n.p), integerElement(n.q), integerElement(n.g)))
}

// number makes a number of octets whose count has been checked.
func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// verifyDSA checks a SHA1withDSA signature. The digest's leftmost min(N, 160)
// bits are signed, N being the length of q: no q that check lets through is
// shorter than SHA-1's 160 bits, so that is always all of it.
func verifyDSA(spki, msg, sig []byte) bool {
	n, err := parseDSA(spki)
	if err != nil {
		return false
	}
	var r, s []byte
	body, ok := der(sig).only(tagSequence)
	if !ok || !body.integers(&r, &s) {
		return false
	}
	if len(r) == 0 || len(s) == 0 || !less(r, n.q) || !less(s, n.q) {
		return false
	}
	public, digest := n.public(), sha1.Sum(msg)
	return dsa.Verify(&public, digest[:], number(r), number(s))
}

// signDSA makes a SHA1withDSA signature. Its nonce is the deterministic one of
// RFC 6979 and not a random one, for two reasons: a machine with a poor random
// source does not give its key away, and the same update signed again is the
// same packet, which the node knows for a retry and not for a second request.
func signDSA(n dsaNumbers, msg []byte) ([]byte, error) {
	p, q, g, x := number(n.p), number(n.q), number(n.g), number(n.x)
	digest := sha1.Sum(msg)
	z := number(digest[:])
	nonces := newNonces(q, n.x, digest[:])
	// A nonce gives r = 0 or s = 0 once in 2^160 times, unless the key is bad.
	for range 16 {
		k := nonces.next()
		// q is added until the length is fixed, so that the time of the
		// exponentiation does not tell how long the nonce is.
		padded := new(big.Int).Add(k, q)
		if padded.BitLen() == q.BitLen() {
			padded.Add(padded, q)
		}
		r := new(big.Int).Exp(g, padded, p)
		r.Mod(r, q)
		// The inverse by Fermat, whose time does not depend on the nonce as
		// Euclid's does.
		inverse := new(big.Int).Exp(k, new(big.Int).Sub(q, big.NewInt(2)), q)
		s := new(big.Int).Mul(x, r)
		s.Add(s, z).Mul(s, inverse).Mod(s, q)
		if r.Sign() != 0 && s.Sign() != 0 {
			return element(tagSequence, integerElement(r.Bytes()), integerElement(s.Bytes())), nil
		}
	}
	return nil, errors.New("sign with DSA: the key's numbers give no signature")
}

// nonces is the generator of RFC 6979 section 3.2 over HMAC-SHA-1.
type nonces struct {
	q    *big.Int
	k, v []byte
}

// newNonces does steps a to g of section 3.2 for the secret x and a digest.
func newNonces(q *big.Int, x, digest []byte) *nonces {
	size := (q.BitLen() + 7) / 8
	secret := number(x).FillBytes(make([]byte, size))
	h := number(digest)
	if h.Cmp(q) >= 0 {
		h.Sub(h, q)
	}
	seed := append(secret, h.FillBytes(make([]byte, size))...)
	n := &nonces{q: q, k: make([]byte, sha1.Size), v: bytes.Repeat([]byte{1}, sha1.Size)}
	n.mix(0, seed)
	n.mix(1, seed)
	return n
}

// mix is one update of K and V.
func (n *nonces) mix(marker byte, seed []byte) {
	n.k = n.mac(n.v, []byte{marker}, seed)
	n.v = n.mac(n.v)
}

func (n *nonces) mac(parts ...[]byte) []byte {
	h := hmac.New(sha1.New, n.k)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// next is step h: a number from 1 to q-1.
func (n *nonces) next() *big.Int {
	size := n.q.BitLen() / 8
	for {
		var t []byte
		for len(t) < size {
			n.v = n.mac(n.v)
			t = append(t, n.v...)
		}
		k := number(t[:size])
		n.mix(0, nil)
		if k.Sign() > 0 && k.Cmp(n.q) < 0 {
			return k
		}
	}
}

// generateDSA makes a key with parameters of its own, of the sizes of FIPS
// 186-4 4.2.
func generateDSA(random io.Reader, bits int) (dsaNumbers, error) {
	sizes, ok := map[int]dsa.ParameterSizes{1024: dsa.L1024N160, 2048: dsa.L2048N256, 3072: dsa.L3072N256}[bits]
	if !ok {
		return dsaNumbers{}, fmt.Errorf("%w: DSA keys are made with 1024, 2048 or 3072 bits, not %d", ErrKeySize, bits)
	}
	var k dsa.PrivateKey
	if err := dsa.GenerateParameters(&k.Parameters, random, sizes); err != nil {
		return dsaNumbers{}, fmt.Errorf("make DSA parameters: %w", err)
	}
	if err := dsa.GenerateKey(&k, random); err != nil {
		return dsaNumbers{}, fmt.Errorf("make DSA key: %w", err)
	}
	return dsaNumbers{k.P.Bytes(), k.Q.Bytes(), k.G.Bytes(), k.Y.Bytes(), k.X.Bytes()}, nil
}
