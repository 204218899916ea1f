package zone

import (
	"encoding/binary"
	"sort"

	"namecast/lib/rr"
	"namecast/lib/wire"
)

// A Layout tells where things stand in a message that was written.
type Layout struct {
	Counts [InAdditional + 1]int // records, without OPT
	Serial int                   // the serial of the last SOA record; 0 without
	Signed bool                  // that record has signatures
}

// Write writes the message in the memory of buf: all but the query's identity,
// opcode and RD. The question is its octets as they came, or none. It fits the
// limit: what is not needed goes first, from the end; if the needed does not fit
// either, whole RRsets from the front are kept and TC is set (RFC 2181 section 9).
func (r *Response) Write(w *wire.Writer, buf, question []byte, size uint16) (at Layout) {
	w.Start(buf, question)
	opt := wire.OPT{Size: size, Rcode: uint8(r.Rcode >> 4), Flags: r.Flags, Options: r.Options}
	room := r.Limit - len(r.Tail)
	if r.EDNS {
		room -= opt.Len()
	}
	at = r.fit(w, room)
	additional := at.Counts[InAdditional]
	if r.EDNS {
		w.OPT(&opt)
		additional++
	}
	if r.Tail != nil {
		w.Raw(r.Tail)
		additional++
	}
	r.head(w.Bytes(), at, len(question) > 0, additional)
	return at
}

// head writes the header: what of it is the response's own.
func (r *Response) head(b []byte, at Layout, question bool, additional int) {
	b[2] = wire.FlagQR
	if r.Authoritative {
		b[2] |= wire.FlagAA
	}
	if r.Truncated {
		b[2] |= wire.FlagTC
	}
	b[3] = byte(r.Rcode & 0xf)
	if question {
		b[5] = 1
	}
	binary.BigEndian.PutUint16(b[6:], uint16(at.Counts[InAnswer]))
	binary.BigEndian.PutUint16(b[8:], uint16(at.Counts[InAuthority]))
	binary.BigEndian.PutUint16(b[10:], uint16(additional))
}

// fit writes as many groups as there is room for in a message.
func (r *Response) fit(w *wire.Writer, room int) Layout {
	start := w.Here()
	if at, ok := place(w, r.Groups, room); ok {
		return at
	}
	var needed, rest []Group
	for _, g := range r.Groups {
		if g.Needed {
			needed = append(needed, g)
		} else {
			rest = append(rest, g)
		}
	}
	try := func(groups []Group) (Layout, bool) {
		w.Back(start)
		return place(w, groups, room)
	}
	most := func(top int, part func(n int) []Group) Layout {
		n := sort.Search(top, func(i int) bool { _, ok := try(part(i + 1)); return !ok })
		at, _ := try(part(n))
		return at
	}
	if _, ok := try(needed); ok {
		return most(len(rest), func(n int) []Group { return append(needed[:len(needed):len(needed)], rest[:n]...) })
	}
	r.Truncated = true
	return most(len(needed), func(n int) []Group { return needed[:n] })
}

// place writes groups in the order of the sections. It is not ok if the message
// gets longer than there is room for; it goes no further then.
func place(w *wire.Writer, groups []Group, room int) (at Layout, ok bool) {
	for s := range at.Counts {
		for i := range groups {
			g := &groups[i]
			if g.Section != Section(s) {
				continue
			}
			at.Counts[s] += len(g.Set.Data) + len(g.Sigs.Data)
			g.write(w, &at)
			if w.Len() > room {
				return at, false
			}
		}
	}
	return at, w.Len() <= room
}

// SOATail is the serial of a SOA record and what follows it, in octets.
const SOATail = 20

func (g *Group) write(w *wire.Writer, at *Layout) {
	class := max(g.Class, 1)
	for _, d := range g.Set.Data {
		w.Record(g.Set.Owner, g.Set.Type, class, g.Set.TTL, d)
	}
	if g.Set.Type == rr.TypeSOA {
		at.Serial, at.Signed = w.Len()-SOATail, len(g.Sigs.Data) > 0
	}
	for _, d := range g.Sigs.Data {
		w.Record(g.Sigs.Owner, g.Sigs.Type, class, g.Sigs.TTL, d)
	}
}
