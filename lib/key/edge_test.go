package key

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"
)

// These tests fix what is a signature at the edges, where implementations of
// Ed25519 differ: the cases of "Taming the many EdDSAs" (Chalkias, Garillot,
// Nikolaenko, 2020), made here from their construction. Every node of a service
// must judge alike, and so must every version of this program, whatever it
// verifies with: cofactorless, S below the order of the group, the octets of A and
// R hashed as they came, A read also from an encoding that is not the canonical
// one, R compared as octets with the canonical encoding of what it should be.

// A point of edwards25519 in affine coordinates.
type point struct{ x, y *big.Int }

// integer reads a decimal number.
func integer(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic("not a number: " + s)
	}
	return n
}

// The curve (RFC 8032 section 5.1): -x^2 + y^2 = 1 + d x^2 y^2 modulo prime.
var (
	prime    = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	order    = new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 252), integer("27742317777372353535851937790883648493"))
	curveD   = mod(new(big.Int).Mul(big.NewInt(-121665), inverse(big.NewInt(121666))))
	identity = point{big.NewInt(0), big.NewInt(1)}
	base     = lift(mod(new(big.Int).Mul(big.NewInt(4), inverse(big.NewInt(5)))))
	torsion  = torsionPoint()
)

func mod(n *big.Int) *big.Int     { return n.Mod(n, prime) }
func inverse(n *big.Int) *big.Int { return new(big.Int).ModInverse(n, prime) }

// lift gives the point with an even x at y; its x is nil if there is none.
func lift(y *big.Int) point {
	yy := new(big.Int).Mul(y, y)
	over := new(big.Int).Sub(yy, big.NewInt(1))
	under := new(big.Int).Add(yy.Mul(yy, curveD), big.NewInt(1))
	x := new(big.Int).ModSqrt(mod(over.Mul(over, inverse(mod(under)))), prime)
	if x != nil && x.Bit(0) == 1 {
		x.Sub(prime, x)
	}
	return point{x, y}
}

func (p point) add(q point) point {
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	all := mul(curveD, mul(mul(p.x, q.x), mul(p.y, q.y)))
	x := new(big.Int).Add(mul(p.x, q.y), mul(q.x, p.y))
	y := new(big.Int).Add(mul(p.y, q.y), mul(p.x, q.x))
	over := inverse(mod(new(big.Int).Add(big.NewInt(1), all)))
	under := inverse(mod(new(big.Int).Sub(big.NewInt(1), all)))
	return point{mul(x, over), mul(y, under)}
}

func (p point) times(k *big.Int) point {
	sum := identity
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = sum.add(sum)
		if k.Bit(i) == 1 {
			sum = sum.add(p)
		}
	}
	return sum
}

func (p point) negative() point { return point{mod(new(big.Int).Neg(p.x)), p.y} }

// encode gives the canonical encoding.
func (p point) encode() []byte {
	b := littleEndian(p.y)
	b[31] |= byte(p.x.Bit(0)) << 7
	return b
}

func littleEndian(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// torsionPoint finds a point of order 8.
func torsionPoint() point {
	for y := int64(2); ; y++ {
		if p := lift(big.NewInt(y)); p.x != nil {
			if t := p.times(order); t.times(big.NewInt(4)).encode()[0] != 1 {
				return t
			}
		}
	}
}

// challenge is the number h that R, A and the message give.
func challenge(r, a, msg []byte) *big.Int {
	h := sha512.Sum512(slices.Concat(r, a, msg))
	slices.Reverse(h[:])
	n := new(big.Int).SetBytes(h[:])
	return n.Mod(n, order)
}

// find tries messages until the numbers that they give suit.
func find(suits func(msg []byte) bool) []byte {
	for n := uint64(0); ; n++ {
		if msg := binary.BigEndian.AppendUint64(nil, n); suits(msg) {
			return msg
		}
	}
}

// residue tells what number h gives modulo m.
func residue(r, a, msg []byte, m int64) int64 {
	return new(big.Int).Mod(challenge(r, a, msg), big.NewInt(m)).Int64()
}

// An edge is a signature and whether it is one.
type edge struct {
	name        string
	pub, r, msg []byte
	s           *big.Int
	want        bool
}

// sum gives a + b c modulo the order.
func sum(a, b, c *big.Int) *big.Int {
	n := new(big.Int).Mul(b, c)
	return n.Mod(n.Add(n, a), order)
}

// smallOrder makes the cases whose key is of small order: T, of order 8.
func smallOrder() []edge {
	nonce := big.NewInt(1234567)
	key, small := torsion.encode(), torsion.negative().encode()
	mixed := base.times(nonce).add(torsion.negative()).encode()
	// What is left of -T + h T is nothing if h is 1 modulo 8.
	one := func(r []byte) []byte { return find(func(m []byte) bool { return residue(r, key, m, 8) == 1 }) }
	two := func(r []byte) []byte { return find(func(m []byte) bool { return residue(r, key, m, 8) == 2 }) }
	return []edge{
		{"0: A and R of small order", key, small, one(small), big.NewInt(0), true},
		{"0: the same, cofactored only", key, small, two(small), big.NewInt(0), false},
		{"1: A of small order, R mixed", key, mixed, one(mixed), nonce, true},
		{"1: the same, cofactored only", key, mixed, two(mixed), nonce, false},
	}
}

// mixedOrder makes the cases whose key is one with T added.
func mixedOrder() []edge {
	nonce, secret := big.NewInt(7654321), big.NewInt(1357913579)
	key := base.times(secret).add(torsion).encode()
	small := torsion.negative().encode()
	plain := base.times(nonce).encode()
	mixed := base.times(nonce).add(torsion.negative()).encode()
	make := func(name string, r []byte, nonce *big.Int, left int64, want bool) edge {
		msg := find(func(m []byte) bool { return residue(r, key, m, 8) == left })
		return edge{name, key, r, msg, sum(nonce, challenge(r, key, msg), secret), want}
	}
	return []edge{
		make("2: A mixed, R of small order", small, big.NewInt(0), 1, true),
		make("3: A and R mixed", mixed, nonce, 1, true),
		make("4: A and R mixed, cofactored only", mixed, nonce, 3, false),
		make("5: A mixed, cofactored only", plain, nonce, 4, false),
		make("5: A mixed, h a multiple of 8", plain, nonce, 0, true),
	}
}

// largeS makes the cases whose S is not below the order.
func largeS() []edge {
	nonce, secret, msg := big.NewInt(24680), big.NewInt(97531), []byte("message")
	key, r := base.times(secret).encode(), base.times(nonce).encode()
	s := sum(nonce, challenge(r, key, msg), secret)
	more := new(big.Int).Add(s, order)
	most := new(big.Int).Lsh(big.NewInt(1), 256)
	most.Sub(most, big.NewInt(1)).Sub(most, s)
	most.Sub(most, new(big.Int).Mod(most, order)).Add(most, s)
	return []edge{
		{"a plain signature", key, r, msg, s, true},
		{"6: S above the order", key, r, msg, more, false},
		{"7: S far above the order", key, r, msg, most, false},
	}
}

// odd are encodings that are not canonical: of the identity, y = 1 as p + 1 and
// as x = -0, and of a point of order 4, y = 0 as p.
var oddOne, oddMinus, oddZero = littleEndian(new(big.Int).Add(prime, big.NewInt(1))), append(make([]byte, 0), minusZero()...), littleEndian(prime)

func minusZero() []byte {
	b := identity.encode()
	b[31] |= 0x80
	return b
}

// oddR makes the cases whose R is the identity, oddly encoded.
func oddR() []edge {
	secret := big.NewInt(1122334455)
	key := base.times(secret).add(torsion).encode()
	var list []edge
	for name, c := range map[string]struct{ hashed, sent []byte }{
		"8: R not canonical, reduced before it is hashed": {identity.encode(), oddOne},
		"9: R not canonical, hashed as it is":             {oddOne, oddOne},
		"9: R with x = -0":                                {oddMinus, oddMinus},
	} {
		msg := find(func(m []byte) bool { return residue(c.hashed, key, m, 8) == 0 })
		list = append(list, edge{name, key, c.sent, msg, sum(big.NewInt(0), challenge(c.hashed, key, msg), secret), false})
	}
	return list
}

// oddA makes the cases whose key is oddly encoded.
func oddA() []edge {
	nonce := big.NewInt(987654321)
	four := lift(big.NewInt(0))
	mixed := base.times(nonce).add(four.negative()).encode()
	plain := base.times(nonce).encode()
	as := func(hashed, other []byte) []byte {
		return find(func(m []byte) bool { return residue(mixed, hashed, m, 4) == 1 && residue(mixed, other, m, 4) != 1 })
	}
	return []edge{
		{"10: A not canonical, reduced before it is hashed", oddZero, mixed, as(four.encode(), oddZero), nonce, false},
		{"11: A not canonical, hashed as it is", oddZero, mixed, as(oddZero, four.encode()), nonce, true},
		{"11: A the identity, not canonical", oddOne, plain, []byte("any"), nonce, true},
		{"11: A with x = -0", oddMinus, plain, []byte("any"), nonce, true},
	}
}

// TestVerifyEdges fixes the verdicts at the edges.
func TestVerifyEdges(t *testing.T) {
	for _, e := range slices.Concat(smallOrder(), mixedOrder(), largeS(), oddR(), oddA()) {
		pub, err := ParsePublic(1, append([]byte{byte(Ed25519)}, e.pub...))
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		sig := append(slices.Clone(e.r), littleEndian(e.s)...)
		if got := pub.Verify(e.msg, sig); got != e.want {
			t.Errorf("%s: verified %v, want %v", e.name, got, e.want)
		}
		if got := ed25519.Verify(e.pub, e.msg, sig); got != e.want {
			t.Errorf("%s: crypto/ed25519 says %v, want %v", e.name, got, e.want)
		}
	}
}

// TestVerifyNoPoint: octets that are no point of the curve are nobody's key.
func TestVerifyNoPoint(t *testing.T) {
	y := int64(2)
	for lift(big.NewInt(y)).x != nil {
		y++
	}
	pub, err := ParsePublic(1, append([]byte{byte(Ed25519)}, littleEndian(big.NewInt(y))...))
	if err != nil {
		t.Fatal(err)
	}
	if pub.Verify(nil, append(identity.encode(), make([]byte, 32)...)) {
		t.Error("a signature of no key")
	}
}
