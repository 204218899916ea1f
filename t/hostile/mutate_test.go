package hostile

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// A mutator makes bad messages of good ones.
type mutator struct {
	*rand.Rand
	corpus [][]byte
}

// odd are octets that mean something somewhere: ends of ranges, pointers, label
// types.
var odd = []byte{0, 1, 2, 12, 0x29, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xfe, 0xff}

var oddTypes = []uint16{0, 41, 128, 249, 250, 251, 252, 253, 254, 255, 256, 32769, 65280, 65535}

// next makes one message; a few are left as they are.
func (m *mutator) next() []byte {
	b := bytes.Clone(m.corpus[m.IntN(len(m.corpus))])
	if m.IntN(20) == 0 {
		return b
	}
	for range 1 + m.IntN(4) {
		if len(b) == 0 {
			break
		}
		b = mutations[m.IntN(len(mutations))](m, b)
	}
	return b[:min(len(b), 65000)]
}

// place is anywhere in b.
func (m *mutator) place(b []byte) int { return m.IntN(len(b)) }

// mutations are the ways of spoiling; each may write into b.
var mutations = []func(m *mutator, b []byte) []byte{
	(*mutator).flip, (*mutator).oddOctet, (*mutator).cutOff, (*mutator).lengthen, (*mutator).takeOut, (*mutator).repeat, (*mutator).splice,
	(*mutator).count, (*mutator).flags, (*mutator).pointer, (*mutator).pointers, (*mutator).labelLength, (*mutator).longName,
	(*mutator).kind, (*mutator).lastLength, (*mutator).option, (*mutator).moreRecords,
}

func (m *mutator) flip(b []byte) []byte {
	b[m.place(b)] ^= 1 << m.IntN(8)
	return b
}

func (m *mutator) oddOctet(b []byte) []byte {
	b[m.place(b)] = odd[m.IntN(len(odd))]
	return b
}

func (m *mutator) cutOff(b []byte) []byte { return b[:m.place(b)] }

func (m *mutator) lengthen(b []byte) []byte {
	for range 1 + m.IntN(600) {
		b = append(b, byte(m.Uint32()))
	}
	return b
}

func (m *mutator) takeOut(b []byte) []byte {
	from := m.place(b)
	return append(b[:from:from], b[from+m.IntN(len(b)-from):]...)
}

func (m *mutator) repeat(b []byte) []byte {
	from := m.place(b)
	to := from + m.IntN(len(b)-from)
	return append(b[:to:to], b[from:]...)
}

func (m *mutator) splice(b []byte) []byte {
	other := m.corpus[m.IntN(len(m.corpus))]
	at := m.place(b)
	return append(b[:at:at], other[min(at, len(other)):]...)
}

// count lies about the records of a section.
func (m *mutator) count(b []byte) []byte {
	if len(b) >= headerSize {
		binary.BigEndian.PutUint16(b[4+2*m.IntN(4):], []uint16{0, 1, 2, 3, 255, 65535}[m.IntN(6)])
	}
	return b
}

func (m *mutator) flags(b []byte) []byte {
	if len(b) >= headerSize {
		b[2] = byte(m.Uint32()) & 0x7f // a response gets no answer: seldom worth while
		b[3] = byte(m.Uint32())
	}
	return b
}

// pointer puts a pointer somewhere: to itself, ahead, back, to the header.
func (m *mutator) pointer(b []byte) []byte {
	at := m.place(b)
	to := []int{at, at + 2, 0, headerSize, m.place(b), 0x3fff}[m.IntN(6)]
	return m.putPointer(b, at, to)
}

func (m *mutator) putPointer(b []byte, at, to int) []byte {
	if at+1 < len(b) {
		binary.BigEndian.PutUint16(b[at:], 0xc000|uint16(to)&0x3fff)
	}
	return b
}

// pointers makes a chain, each one leading to the one before; the question or a
// record begins with the last.
func (m *mutator) pointers(b []byte) []byte {
	if len(b) < headerSize {
		return b
	}
	n := 1 + m.IntN(300)
	chain := make([]byte, 2*n)
	for i := range n {
		to := headerSize + 2*(i-1)
		if i == 0 {
			to = headerSize + 2*m.IntN(n) // a loop
		}
		m.putPointer(chain, 2*i, to)
	}
	tail := m.putPointer(make([]byte, 6), 0, headerSize+2*(n-1))
	tail[3], tail[5] = 1, 1
	return append(append(b[:headerSize:headerSize], chain...), tail...)
}

// labelLength lies about the length of a label.
func (m *mutator) labelLength(b []byte) []byte {
	at := headerSize
	for range m.IntN(4) {
		if at < len(b) {
			at += 1 + int(b[at])
		}
	}
	if at < len(b) {
		b[at] += byte(m.IntN(7) - 3)
	}
	return b
}

// longName asks for a name of about the greatest length, or far beyond.
func (m *mutator) longName(b []byte) []byte {
	if len(b) < headerSize {
		return b
	}
	out := append([]byte(nil), b[:headerSize]...)
	size := []int{1, 2, 31, 63, 64}[m.IntN(5)]
	for total := []int{252, 253, 254, 255, 256, 600, 5000}[m.IntN(7)]; total > 0; total -= size + 1 {
		n := min(size, max(total-1, 1))
		out = append(append(out, byte(n)), bytes.Repeat([]byte{'a'}, n)...)
	}
	return append(append(out, 0, 0, 1, 0, 1), b[min(len(b), headerSize+5):]...)
}

// kind asks for an odd type or class.
func (m *mutator) kind(b []byte) []byte {
	at := headerSize
	for at < len(b) && b[at] != 0 && b[at] < 64 {
		at += 1 + int(b[at])
	}
	if at += 1 + 2*m.IntN(2); at+2 <= len(b) {
		binary.BigEndian.PutUint16(b[at:], oddTypes[m.IntN(len(oddTypes))])
	}
	return b
}

// lastLength lies about the length of the data at the end, mostly those of OPT.
func (m *mutator) lastLength(b []byte) []byte {
	for at := len(b) - 11; at >= headerSize; at-- {
		if b[at] == 0 && b[at+1] == 0 && b[at+2] == typeOPT {
			binary.BigEndian.PutUint16(b[at+9:], uint16([]int{0, 1, 3, 4, 5, len(b), 65535}[m.IntN(7)]))
			break
		}
	}
	return b
}

// option adds an option to the OPT record at the end, with a length that may be
// a lie.
func (m *mutator) option(b []byte) []byte {
	for at := len(b) - 11; at >= headerSize; at-- {
		size := binary.BigEndian.Uint16(b[at+9:])
		if b[at] != 0 || b[at+1] != 0 || b[at+2] != typeOPT || at+11+int(size) != len(b) {
			continue
		}
		data := make([]byte, m.IntN(48))
		for i := range data {
			data[i] = byte(m.Uint32())
		}
		b = binary.BigEndian.AppendUint16(b, uint16(m.IntN(20)))
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(data)+m.IntN(8)/7)), data...)
		binary.BigEndian.PutUint16(b[at+9:], size+4+uint16(len(data)))
		break
	}
	return b
}

// moreRecords adds records and counts them, also in sections where a query has
// none, as small as they can be.
func (m *mutator) moreRecords(b []byte) []byte {
	if len(b) < headerSize {
		return b
	}
	n, section := 1+m.IntN(100), 6+2*m.IntN(3)
	for range n {
		b = append(b, 0xc0, headerSize, 0, odd[m.IntN(len(odd))], 0, 1, 0, 0, 0, 0, 0, 0)
	}
	binary.BigEndian.PutUint16(b[section:], binary.BigEndian.Uint16(b[section:])+uint16(n))
	return b
}
