package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"namecast/lib/rr"
)

// The encodings below are shared by the backup stream and by stores that keep
// octets. Numbers are unsigned varints in their shortest form, signed ones
// zigzagged; texts, names and data have their length before them. Every value
// has one encoding, so that equal things have equal octets.

// What the first octet of an event's encoding says.
const (
	eventChange = 1
	eventClaim  = 2
)

func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendHead appends the encoding of a head.
func AppendHead(b []byte, h Head) []byte {
	b = appendText(b, h.Account)
	b = binary.AppendUvarint(b, h.Version)
	b = binary.AppendVarint(b, h.Created)
	if h.KeyID == h.Account {
		b = append(b, 0)
	} else {
		b = appendText(b, h.KeyID)
	}
	b = appendText(b, h.Key)
	b = binary.AppendVarint(b, h.NextSeq)
	b = append(b, h.LastHash[:]...)
	b = binary.AppendUvarint(b, uint64(len(h.Domains)))
	for _, d := range h.Domains {
		b = appendText(b, d.Name)
		b = appendText(b, d.Contact)
		b = binary.AppendUvarint(b, uint64(d.TTL))
	}
	b = binary.AppendUvarint(b, uint64(h.Records))
	return binary.AppendUvarint(b, uint64(h.Bytes))
}

// ParseHead reads the encoding of a head, the whole of b, or returns ErrDamaged.
func ParseHead(b []byte) (Head, error) {
	d := decoder{s: string(b)}
	h := d.head()
	return h, d.end("head")
}

func (d *decoder) head() Head {
	h := Head{Account: d.text(), Version: d.uint(), Created: d.int(), KeyID: d.text()}
	if h.KeyID == h.Account && h.Account != "" {
		d.bad = true // the short form is the only one
	}
	if h.KeyID == "" {
		h.KeyID = h.Account
	}
	if k := d.text(); k != "" {
		h.Key = []byte(k)
	}
	h.NextSeq = d.int()
	copy(h.LastHash[:], d.take(uint64(len(h.LastHash))))
	for range d.count(3) {
		h.Domains = append(h.Domains, Domain{Name: d.name(), Contact: d.name(), TTL: d.uint32()})
	}
	h.Records, h.Bytes = d.size(), d.size()
	return h
}

// AppendSet appends the encoding of an RRset.
func AppendSet(b []byte, s rr.Set) []byte {
	b = appendText(b, s.Owner)
	b = binary.AppendUvarint(b, uint64(s.Type))
	return appendRecords(b, s)
}

// appendRecords appends the part of an RRset that is not its name and type.
func appendRecords(b []byte, s rr.Set) []byte {
	b = binary.AppendUvarint(b, uint64(s.TTL))
	b = binary.AppendUvarint(b, uint64(len(s.Data)))
	for _, d := range s.Data {
		b = appendText(b, d)
	}
	return b
}

// ParseSet reads the encoding of an RRset, the whole of b, or returns ErrDamaged.
func ParseSet(b []byte) (rr.Set, error) {
	d := decoder{s: string(b)}
	s := d.set()
	return s, d.end("RRset")
}

func (d *decoder) set() rr.Set {
	s := rr.Set{Owner: d.name(), Type: d.rrtype()}
	d.records(&s)
	return s
}

func (d *decoder) records(s *rr.Set) {
	s.TTL = d.uint32()
	n := d.count(1)
	s.Data = make([]rr.Data, 0, n)
	for range n {
		s.Data = append(s.Data, rr.Data(d.text()))
	}
}

// AppendClaim appends the encoding of a domain's state.
func AppendClaim(b []byte, c Claim) []byte {
	b = binary.AppendUvarint(b, c.Version)
	b = appendText(b, c.Account)
	return appendText(b, c.Previous)
}

// ParseClaim reads the encoding of a domain's state, the whole of b, or returns
// ErrDamaged.
func ParseClaim(b []byte) (Claim, error) {
	d := decoder{s: string(b)}
	c := d.claim()
	return c, d.end("claim")
}

func (d *decoder) claim() Claim {
	return Claim{Version: d.uint(), Account: d.text(), Previous: d.text()}
}

// AppendEvent appends the encoding of a change or a claim; the position is the
// caller's to keep.
func AppendEvent(b []byte, e Event) []byte {
	if e.Claim != nil {
		b = appendText(append(b, eventClaim), e.Domain)
		return AppendClaim(b, *e.Claim)
	}
	b, _, _ = AppendChange(b, e.Change)
	return b
}

// AppendChange appends the encoding of the event that a change is, in which that
// of its head stands at out[from:to].
func AppendChange(b []byte, c *Change) (out []byte, from, to int) {
	b = append(b, eventChange)
	from = len(b)
	b = AppendHead(b, c.Head)
	to = len(b)
	b = binary.AppendUvarint(b, uint64(len(c.Put)))
	for _, s := range c.Put {
		b = AppendSet(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Delete)))
	for _, k := range c.Delete {
		b = binary.AppendUvarint(appendText(b, k.Owner), uint64(k.Type))
	}
	return b, from, to
}

// ParseEvent reads the encoding of a change or a claim, the whole of b, or
// returns ErrDamaged. The event's position is zero.
func ParseEvent(b []byte) (Event, error) {
	d := decoder{s: string(b)}
	var e Event
	switch kind := d.take(1); kind {
	case string(rune(eventChange)):
		e.Change = d.change()
	case string(rune(eventClaim)):
		e.Domain = d.name()
		c := d.claim()
		e.Claim = &c
	default:
		d.bad = true
	}
	return e, d.end("event")
}

func (d *decoder) change() *Change {
	c := &Change{Head: d.head()}
	c.From = c.Head.Version - 1
	if c.Head.Version == 0 {
		d.bad = true
	}
	for range d.count(4) {
		c.Put = append(c.Put, d.set())
	}
	for range d.count(2) {
		c.Delete = append(c.Delete, SetKey{Owner: d.name(), Type: d.rrtype()})
	}
	return c
}

// A decoder reads encodings. The first fault makes it bad for good, and what it
// gives from then on is zero; end tells. The texts it gives share one string.
type decoder struct {
	s   string
	bad bool
}

func (d *decoder) take(n uint64) string {
	if d.bad || n > uint64(len(d.s)) {
		d.bad, d.s = true, ""
		return ""
	}
	t := d.s[:n]
	d.s = d.s[n:]
	return t
}

func (d *decoder) uint() uint64 {
	var v uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break // above 64 bits
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c == 0 && i > 0 {
				break // a longer form than needed
			}
			d.s = d.s[i+1:]
			return v
		}
	}
	d.bad, d.s = true, ""
	return 0
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

// limited reads a number up to top.
func (d *decoder) limited(top uint64) uint64 {
	v := d.uint()
	if v > top {
		d.bad, d.s, v = true, "", 0
	}
	return v
}

func (d *decoder) uint32() uint32  { return uint32(d.limited(math.MaxUint32)) }
func (d *decoder) rrtype() rr.Type { return rr.Type(d.limited(math.MaxUint16)) }
func (d *decoder) size() int       { return int(d.limited(math.MaxInt)) }

// count reads a number of things that take at least least octets each, so that
// a foreign number cannot ask for memory that its octets do not pay for.
func (d *decoder) count(least int) int {
	return int(d.limited(uint64(len(d.s) / least)))
}

func (d *decoder) text() string { return d.take(d.uint()) }

func (d *decoder) name() rr.Name {
	n := rr.Name(d.text())
	if n.Check() != nil {
		d.bad, n = true, ""
	}
	return n
}

func (d *decoder) end(what string) error {
	if d.bad || d.s != "" {
		return fmt.Errorf("%w: %s in an unknown form", ErrDamaged, what)
	}
	return nil
}

// AppendRecords appends TTL and data of an RRset for a store that keeps owner
// and type in a key of its own; the owner goes along only when it has upper
// case.
func AppendRecords(b []byte, s rr.Set) []byte {
	owner := s.Owner
	if owner == owner.Lower() {
		owner = ""
	}
	return appendRecords(appendText(b, owner), s)
}

// ParseRecords reads what AppendRecords wrote for the RRset of the lower-case
// owner and the type, or returns ErrDamaged.
func ParseRecords(b []byte, owner rr.Name, t rr.Type) (rr.Set, error) {
	d := decoder{s: string(b)}
	s := rr.Set{Owner: owner, Type: t}
	if cased := d.name(); cased != "" {
		s.Owner = cased
		d.bad = d.bad || cased == owner || cased.Lower() != owner
	}
	d.records(&s)
	return s, d.end("RRset")
}
