package ldb

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// goleveldb's journals, and its manifest, are sequences of records in blocks of
// 32 KiB. A record is cut into chunks that do not cross blocks:
//
//	CRC-32C, masked, 4 octets, low first | length, 2 octets, low first | type, 1 octet | octets
//
// The checksum covers the type and the octets. What is left of a block and too
// short for a chunk's head is zero.
const (
	blockSize = 32 << 10
	headSize  = 7
)

// Types of a chunk.
const (
	chunkFull   = 1
	chunkFirst  = 2
	chunkMiddle = 3
	chunkLast   = 4
)

// An ending says how a journal's octets end.
type ending int

const (
	whole  ending = iota
	torn          // in a record that was not written to its end
	broken        // in something that no interrupted write leaves
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkSum is the checksum of a chunk from its type on.
func chunkSum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// scanJournal calls record with every whole record and reports where the last
// of them ends and how b goes on from there.
func scanJournal(b []byte, record func([]byte)) (end int, how ending) {
	var rec []byte
	inside := false
	for pos := 0; pos < len(b); {
		room := blockSize - pos%blockSize
		if room < headSize {
			pos += room
			continue
		}
		rest := b[pos:min(pos+room, len(b))]
		n, how := scanChunk(rest, len(rest) == room)
		if how == broken && unwritten(b, pos) {
			how = torn
		}
		if how != whole {
			return end, how
		}
		kind := rest[6]
		if inside != (kind == chunkMiddle || kind == chunkLast) {
			return end, broken
		}
		rec = append(rec, rest[headSize:n]...)
		pos += n
		inside = kind == chunkFirst || kind == chunkMiddle
		if !inside {
			record(rec)
			rec, end = rec[:0], pos
		}
	}
	if inside {
		return end, torn
	}
	return len(b), whole
}

// scanChunk gives the size of the chunk at the beginning of rest, which is what
// there is of its block; full says that this is all of the block.
func scanChunk(rest []byte, full bool) (n int, how ending) {
	if len(rest) < headSize {
		return 0, torn
	}
	sum := binary.LittleEndian.Uint32(rest)
	n = headSize + int(binary.LittleEndian.Uint16(rest[4:]))
	kind := rest[6]
	switch {
	case kind < chunkFull || kind > chunkLast:
		return 0, broken
	case n > len(rest) && (full || chunkSum(rest[6:]) == sum):
		return 0, broken // the length is wrong, not the rest missing
	case n > len(rest):
		return 0, torn
	case chunkSum(rest[6:n]) != sum:
		return 0, broken
	}
	return n, whole
}

// Disks write sectors of at least this many octets whole.
const sectorSize = 512

// unwritten reports whether b from pos on, where a chunk should be, is what a
// file system leaves that makes a file longer before it writes the octets: zero
// from there, or from the end of one of its sectors, to the end of the file. A
// whole record does not end so: see "Writing" in the package comment.
func unwritten(b []byte, pos int) bool {
	written := len(bytes.TrimRight(b, "\x00"))
	if written <= pos {
		return true
	}
	from := (written + sectorSize - 1) / sectorSize * sectorSize
	return from+8 <= len(b)
}

// Numbers of the fields in a manifest's record that journalNumber must know.
const (
	fieldComparer    = 1
	fieldJournal     = 2
	fieldNextFile    = 3
	fieldSequence    = 4
	fieldPointer     = 5
	fieldDelTable    = 6
	fieldAddTable    = 7
	fieldPrevJournal = 9
)

// journalNumber reads the number of the oldest journal that is needed from a
// manifest's record; ok is false if the record names none, or has a form that is
// unknown here.
func journalNumber(rec []byte) (n int64, ok bool) {
	r := fields{b: rec}
	for len(r.b) > 0 {
		switch r.number() {
		case fieldJournal:
			n, ok = int64(r.number()), true
		case fieldNextFile, fieldSequence, fieldPrevJournal:
			r.number()
		case fieldComparer:
			r.text()
		case fieldPointer:
			r.number()
			r.text()
		case fieldDelTable:
			r.number()
			r.number()
		case fieldAddTable:
			r.number()
			r.number()
			r.number()
			r.text()
			r.text()
		default:
			return 0, false
		}
	}
	return n, ok && !r.bad
}

// fields cuts the parts of a manifest's record off; a fault leaves nothing.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.b, f.bad = nil, true
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) text() {
	n := f.number()
	if n > uint64(len(f.b)) {
		f.b, f.bad = nil, true
		return
	}
	f.b = f.b[n:]
}
