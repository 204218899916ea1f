package dnssec

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"

	"namecast/lib/rr"
)

// Fields of DNSKEY and DS records.
const (
	flags      = 257 // zone key, secure entry point (RFC 4034 section 2.1.1)
	protocol   = 3   // RFC 4034 section 2.1.2
	algorithm  = 13  // ECDSAP256SHA256, RFC 6605
	digestType = 2   // SHA-256, RFC 4509
)

// derivation begins the info of HKDF; see the package comment.
const derivation = "namecast dnssec csk 1\x00"

// A Key is the key of one zone in one epoch.
type Key struct {
	Zone  rr.Name // lower case
	Epoch uint32
	Tag   uint16 // RFC 4034 appendix B

	private *ecdsa.PrivateKey
	dnskey  rr.Data
}

// Key makes the key of a zone.
func (e Epoch) Key(zone rr.Name) (*Key, error) {
	k := &Key{Zone: zone.Lower(), Epoch: e.Number}
	info := binary.BigEndian.AppendUint32([]byte(derivation), e.Number)
	info = append(info, k.Zone.Wire()...)
	seed, err := hkdf.Key(sha256.New, e.secret[:], nil, string(info), 48)
	if err == nil {
		k.private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar(seed))
	}
	var point []byte
	if err == nil {
		point, err = k.private.PublicKey.Bytes()
	}
	if err != nil {
		return nil, fmt.Errorf("make key of %s: %w", zone, err)
	}
	// RFC 6605 section 4: the two coordinates, without the octet before them.
	data := append([]byte{flags >> 8, flags & 0xff, protocol, algorithm}, point[1:]...)
	k.dnskey, k.Tag = rr.Data(data), tag(data)
	return k, nil
}

// scalar makes a P-256 scalar, 1 to n-1, of 48 octets.
func scalar(seed []byte) []byte {
	one := big.NewInt(1)
	n := new(big.Int).Sub(elliptic.P256().Params().N, one)
	x := new(big.Int).SetBytes(seed)
	x.Mod(x, n).Add(x, one)
	return x.FillBytes(make([]byte, 32))
}

// tag is the checksum of RFC 4034 appendix B.
func tag(dnskey []byte) uint16 {
	var sum uint32
	for i, b := range dnskey {
		if i%2 == 0 {
			sum += uint32(b) << 8
		} else {
			sum += uint32(b)
		}
	}
	return uint16(sum + sum>>16)
}

// DNSKEY is the data of the key's DNSKEY record, and of its CDNSKEY.
func (k *Key) DNSKEY() rr.Data { return k.dnskey }

// DS is the data of the DS record that the parent zone needs, and of the key's
// CDS (RFC 4034 section 5.1.4).
func (k *Key) DS() rr.Data {
	digest := sha256.Sum256(append(k.Zone.Wire(), k.dnskey...))
	data := binary.BigEndian.AppendUint16(nil, k.Tag)
	return rr.Data(append(append(data, algorithm, digestType), digest[:]...))
}

// Format implements fmt.Formatter: no verb prints the private key.
func (k *Key) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "key %d of %s, epoch %d", k.Tag, k.Zone, k.Epoch)
}

// signature is r and s (RFC 6605 section 4).
type signature [64]byte

// sign signs a SHA-256 digest. Without a source of randomness crypto/ecdsa signs
// as RFC 6979 says.
func (k *Key) sign(digest [32]byte) (out signature, err error) {
	der, err := k.private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return out, fmt.Errorf("sign for %s: %w", k.Zone, err)
	}
	// SEQUENCE { r INTEGER, s INTEGER } in DER (RFC 3279 section 2.2.3). What the
	// library makes is taken apart by hand: reading it as numbers takes a
	// twentieth of the time that the signature takes.
	rest := fillInteger(out[:32], der[2:])
	fillInteger(out[32:], rest)
	return out, nil
}

// fillInteger writes a positive INTEGER of DER with less than 128 octets into
// all of out, and gives what stands behind it.
func fillInteger(out, der []byte) (rest []byte) {
	n := int(der[1])
	number := bytes.TrimLeft(der[2:2+n], "\x00")
	copy(out[len(out)-len(number):], number)
	return der[2+n:]
}
