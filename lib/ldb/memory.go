package ldb

import "math"

// Bounds of the buffer that gathers what is written, in octets. A larger one
// makes compactions cost less, a smaller one makes a start quicker, which reads
// the buffer's journal again at about 30 MiB a second.
const (
	minWriteBuffer = 4 << 20
	maxWriteBuffer = 8 << 20
)

// tableSize is how large the tables are that compactions write, in octets. The
// library takes as much memory for each that it writes.
const tableSize = 4 << 20

// MinMemory is the least amount of memory that is shared out, in octets.
const MinMemory = 48 << 20

// A budget says how an amount of memory is shared out, in octets.
type budget struct {
	writeBuffer int
	cache       int // of blocks: records, and the tables' indexes and filters
}

// share shares out an amount of memory. Half of it is left to the garbage
// collector, which lets the heap grow to twice what is in use. Of the other half
// the write buffer takes three times its size: one being filled, one on its way
// to a table, and their skip lists. Compactions take two tables. The rest goes to
// the block cache, less a tenth for what the cache needs to find its blocks.
func share(memory int64) budget {
	memory = min(max(memory, MinMemory), math.MaxInt)
	used := memory / 2
	buffer := min(max(memory/16, minWriteBuffer), maxWriteBuffer)
	cache := (used - 3*buffer - 2*tableSize) / 11 * 10
	return budget{writeBuffer: int(buffer), cache: int(cache)}
}
