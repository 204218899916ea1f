package key

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"strings"
)

// errCut is what is said of PEM and DER that do not hold together.
var errCut = fmt.Errorf("%w: cut short or damaged", ErrMalformed)

// readPEM reads the key of a text with PEM blocks (RFC 7468), as OpenSSL and
// Java write them. Parameters before the key are passed over; a public key may
// stand beside its secret key.
func readPEM(text []byte) (File, error) {
	var found File
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type == "DSA PARAMETERS" || block.Type == "EC PARAMETERS" {
			continue
		}
		f, err := readBlock(block)
		if err != nil {
			return File{}, err
		}
		if !found.Public.IsZero() && found.Public != f.Public {
			return File{}, fmt.Errorf("%w: more than one key", ErrMalformed)
		}
		if found.Secret == nil {
			found = f
		}
	}
	if bytes.Contains(text, []byte("-----BEGIN ")) {
		return File{}, fmt.Errorf("PEM: %w", errCut)
	}
	if found.Public.IsZero() {
		return File{}, ErrNoKey
	}
	return found, nil
}

// readBlock reads one PEM block.
func readBlock(block *pem.Block) (File, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return File{}, encrypted()
	}
	switch block.Type {
	case "PRIVATE KEY":
		return secretFile(readPKCS8(block.Bytes))
	case "DSA PRIVATE KEY":
		return secretFile(readTraditional(block.Bytes))
	case "PUBLIC KEY":
		return publicFile(readSPKI(block.Bytes))
	case "RSA PRIVATE KEY", "RSA PUBLIC KEY":
		return File{}, fmt.Errorf("an RSA key, %w", ErrAlgorithm)
	case "EC PRIVATE KEY":
		return File{}, fmt.Errorf("an elliptic curve key, %w", ErrAlgorithm)
	case "CERTIFICATE":
		return File{}, fmt.Errorf("%w: a certificate, and not a key", ErrNoKey)
	case "OPENSSH PRIVATE KEY":
		return File{}, fmt.Errorf("%w: an OpenSSH key file, and not PKCS#8", ErrNoKey)
	}
	return File{}, fmt.Errorf("%w: a PEM block of type %q", ErrNoKey, block.Type)
}

// readDER reads a key that is binary DER of one of the forms that PEM wraps,
// which the first two elements tell apart.
func readDER(b []byte) (File, error) {
	body, ok := der(b).only(tagSequence)
	if !ok {
		return File{}, fmt.Errorf("DER: %w", errCut)
	}
	first := body.tag()
	if _, ok := body.next(first); !ok {
		return File{}, fmt.Errorf("DER: %w", errCut)
	}
	switch {
	case first == tagInteger && body.tag() == tagSequence:
		return secretFile(readPKCS8(b))
	case first == tagInteger && body.tag() == tagInteger:
		return secretFile(readTraditional(b))
	case first == tagInteger && body.tag() == tagOctetString:
		return File{}, fmt.Errorf("an elliptic curve key, %w", ErrAlgorithm)
	case first == tagSequence && body.tag() == tagOctetString:
		return File{}, encrypted()
	}
	return publicFile(readSPKI(b))
}

// encrypted says that, and what to do about it.
func encrypted() error {
	return fmt.Errorf("%w: decrypt it first, as with \"openssl pkey -in FILE\"", ErrEncrypted)
}

// secretFile and publicFile make a File of one key.
func secretFile(s *Secret, err error) (File, error) {
	if err != nil {
		return File{}, err
	}
	return File{Secret: s, Public: s.public, Account: s.public.Account()}, nil
}

func publicFile(p Public, err error) (File, error) {
	if err != nil {
		return File{}, err
	}
	return File{Public: p, Account: p.Account()}, nil
}

// readSPKI reads an X.509 SubjectPublicKeyInfo with a DSA or an Ed25519 key (RFC
// 8410 4).
func readSPKI(b []byte) (Public, error) {
	algorithm, key, ok := splitSPKI(b)
	if !ok {
		return Public{}, fmt.Errorf("public key: %w", errCut)
	}
	if isEd25519(algorithm) {
		return ed25519Public(key)
	}
	return ParsePublic(0, b)
}

// isEd25519 tells an algorithm identifier's contents that say so; there must be
// no parameters.
func isEd25519(algorithm der) bool {
	oid, ok := algorithm.only(tagOID)
	return ok && bytes.Equal(oid, oidEd25519)
}

// readPKCS8 reads PKCS#8 (RFC 5208, and its second version, RFC 5958): SEQUENCE
// { version, SEQUENCE { OID, parameters }, OCTET STRING, attributes, public key }.
func readPKCS8(b []byte) (*Secret, error) {
	body, ok := der(b).only(tagSequence)
	if !ok {
		return nil, fmt.Errorf("PKCS#8: %w", errCut)
	}
	version, ok1 := body.integer()
	algorithm, ok2 := body.next(tagSequence)
	octets, ok3 := body.next(tagOctetString)
	if !ok1 || !ok2 || !ok3 || bitLen(version) > 1 {
		return nil, fmt.Errorf("PKCS#8: %w", errCut)
	}
	if body.tag() == tagContext0 {
		body.next(tagContext0)
	}
	public, given := body.next(tagContext1)
	if len(body) > 0 {
		return nil, fmt.Errorf("PKCS#8: %w", errCut)
	}
	s, err := pkcs8Secret(algorithm, octets)
	if err == nil && given && s.public.algorithm == Ed25519 && string(public) != "\x00"+s.public.octets[1:] {
		return nil, ErrMismatch
	}
	return s, err
}

// pkcs8Secret reads what PKCS#8 wraps: an OCTET STRING of 32 octets (RFC 8410
// 7), or DSA's x.
func pkcs8Secret(algorithm, octets der) (*Secret, error) {
	if isEd25519(algorithm) {
		seed, ok := octets.only(tagOctetString)
		if !ok {
			return nil, fmt.Errorf("PKCS#8: %w", errCut)
		}
		return ed25519Secret(seed)
	}
	n, err := parseDSAParameters(algorithm)
	if err != nil {
		return nil, err
	}
	if !octets.integers(&n.x) {
		return nil, fmt.Errorf("%w: the DSA secret is not one INTEGER", ErrMalformed)
	}
	return newDSA(n)
}

// readTraditional reads OpenSSL's older form of a DSA key: SEQUENCE { 0, p, q,
// g, y, x }. RSA's looks alike and has nine numbers.
func readTraditional(b []byte) (*Secret, error) {
	body, ok := der(b).only(tagSequence)
	if !ok {
		return nil, fmt.Errorf("DSA key: %w", errCut)
	}
	var n dsaNumbers
	var version []byte
	if rsa := body; rsa.integers(make9()...) {
		return nil, fmt.Errorf("an RSA key, %w", ErrAlgorithm)
	}
	if !body.integers(&version, &n.p, &n.q, &n.g, &n.y, &n.x) || len(version) != 0 {
		return nil, fmt.Errorf("DSA key: %w", errCut)
	}
	return newDSA(n)
}

// make9 gives room for RSA's nine numbers, which nobody looks at.
func make9() []*[]byte {
	room := make([]*[]byte, 9)
	for i := range room {
		room[i] = new([]byte)
	}
	return room
}
