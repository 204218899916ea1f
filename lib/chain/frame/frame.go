package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Sizes of frames, in octets.
const (
	headerSize = 24
	typeAt     = 4 // places in a frame
	streamAt   = 6
	Overhead   = headerSize + 4     // of a frame without a body
	MaxSize    = 1 << 20            // of a whole frame
	MaxBody    = MaxSize - Overhead // of a frame's body
)

// Reasons why octets are no frame.
var (
	// ErrShort: the octets end before the frame does.
	ErrShort = errors.New("frame is cut short")
	// ErrSize: the frame is longer than MaxSize or shorter than Overhead.
	ErrSize = errors.New("frame of a bad size")
	// ErrChecksum: the frame is not as it was sent.
	ErrChecksum = errors.New("frame with a bad checksum")
	// ErrFlags: a flag is set that no version knows.
	ErrFlags = errors.New("frame with an unknown flag")
)

// A Type says what a frame's body is.
type Type uint8

// Types of the connection itself; those of messages follow in message.go.
const (
	TypeHandshake Type = 1 // the first frame of each side
	TypePing      Type = 2 // says that its sender is alive; no body, no answer
	TypeBye       Type = 3 // the last frame of its sender
)

// Flags are one bit each. No bit has a meaning yet, and none may be set.
type Flags uint8

// A Header is all of a frame but its body.
type Header struct {
	Type   Type
	Flags  Flags
	Stream uint64
	Chain  uint16 // number of the chain, from 0
	Epoch  uint64 // that the sender has installed
}

// A Frame is one frame as it was received.
type Frame struct {
	Header
	Body []byte
}

var (
	be         = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Append appends a frame. ErrSize if the body has more than MaxBody octets; b is
// then as it was.
func Append(b []byte, h Header, body []byte) ([]byte, error) {
	if len(body) > MaxBody {
		return b, fmt.Errorf("%w: a body of %d octets", ErrSize, len(body))
	}
	start := len(b)
	return finish(append(Begin(b, h), body...), start), nil
}

// Begin appends the head of a frame, for a caller that appends the body in place
// and then calls Finish.
func Begin(b []byte, h Header) []byte {
	b = append(b, 0, 0, 0, 0, byte(h.Type), byte(h.Flags))
	b = be.AppendUint64(b, h.Stream)
	b = be.AppendUint16(b, h.Chain)
	return be.AppendUint64(b, h.Epoch)
}

// Finish ends the frame that Begin began when b had start octets. ErrSize if the
// body has become longer than MaxBody; the frame is then gone from b.
func Finish(b []byte, start int) ([]byte, error) {
	if n := len(b) - start - headerSize; n > MaxBody {
		return b[:start], fmt.Errorf("%w: a body of %d octets", ErrSize, n)
	}
	return finish(b, start), nil
}

func finish(b []byte, start int) []byte {
	be.PutUint32(b[start:], uint32(len(b)-start+4))
	return be.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// Parse reads the frame that b begins with, and tells its size in octets. The
// body is part of b. ErrShort if more octets are needed; any other error is
// final.
func Parse(b []byte) (f Frame, size int, err error) {
	if size, err = measure(b); err != nil {
		return Frame{}, 0, err
	}
	if len(b) < size {
		return Frame{}, 0, ErrShort
	}
	sum := size - 4
	if crc32.Checksum(b[:sum], castagnoli) != be.Uint32(b[sum:]) {
		return Frame{}, 0, ErrChecksum
	}
	f.Type, f.Flags = Type(b[4]), Flags(b[5])
	f.Stream, f.Chain, f.Epoch = be.Uint64(b[6:]), be.Uint16(b[14:]), be.Uint64(b[16:])
	f.Body = b[headerSize:sum:sum]
	if f.Flags != 0 {
		return Frame{}, 0, fmt.Errorf("%w: %#02x", ErrFlags, uint8(f.Flags))
	}
	return f, size, nil
}

// measure reads a frame's length, which is checked before there is memory for it.
func measure(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, ErrShort
	}
	n := be.Uint32(b)
	if n < Overhead || n > MaxSize {
		return 0, fmt.Errorf("%w: %d octets", ErrSize, n)
	}
	return int(n), nil
}
