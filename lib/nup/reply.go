package nup

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// A Reply answers one request. Version 0 carries the fields up to Codes.
type Reply struct {
	Version int    // 0 or 1
	Key     []byte // the request's
	Seq     int64  // the request's
	Next    int64  // the sequence number expected next
	Status  Status
	Codes   []Code // one for each element; none if the elements could not be read

	From       netip.AddrPort // where the request came from, as the node saw it
	RetryAfter time.Duration  // with StatusTryLater; whole milliseconds travel
	WorkBits   int            // the proof of work that a new account needs, in bits
	Account    string         // the account's name
	Text       string         // for people: one line
	Sync       Sync           // whether every node has the account as it is
}

// Options of a version 1 reply.
const (
	replyFrom    = 1
	replyRetry   = 2
	replyText    = 3
	replyWork    = 4
	replyAccount = 5
	replySync    = 6
)

// Limits of a version 1 reply's texts, in octets.
const (
	maxReplyText = 255
	maxAccount   = 63
)

// Append appends the reply to b, in at most limit octets. What of the options
// does not fit is left out: Sync has the first claim to room, then From, WorkBits,
// RetryAfter, Account and Text, which is cut. Nil says that even without them
// the reply does not fit, and then there is none.
func (r *Reply) Append(b []byte, limit int) []byte {
	size := r.headSize()
	if r.Version == 1 {
		size += 4
	}
	if size > limit {
		return nil
	}
	b = append(b, Magic...)
	b = binary.BigEndian.AppendUint16(b, uint16(r.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Key)))
	b = append(b, r.Key...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Next))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Codes)))
	if r.Version == 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(r.Status.V0()))
		for _, c := range r.Codes {
			b = binary.BigEndian.AppendUint16(b, uint16(c.V0()))
		}
		return b
	}
	b = binary.BigEndian.AppendUint16(b, uint16(r.Status))
	for _, c := range r.Codes {
		b = binary.BigEndian.AppendUint16(b, uint16(c))
	}
	at := len(b)
	b = r.appendOptions(append(b, 0, 0), limit-size)
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	return append(b, 0, 0) // no signature
}

// headSize is the length of what both versions have.
func (r *Reply) headSize() int {
	return len(Magic) + 2 + 2 + len(r.Key) + 8 + 8 + 2 + 2 + 2*len(r.Codes)
}

// appendOptions appends the options that fit in room octets, in ascending order
// of their types. The most useful are given their place first, the text last.
func (r *Reply) appendOptions(b []byte, room int) []byte {
	var has [replySync + 1][]byte
	give := func(kind int, data []byte) {
		if len(data) > 0 && 4+len(data) <= room {
			has[kind] = data
			room -= 4 + len(data)
		}
	}
	if r.Sync != NotAsked {
		give(replySync, []byte{byte(r.Sync)})
	}
	var from [16 + 2]byte
	give(replyFrom, appendSource(from[:0], r.From))
	var work [2]byte
	if binary.BigEndian.PutUint16(work[:], uint16(r.WorkBits)); r.WorkBits > 0 {
		give(replyWork, work[:])
	}
	var wait [4]byte
	if binary.BigEndian.PutUint32(wait[:], milliseconds(r.RetryAfter)); r.RetryAfter > 0 {
		give(replyRetry, wait[:])
	}
	var account [maxAccount]byte
	if len(r.Account) <= maxAccount {
		give(replyAccount, append(account[:0], r.Account...))
	}
	if r.Text != "" {
		give(replyText, []byte(cut(oneLine(r.Text), min(room-4, maxReplyText))))
	}
	for kind, data := range has {
		if data != nil {
			b = appendOption(b, uint16(kind), data)
		}
	}
	return b
}

// appendSource appends an address and a port; nothing for no address.
func appendSource(b []byte, from netip.AddrPort) []byte {
	switch a := from.Addr().Unmap(); {
	case a.Is4():
		four := a.As4()
		b = append(b, four[:]...)
	case a.Is6():
		sixteen := a.As16()
		b = append(b, sixteen[:]...)
	default:
		return b
	}
	return binary.BigEndian.AppendUint16(b, from.Port())
}

// milliseconds rounds up, so that a client never comes too early.
func milliseconds(d time.Duration) uint32 {
	return uint32(min((d+time.Millisecond-1)/time.Millisecond, 1<<32-1))
}

// oneLine makes a text that is safe on a terminal: what is not printable, and
// what is not UTF-8, becomes "?".
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return '?'
		}
		return c
	}, s)
}

// cut shortens s to at most n octets without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:max(n, 0)]
}

// ParseReply reads a reply, which must be the whole of b. The error is
// ErrNotNUP, or wraps ErrVersion or ErrMalformed.
func ParseReply(b []byte) (*Reply, error) {
	c := cursor{b: b}
	if len(b) < len(Magic) || string(c.take(len(Magic))) != Magic {
		return nil, ErrNotNUP
	}
	r := &Reply{Version: int(int16(c.u16()))}
	if c.ok() && r.Version != 0 && r.Version != 1 {
		return nil, fmt.Errorf("read reply: %w: version %d", ErrVersion, r.Version)
	}
	r.Key = c.take(c.size16())
	r.Seq = int64(c.u64())
	r.Next = int64(c.u64())
	count := c.size16()
	r.Status = Status(c.u16())
	codes := cursor{b: c.take(2 * count)}
	for codes.at < len(codes.b) {
		r.Codes = append(r.Codes, Code(codes.u16()))
	}
	if r.Version == 1 {
		r.parseOptions(&c)
		c.take(int(c.u16())) // a signature, of a later day
	}
	if c.at < len(b) || r.Next < 0 {
		c.fail(StatusMalformed)
	}
	if !c.ok() {
		return nil, fmt.Errorf("read reply: %w: %s", ErrMalformed, c.status)
	}
	return r, nil
}

// parseOptions reads the options; unknown ones are passed over.
func (r *Reply) parseOptions(c *cursor) {
	opts := cursor{b: c.take(int(c.u16()))}
	last := 0
	for c.ok() && opts.at < len(opts.b) {
		kind := int(opts.u16())
		data := opts.take(int(opts.u16()))
		if !opts.ok() || kind <= last || !r.setOption(kind, data) {
			c.fail(StatusMalformed)
		}
		last = kind
	}
}

// setOption takes one option into the reply; false if its data is not what the
// option carries.
func (r *Reply) setOption(kind int, data []byte) bool {
	d := cursor{b: data}
	switch kind {
	case replyFrom:
		addr, ok := netip.AddrFromSlice(d.take(max(len(data)-2, 0)))
		r.From = netip.AddrPortFrom(addr, d.u16())
		return ok
	case replyRetry:
		r.RetryAfter = time.Duration(d.u32()) * time.Millisecond
	case replyWork:
		r.WorkBits = int(d.u16())
	case replySync:
		r.Sync = Sync(d.u8())
	case replyText:
		r.Text = oneLine(string(d.take(min(len(data), maxReplyText))))
		return true
	case replyAccount:
		r.Account = oneLine(string(d.take(min(len(data), maxAccount+1))))
		return len(data) <= maxAccount
	default:
		return true
	}
	return d.ok() && d.at == len(data)
}

// Answers reports whether the reply is to the request: the same key and the
// same sequence number. A reply in the form of version 0 that says that the
// version is not spoken carries no sequence number.
func (r *Reply) Answers(q *Request) bool {
	if string(r.Key) != string(q.Key) {
		return false
	}
	unspoken := r.Status == StatusUnsupported || r.Status == StatusObsolete
	return r.Seq == q.Seq || r.Version != q.Version && unspoken
}
