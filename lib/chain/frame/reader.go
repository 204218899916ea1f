package frame

import (
	"errors"
	"io"
)

// Sizes of a reader's memory.
const (
	readSize = 64 << 10 // octets that are asked for at once
	// patience is how many small frames follow a large one before the memory
	// for large ones is given back: a snapshot is a row of large frames.
	patience = 64
)

// A Reader reads frames from a stream, many with one read where they are there.
// It keeps 64 KiB of memory, and up to 1 MiB while frames are that long. It is
// for one goroutine.
type Reader struct {
	src        io.Reader
	buf        []byte
	start, end int // of what was read and not yet returned
	small      int // frames since the last large one
}

// NewReader makes a reader of a stream.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, readSize)} }

// Next returns the next frame, whose body is good until the next call. io.EOF if
// the stream ends between two frames; after any error no other frame follows.
func (r *Reader) Next() (Frame, error) {
	need := 4
	for {
		if r.end-r.start >= need {
			size, err := measure(r.buf[r.start:r.end])
			if err != nil {
				return Frame{}, err
			}
			if need = size; r.end-r.start >= need {
				break
			}
		}
		if err := r.fill(need); err != nil {
			return Frame{}, err
		}
	}
	f, size, err := Parse(r.buf[r.start:r.end])
	r.start += size
	r.small++
	return f, err
}

// Buffered tells how many octets are here of frames that Next has not returned.
func (r *Reader) Buffered() int { return r.end - r.start }

// fill reads once, into memory that has room for need octets from start on.
func (r *Reader) fill(need int) error {
	r.room(need)
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	switch {
	case n > 0:
		return nil // an error comes again with the next read
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF) && r.end > r.start:
		return io.ErrUnexpectedEOF
	}
	return err
}

// room moves what is here to the front, of other memory where that is needed or
// no longer needed.
func (r *Reader) room(need int) {
	if need > readSize {
		r.small = 0
	}
	to := r.buf
	switch {
	case need > len(r.buf):
		to = make([]byte, min(MaxSize, max(need, 4*readSize)))
	case len(r.buf) > readSize && r.small > patience && r.end-r.start <= readSize:
		to = make([]byte, readSize)
	case r.start+need <= len(r.buf) && r.start < r.end:
		return
	}
	r.end = copy(to, r.buf[r.start:r.end])
	r.start, r.buf = 0, to
}
