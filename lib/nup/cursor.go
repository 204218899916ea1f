package nup

import "encoding/binary"

// A cursor reads a packet from the left. The first thing that goes wrong
// sticks in status, and everything read after it is zero: a parser looks at
// status where it matters and needs no check at every field.
type cursor struct {
	b      []byte
	at     int
	status Status
}

func (c *cursor) ok() bool { return c.status == StatusOK }

// fail keeps the first failure.
func (c *cursor) fail(s Status) {
	if c.ok() {
		c.status = s
	}
}

// take gives the next n octets, which belong to the packet.
func (c *cursor) take(n int) []byte {
	if n > len(c.b)-c.at {
		c.fail(StatusTooShort)
	}
	if !c.ok() {
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at : c.at]
}

func (c *cursor) u8() int {
	if b := c.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// size16 reads a signed 16-bit length or count of version 0.
func (c *cursor) size16() int { return c.size(int(int16(c.u16()))) }

// size32 reads a signed 32-bit length of version 0.
func (c *cursor) size32() int { return c.size(int(int32(c.u32()))) }

func (c *cursor) size(n int) int {
	if n < 0 {
		c.fail(StatusMalformed)
		return 0
	}
	return n
}
