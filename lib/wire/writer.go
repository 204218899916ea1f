package wire

import "namecast/lib/rr"

// A Writer writes a response behind the question that it is for. Names are
// compressed wherever RFC 1035 section 4.1.4 and RFC 3597 section 4 allow; the
// case of letters does not count for that, so what stands in the question is
// referred to in the case it has there.
//
// Compression reaches the question's name and as many of those after it as
// there are places for.
type Writer struct {
	buf   []byte
	marks [maxMarks]mark
	n     int // marks in use
}

// maxMarks bounds what compression costs in long responses.
const maxMarks = 128

// A mark is a place in the message where a name stands or ends.
type mark struct {
	at   uint16
	size uint8 // of the name from there on, in octets, without the root label
}

// Start begins a message with a header of zeros and a question, in the memory of
// buf. The question is its name, type and class as they came, or empty.
func (w *Writer) Start(buf, question []byte) {
	w.buf = append(append(buf[:0], make([]byte, HeaderSize)...), question...)
	w.n = 0
	if len(question) > 0 {
		w.markAll(HeaderSize, len(question)-5)
	}
}

// Bytes is what was written, good until the next Start.
func (w *Writer) Bytes() []byte { return w.buf }

// Len is its length, in octets.
func (w *Writer) Len() int { return len(w.buf) }

// A Place is one in a message, to go back to.
type Place struct{ length, marks int }

// Here is the place where the next record will stand.
func (w *Writer) Here() Place { return Place{len(w.buf), w.n} }

// Back takes away all that was written after a place.
func (w *Writer) Back(p Place) { w.buf, w.n = w.buf[:p.length], p.marks }

// Set writes an RRset of class IN. Its owner is an absolute name.
func (w *Writer) Set(s rr.Set) {
	for _, d := range s.Data {
		w.Record(s.Owner, s.Type, classIN, s.TTL, d)
	}
}

// Record writes one record.
func (w *Writer) Record(owner rr.Name, t rr.Type, class uint16, ttl uint32, d rr.Data) {
	w.name(owner)
	w.buf = be.AppendUint16(w.buf, uint16(t))
	w.buf = be.AppendUint16(w.buf, class)
	w.buf = be.AppendUint32(w.buf, ttl)
	w.buf = append(w.buf, 0, 0)
	at := len(w.buf)
	w.data(t, d)
	be.PutUint16(w.buf[at-2:], uint16(len(w.buf)-at))
}

// data writes a record's data. The types whose names may be compressed are those
// of RFC 1035; a name made by a DNAME ends in the one that is written there.
func (w *Writer) data(t rr.Type, d rr.Data) {
	skip, names := 0, 0
	switch t {
	case rr.TypeNS, rr.TypeCNAME, rr.TypePTR:
		names = 1
	case rr.TypeMX:
		skip, names = 2, 1
	case rr.TypeSOA:
		names = 2
	case rr.TypeDNAME:
		defer w.markAll(len(w.buf), len(d)-1)
	}
	for w.buf = append(w.buf, d[:min(skip, len(d))]...); names > 0; names-- {
		end := skip
		for end < len(d) && d[end] != 0 {
			end += 1 + int(d[end])
		}
		if end >= len(d) {
			break // not a name: it is written as it is
		}
		w.name(rr.Name(d[skip:end]))
		skip = end + 1
	}
	w.buf = append(w.buf, d[min(skip, len(d)):]...)
}

// name writes a name: the labels that nothing before it ends in, and a pointer to
// what does.
func (w *Writer) name(n rr.Name) {
	start := len(w.buf)
	rest := n
	for rest != "" {
		if at, ok := w.find(rest); ok {
			w.markSome(start, len(n), len(n)-len(rest))
			w.buf = be.AppendUint16(w.buf, 0xc000|at)
			return
		}
		label := 1 + int(rest[0])
		w.buf = append(w.buf, rest[:label]...)
		rest = rest[label:]
	}
	w.markSome(start, len(n), len(n))
	w.buf = append(w.buf, 0)
}

// find looks for a name in the message.
func (w *Writer) find(n rr.Name) (at uint16, ok bool) {
	for _, m := range w.marks[:w.n] {
		if int(m.size) == len(n) && w.equal(int(m.at), n) {
			return m.at, true
		}
	}
	return 0, false
}

// equal compares a name with the one that stands at a place.
func (w *Writer) equal(at int, n rr.Name) bool {
	for i := 0; i < len(n); {
		if w.buf[at] >= 0xc0 {
			at = int(be.Uint16(w.buf[at:]) & 0x3fff)
			continue
		}
		for end := i + 1 + int(n[i]); i < end; i, at = i+1, at+1 {
			if w.buf[at] != n[i] && fold(w.buf[at]) != fold(n[i]) {
				return false
			}
		}
	}
	return true
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// markAll marks every label of a name that is written out.
func (w *Writer) markAll(at, size int) { w.markSome(at, size, size) }

// markSome marks the labels that begin in the first octets of a name of so many
// octets. A pointer has 14 bits.
func (w *Writer) markSome(at, size, written int) {
	for i := 0; i < written && w.n < maxMarks && at+i < 1<<14; i += 1 + int(w.buf[at+i]) {
		w.marks[w.n] = mark{uint16(at + i), uint8(size - i)}
		w.n++
	}
}

// An OPT is the record of EDNS in a response (RFC 6891 section 6.1.2).
type OPT struct {
	Size    uint16 // octets that the sender takes over UDP
	Rcode   uint8  // the high 8 bits of a response code of 12
	Flags   uint16 // of FlagDO, FlagCO
	Options []byte // as AppendOption makes them
}

// Len is its length, in octets.
func (o *OPT) Len() int { return OPTSize + len(o.Options) }

// Append appends the record.
func (o *OPT) Append(b []byte) []byte {
	b = append(b, 0, 0, typeOPT)
	b = be.AppendUint16(b, o.Size)
	b = append(b, o.Rcode, 0)
	b = be.AppendUint16(b, o.Flags)
	b = be.AppendUint16(b, uint16(len(o.Options)))
	return append(b, o.Options...)
}

// AppendOption appends an option of EDNS.
func AppendOption(b []byte, code uint16, data []byte) []byte {
	b = be.AppendUint16(b, code)
	b = be.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// OPT writes the record of EDNS.
func (w *Writer) OPT(o *OPT) { w.buf = o.Append(w.buf) }

// Raw writes octets as they are.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }
