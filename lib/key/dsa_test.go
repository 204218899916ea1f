package key

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// unpem gives the octets of the first PEM block.
func unpem(t testing.TB, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("no PEM block")
	}
	return block.Bytes
}

func TestParsePublicVersion0(t *testing.T) {
	good := load(t, "openssl_dsa1024.pem").Secret.dsa
	odd := func(bits int) []byte { // an odd number of that many bits
		b := bytes.Repeat([]byte{0xff}, (bits+7)/8)
		b[0] >>= (8 - bits%8) % 8
		return b
	}
	change := func(f func(*dsaNumbers)) []byte {
		n := good
		f(&n)
		return n.spki()
	}
	seq := func(parts ...[]byte) []byte { return element(tagSequence, parts...) }
	bits := func(b []byte) []byte { return element(tagBitString, []byte{0}, b) }
	y := integerElement(good.y)
	pqg := [][]byte{integerElement(good.p), integerElement(good.q), integerElement(good.g)}
	oid := element(tagOID, oidDSA)
	spki := good.spki()
	tests := []struct {
		name   string
		octets []byte
		want   error
	}{
		{name: "good", octets: spki},
		{name: "p of 512 bits", octets: change(func(n *dsaNumbers) { n.p, n.g, n.y = odd(512), []byte{2}, []byte{2} })},
		{name: "p of 3072 bits", octets: change(func(n *dsaNumbers) { n.p = odd(3072) })},
		{name: "q of 224 bits", octets: change(func(n *dsaNumbers) { n.q = odd(224) })},
		{name: "q of 256 bits", octets: change(func(n *dsaNumbers) { n.q = odd(256) })},
		{name: "p of 511 bits", octets: change(func(n *dsaNumbers) { n.p, n.g, n.y = odd(511), []byte{2}, []byte{2} }), want: ErrKeySize},
		{name: "p of 3073 bits", octets: change(func(n *dsaNumbers) { n.p = odd(3073) }), want: ErrKeySize},
		{name: "p of 60000 octets", octets: change(func(n *dsaNumbers) { n.p = odd(480000) }), want: ErrKeySize},
		{name: "q of 159 bits", octets: change(func(n *dsaNumbers) { n.q = odd(159) }), want: ErrKeySize},
		{name: "q of 161 bits", octets: change(func(n *dsaNumbers) { n.q = odd(161) }), want: ErrKeySize},
		{name: "q of 257 bits", octets: change(func(n *dsaNumbers) { n.q = odd(257) }), want: ErrKeySize},
		{name: "q zero", octets: change(func(n *dsaNumbers) { n.q = nil }), want: ErrKeySize},
		{name: "p even", octets: change(func(n *dsaNumbers) { n.p = append(bytes.Clone(n.p[:127]), 2) }), want: ErrMalformed},
		{name: "q even", octets: change(func(n *dsaNumbers) { n.q = append(bytes.Clone(n.q[:19]), 2) }), want: ErrMalformed},
		{name: "g zero", octets: change(func(n *dsaNumbers) { n.g = nil }), want: ErrMalformed},
		{name: "g one", octets: change(func(n *dsaNumbers) { n.g = []byte{1} }), want: ErrMalformed},
		{name: "g = p", octets: change(func(n *dsaNumbers) { n.g = n.p }), want: ErrMalformed},
		{name: "y zero", octets: change(func(n *dsaNumbers) { n.y = nil }), want: ErrMalformed},
		{name: "y one", octets: change(func(n *dsaNumbers) { n.y = []byte{1} }), want: ErrMalformed},
		{name: "y = p", octets: change(func(n *dsaNumbers) { n.y = n.p }), want: ErrMalformed},
		{name: "nothing", want: ErrMalformed},
		{name: "cut short", octets: spki[:len(spki)-1], want: ErrMalformed},
		{name: "octets after it", octets: append(bytes.Clone(spki), 0), want: ErrMalformed},
		{name: "no parameters", octets: seq(seq(oid), bits(y)), want: ErrMalformed},
		{name: "null parameters", octets: seq(seq(oid, element(tagNull)), bits(y)), want: ErrMalformed},
		{name: "two parameters", octets: seq(seq(oid, seq(pqg[:2]...)), bits(y)), want: ErrMalformed},
		{name: "four parameters", octets: seq(seq(oid, seq(append(pqg, pqg[0])...)), bits(y)), want: ErrMalformed},
		{name: "more in the algorithm", octets: seq(seq(oid, seq(pqg...), oid), bits(y)), want: ErrMalformed},
		{name: "more in the key", octets: seq(seq(oid, seq(pqg...)), bits(append(y, y...))), want: ErrMalformed},
		{name: "unused bits", octets: seq(seq(oid, seq(pqg...)), element(tagBitString, []byte{1}, y)), want: ErrMalformed},
		{name: "padded y", octets: seq(seq(oid, seq(pqg...)), bits(element(tagInteger, []byte{0, 0}, good.y))), want: ErrMalformed},
		{name: "negative y", octets: seq(seq(oid, seq(pqg...)), bits(element(tagInteger, []byte{0x80}))), want: ErrMalformed},
		{name: "no algorithm", octets: seq(seq(), bits(y)), want: ErrMalformed},
		{name: "RSA", octets: unpem(t, testdata(t, "refused/rsa_public.pem")), want: ErrAlgorithm},
		{name: "Ed25519", octets: unpem(t, testdata(t, "openssl_ed25519_public.pem")), want: ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePublic(0, tt.octets)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if err == nil && (!bytes.Equal(p.Bytes(), tt.octets) || p.Version() != 0 || p.Algorithm() != DSA) {
				t.Errorf("parsed as version %d, %v", p.Version(), p.Algorithm())
			}
		})
	}
}

// An even modulus, a composite subgroup and the like get no further than "no".
func TestVerifyWithNonsenseNumbers(t *testing.T) {
	n := load(t, "openssl_dsa1024.pem").Secret.dsa
	n.q = bytes.Repeat([]byte{0xff}, 20)
	p, err := ParsePublic(0, n.spki())
	if err != nil {
		t.Fatal(err)
	}
	three := integerElement([]byte{3})
	if p.Verify([]byte("sample"), element(tagSequence, three, three)) {
		t.Error("accepts a signature")
	}
}

func TestGenerateDSA(t *testing.T) {
	s, err := GenerateDSA(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign([]byte("sample"))
	if err != nil || !s.Public().Verify([]byte("sample"), sig) || s.Public().Bits() != 1024 {
		t.Errorf("a new key of %d bits does not sign: %v", s.Public().Bits(), err)
	}
	if _, err := GenerateDSA(rand.Reader, 512); !errors.Is(err, ErrKeySize) {
		t.Errorf("512 bits: error %v", err)
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	s := testKey(t)
	f := File{Secret: s, Public: s.Public()}
	for _, got := range []string{fmt.Sprint(s), fmt.Sprint(*s), fmt.Sprintf("%v %+v %#v %s %x", s, s, s, s, s), fmt.Sprintf("%+v %#v", f, f)} {
		if strings.Contains(got, "[0 0 0 0") || strings.Contains(got, "00000000") || strings.Contains(got, "0x0, 0x0, 0x0") {
			t.Errorf("printed %s", got)
		}
	}
}

func BenchmarkParseDSA1024(b *testing.B) {
	octets := load(b, "openssl_dsa1024.pem").Public.Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePublic(0, octets); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, name := range []string{"openssl_ed25519.pem", "openssl_dsa1024.pem", "java_dsa3072.pem"} {
		b.Run(name, func(b *testing.B) {
			f := load(b, name)
			sig, err := f.Secret.Sign([]byte("sample"))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if !f.Public.Verify([]byte("sample"), sig) {
					b.Fatal("refused")
				}
			}
		})
	}
}
