package main

import (
	"fmt"
	"math/bits"
)

// maxLog is how many records fit into a log.
const maxLog = 4

// A record is an entry of a log: in the high four bits the client's write, from
// 1, and in the low four the epoch of the head that gave it its place. The same
// write placed twice is two records.
type record uint8

func newRecord(write, epoch uint8) record { return record(write<<4 | epoch) }

func (r record) write() uint8 { return uint8(r >> 4) }
func (r record) epoch() uint8 { return uint8(r & 15) }

func (r record) String() string { return fmt.Sprintf("write %d of epoch %d", r.write(), r.epoch()) }

// A history is the records of a log, the first one in the low octet. No record
// is zero, so the length is that of the octets in use.
type history uint32

func (h history) size() uint8 { return uint8(bits.Len32(uint32(h))+7) / 8 }

// at gives the record at position i, from 0: its LSN is i+1.
func (h history) at(i uint8) record { return record(h >> (8 * i)) }

func (h history) add(r record) history { return h | history(r)<<(8*h.size()) }

// first gives the first n records.
func (h history) first(n uint8) history { return h & (1<<(8*uint64(n)) - 1) }

// begins tells whether h is a prefix of other.
func (h history) begins(other history) bool { return other.first(h.size()) == h }

// has tells whether a write is in the log, wherever it was placed.
func (h history) has(write uint8) bool {
	for ; h != 0; h >>= 8 {
		if record(h).write() == write {
			return true
		}
	}
	return false
}
