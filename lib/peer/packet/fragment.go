package packet

import (
	"fmt"
	"time"
)

// MaxFragments is how many datagrams an Answer may be cut into.
const MaxFragments = 4

// MaxPart is how many octets of an Answer's body a fragment carries; the last may have
// fewer.
const MaxPart = MaxBody - 2

// A Fragment is a part of the body of an Answer that does not fit into one datagram.
type Fragment struct {
	Index, Count uint8 // Index from 0 on, Count 2 to MaxFragments
	Part         []byte
}

func (*Fragment) kind() Kind { return KindFragment }

// split makes messages of the parts of an Answer in wire form.
func split(m *Message, plain []byte) ([][]byte, error) {
	body := plain[messageHead:]
	count := (len(body) + MaxPart - 1) / MaxPart
	if _, ok := m.Body.(*Answer); !ok || count > MaxFragments {
		return nil, fmt.Errorf("%w: %d octets of body", ErrTooBig, len(body))
	}
	var out [][]byte
	f := *m
	for i := range count {
		f.Body = &Fragment{Index: uint8(i), Count: uint8(count), Part: body[i*MaxPart : min((i+1)*MaxPart, len(body))]}
		p, err := appendMessage(nil, &f)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		f.Seq++
	}
	return out, nil
}

func (f *Fragment) append(b []byte) ([]byte, error) {
	if !f.fits() {
		return b, fmt.Errorf("%w: fragment %d of %d, %d octets", ErrMalformed, f.Index, f.Count, len(f.Part))
	}
	return append(append(b, f.Index, f.Count), f.Part...), nil
}

// fits tells whether it is a fragment that Seal makes.
func (f *Fragment) fits() bool {
	last := f.Index+1 == f.Count
	return f.Count >= 2 && f.Count <= MaxFragments && f.Index < f.Count && len(f.Part) <= MaxPart &&
		(len(f.Part) == MaxPart || last && len(f.Part) > 0)
}

func readFragment(r *reader) *Fragment {
	f := &Fragment{Index: r.uint8(), Count: r.uint8()}
	f.Part = r.take(len(r.b))
	r.bad = r.bad || !f.fits()
	return f
}

// Limits of an Assembler.
const (
	assemblyTime  = time.Second // from its first fragment on
	maxOfSender   = 4           // unfinished messages
	maxUnfinished = 256
)

// An Assembler puts Answers together from their fragments, in whatever order these come.
// It holds at most 4 unfinished ones of a sender and 256 in all, about a megabyte, each
// for a second. It is not for several goroutines at once.
type Assembler struct{ unfinished []*assembly } // the oldest first

// An assembly is an Answer of which fragments have come. The sequence number of the first
// fragment tells two from each other.
type assembly struct {
	from, to  NodeID
	boot, seq uint64
	id        uint64
	since     time.Duration
	parts     [MaxFragments][]byte
	count     uint8
}

// NewAssembler makes an Assembler.
func NewAssembler() *Assembler { return new(Assembler) }

// Len is how many unfinished Answers are held.
func (a *Assembler) Len() int { return len(a.unfinished) }

// Add takes a message with a *Fragment, which must be no replay, and gives the Answer if
// that was the last one missing, else nil. The error is ErrMalformed, of the fragment or
// of what all make together.
func (a *Assembler) Add(now time.Duration, m *Message) (*Message, error) {
	f, ok := m.Body.(*Fragment)
	if !ok || !f.fits() || m.Seq < uint64(f.Index) {
		return nil, fmt.Errorf("%w: not a fragment", ErrMalformed)
	}
	a.expire(now)
	key := assembly{from: m.From, to: m.To, boot: m.Boot, seq: m.Seq - uint64(f.Index), id: m.ID, count: f.Count}
	at := a.find(key)
	if at < 0 {
		a.makeRoom(m.From)
		key.since = now
		a.unfinished = append(a.unfinished, &key)
		at = len(a.unfinished) - 1
	}
	whole := a.unfinished[at]
	if whole.parts[f.Index] == nil {
		whole.parts[f.Index] = f.Part
	}
	var body []byte
	for _, p := range whole.parts[:whole.count] {
		if p == nil {
			return nil, nil
		}
		body = append(body, p...)
	}
	a.remove(at)
	return whole.answer(m, body)
}

// answer reads the body that was put together.
func (w *assembly) answer(m *Message, body []byte) (*Message, error) {
	r := &reader{b: body}
	whole := &Message{From: w.from, To: w.to, Boot: w.boot, Seq: w.seq, ID: w.id, Key: m.Key, Body: readAnswer(r)}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("%w: answer of %d fragments", ErrMalformed, w.count)
	}
	return whole, nil
}

// find gives the place of the assembly with the same key, or -1.
func (a *Assembler) find(key assembly) int {
	for i, u := range a.unfinished {
		if u.from == key.from && u.to == key.to && u.boot == key.boot && u.seq == key.seq && u.id == key.id && u.count == key.count {
			return i
		}
	}
	return -1
}

// expire forgets what is not finished in time.
func (a *Assembler) expire(now time.Duration) {
	for len(a.unfinished) > 0 && now-a.unfinished[0].since >= assemblyTime {
		a.remove(0)
	}
}

// makeRoom forgets the oldest of the sender, or of all, if there is no room for one more.
func (a *Assembler) makeRoom(from NodeID) {
	first, n := -1, 0
	for i, u := range a.unfinished {
		if u.from == from {
			if n++; first < 0 {
				first = i
			}
		}
	}
	switch {
	case n >= maxOfSender:
		a.remove(first)
	case len(a.unfinished) >= maxUnfinished:
		a.remove(0)
	}
}

func (a *Assembler) remove(i int) {
	copy(a.unfinished[i:], a.unfinished[i+1:])
	a.unfinished[len(a.unfinished)-1] = nil
	a.unfinished = a.unfinished[:len(a.unfinished)-1]
}
