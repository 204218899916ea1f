package ldb

import (
	"bufio"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// tableBuffer is how many octets of a table are written at a time. The library
// writes each block by a call of its own, and a block has about 4 KiB.
const tableBuffer = 64 << 10

// A table is a file of the library's for sorted entries, written through a buffer.
// Nobody reads one before it is synced.
type table struct {
	storage.Writer
	buffer *bufio.Writer
}

func newTable(w storage.Writer) *table {
	return &table{Writer: w, buffer: bufio.NewWriterSize(w, tableBuffer)}
}

// Write implements io.Writer. An error may be that of an earlier Write.
func (t *table) Write(b []byte) (int, error) { return t.buffer.Write(b) }

// Sync brings all that was written to the disk.
func (t *table) Sync() error {
	if err := t.buffer.Flush(); err != nil {
		return err
	}
	return t.Writer.Sync()
}

// Close closes the file. What is still in the buffer is of a table that is given up,
// perhaps since the disk is full, and is to go: whole tables are synced first.
func (t *table) Close() error { return t.Writer.Close() }
