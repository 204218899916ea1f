package packet

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// Reasons why a datagram is refused.
var (
	// ErrForeign: it is none of this version and these keys, going by its size and head.
	ErrForeign = errors.New("not a datagram of the group")
	// ErrSeal: no key opens it.
	ErrSeal = errors.New("datagram does not open")
	// ErrMalformed: the message has a form that no message has.
	ErrMalformed = errors.New("malformed message")
	// ErrTooBig: the message does not fit into the datagrams that it may have.
	ErrTooBig = errors.New("message too big")
)

// Sizes in octets.
const (
	MaxDatagram = 1232 // what IPv6 carries everywhere: 1280 less 48 of its and UDP's heads
	magicSize   = 5    // magic, version, key id
	headSize    = magicSize + chacha20poly1305.NonceSizeX
	messageHead = 42 // kind, flags, from, to, boot, seq, id
	minDatagram = headSize + messageHead + chacha20poly1305.Overhead

	// MaxBody is the longest body of a message in one datagram: what the records of a
	// Put, and one octet, may take.
	MaxBody = MaxDatagram - minDatagram
)

// magic is what every datagram begins with: "NC" and the version.
const magic = "NC\x01"

// Seal makes the datagrams of a message with nonces from random: one, or for an Answer up
// to MaxFragments, which have the sequence numbers from m.Seq on. The error is ErrTooBig,
// ErrMalformed, or of random.
func (k *Keys) Seal(m *Message, random io.Reader) ([][]byte, error) {
	if m.Key < 0 || m.Key >= len(k.keys) {
		return nil, fmt.Errorf("%w: key %d of %d", ErrMalformed, m.Key, len(k.keys))
	}
	plain, err := appendMessage(make([]byte, 0, 512), m)
	if err != nil {
		return nil, err
	}
	plains := [][]byte{plain}
	if len(plain)-messageHead > MaxBody {
		if plains, err = split(m, plain); err != nil {
			return nil, err
		}
	}
	out := make([][]byte, len(plains))
	for i, p := range plains {
		if out[i], err = k.keys[m.Key].seal(p, random); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// seal makes one datagram.
func (g *groupKey) seal(plain []byte, random io.Reader) ([]byte, error) {
	b := make([]byte, headSize, headSize+len(plain)+chacha20poly1305.Overhead)
	copy(b, magic)
	copy(b[len(magic):], g.id[:])
	if _, err := io.ReadFull(random, b[magicSize:]); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	return g.aead.Seal(b, b[magicSize:], plain, b[:magicSize]), nil
}

// Open opens a datagram and reads the message. The signature of a Hello is not checked;
// see CheckHello. The body may be a *Fragment; see Assembler. The message shares no memory
// with the datagram. The error is ErrForeign, ErrSeal or ErrMalformed.
func (k *Keys) Open(datagram []byte) (*Message, error) {
	if len(datagram) < minDatagram || len(datagram) > MaxDatagram || string(datagram[:len(magic)]) != magic {
		return nil, ErrForeign
	}
	err := ErrForeign
	for i := range k.keys {
		g := &k.keys[i]
		if string(datagram[len(magic):magicSize]) != string(g.id[:]) {
			continue
		}
		plain, fault := g.aead.Open(nil, datagram[magicSize:headSize], datagram[headSize:], datagram[:magicSize])
		if fault != nil {
			err = ErrSeal
			continue
		}
		m, fault := parseMessage(plain)
		if fault != nil {
			return nil, fault
		}
		m.Key = i
		return m, nil
	}
	return nil, err
}
