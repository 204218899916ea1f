package sim

import (
	"encoding/binary"
	"math/bits"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/rr"
)

// mix hashes two numbers.
func mix(a, b uint64) uint64 {
	h, l := bits.Mul64(a^0x9E3779B97F4A7C15, b^0xD6E8FEB86659FD93)
	h ^= l
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	return h ^ h>>32
}

// share makes a hash a number from 0 to 1.
func share(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// A world is the names of the Internet and their addresses.
type world struct {
	changes time.Duration // a name that moves does so in this time; 0: none does
	first   []*truth      // the first answer of each name
	later   map[answerKey]*truth
	ttl     func(name int32) uint32 // nil: the mix of 2019
}

// moving is the share of names whose addresses change.
const moving = 0.2

type answerKey struct {
	name    int32
	version uint32
}

// A truth is an answer of the name server.
type truth struct {
	msg  []byte
	info keep.Info
}

// ttls is the mix of 1.58 million lookups of 2019, of which half have a TTL of a minute
// or less and three quarters of five minutes or less.
var ttls = [...]struct {
	upTo float64
	ttl  uint32
}{{0.10, 20}, {0.30, 30}, {0.50, 60}, {0.75, 300}, {0.90, 900}, {0.985, 3600}, {1, 86400}}

// ttl is the TTL of a name's records as it was in 2019.
func ttl(name int32) uint32 {
	u := share(mix(uint64(name), 99))
	for _, t := range ttls {
		if u < t.upTo {
			return t.ttl
		}
	}
	return ttls[len(ttls)-1].ttl
}

// life is the TTL of a name's records in this world.
func (w *world) life(name int32) uint32 {
	if w.ttl != nil {
		return w.ttl(name)
	}
	return ttl(name)
}

// nameOf is the domain name of a name: n, its number in seven digits, and example.
func nameOf(name int32) rr.Name {
	buf := []byte("\x08n0000000\x07example")
	for i := 8; name > 0; i-- {
		buf[i] = byte('0' + name%10)
		name /= 10
	}
	return rr.Name(buf)
}

// numberOf is the number of a name that nameOf made.
func numberOf(name rr.Name) int32 {
	n := int32(0)
	for i := 2; i < 9; i++ {
		n = n*10 + int32(name[i]-'0')
	}
	return n
}

// version is which of its addresses a name has at a time.
func (w *world) version(name int32, at time.Duration) uint32 {
	h := mix(uint64(name), 5)
	if w.changes == 0 || share(h) >= moving {
		return 0
	}
	phase := time.Duration(share(mix(h, 6)) * float64(w.changes))
	return uint32((at + phase) / w.changes)
}

// at is the answer that the name server has for a name at a time.
func (w *world) at(name int32, when time.Duration) *truth {
	k := answerKey{name, w.version(name, when)}
	if k.version == 0 && w.first[name] != nil {
		return w.first[name]
	}
	if t := w.later[k]; t != nil {
		return t
	}
	t := &truth{msg: address(nameOf(name), w.life(name), mix(uint64(name), uint64(k.version)))}
	var err error
	if t.info, err = keep.Describe(t.msg); err != nil {
		panic(err)
	}
	if k.version == 0 {
		w.first[name] = t
	} else {
		w.later[k] = t
	}
	return t
}

// address makes an answer with one address.
func address(name rr.Name, ttl uint32, h uint64) []byte {
	msg := []byte{0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}
	msg = append(append(msg, name...), 0, 0, 1, 0, 1, 0xC0, 12, 0, 1, 0, 1)
	msg = binary.BigEndian.AppendUint32(msg, ttl)
	return append(msg, 0, 4, 20+byte(h%50), byte(h>>8), byte(h>>16), byte(h>>24))
}

// lie makes an answer with an address that no name has.
func lie(name rr.Name) []byte {
	msg := address(name, 60, 0)
	copy(msg[len(msg)-4:], lied)
	return msg
}

// lied is the address that liars give.
var lied = []byte{203, 0, 113, 66}

// isLie reports whether an answer is one of lie.
func isLie(msg []byte) bool { return len(msg) > 4 && string(msg[len(msg)-4:]) == string(lied) }
