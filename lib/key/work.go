package key

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// MaxWork is the most work that can be asked for, in bits: with 64 bits of nonce
// more than that may have no solution, and nobody would wait for it.
const MaxWork = 48

// goOnEvery is how many tries lie between two calls of goOn.
const goOnEvery = 1 << 16

// Work finds a nonce that CheckWork accepts: it takes about 2^bits tries.
// It calls goOn, if that is not nil, every 2^16 tries, and gives up, not ok,
// when it says no. Past MaxWork bits it looks for MaxWork.
func Work(service string, pub []byte, bits int, goOn func() bool) (nonce uint64, ok bool) {
	b := workInput(service, pub)
	tail := b[len(b)-8:]
	bits = min(bits, MaxWork)
	for {
		binary.BigEndian.PutUint64(tail, nonce)
		if leadingZeros(sha256.Sum256(b)) >= bits {
			return nonce, true
		}
		nonce++
		if nonce%goOnEvery == 0 && goOn != nil && !goOn() {
			return 0, false
		}
	}
}

// CheckWork tells whether SHA-256 over a context, the service's name, a zero
// octet, the key's octets and the nonce (8 octets, big-endian) starts with at
// least that many zero bits.
func CheckWork(service string, pub []byte, nonce uint64, bits int) bool {
	b := workInput(service, pub)
	binary.BigEndian.PutUint64(b[len(b)-8:], nonce)
	return leadingZeros(sha256.Sum256(b)) >= bits
}

// workInput gives what is hashed, with room for the nonce at its end.
func workInput(service string, pub []byte) []byte {
	b := make([]byte, 0, len(workContext)+len(service)+1+len(pub)+8)
	b = append(b, workContext...)
	b = append(b, service...)
	b = append(b, 0)
	b = append(b, pub...)
	return append(b, make([]byte, 8)...)
}

// leadingZeros counts the zero bits at the start of a hash.
func leadingZeros(h [sha256.Size]byte) int {
	n := 0
	for _, c := range h {
		n += bits.LeadingZeros8(c)
		if c != 0 {
			break
		}
	}
	return n
}
