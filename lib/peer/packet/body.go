package packet

import (
	"fmt"
	"math"
	"time"

	"namecast/lib/rr"
)

// Limits of messages.
const (
	MaxAddrs   = 8  // of a Hello
	MaxKnown   = 56 // addresses of a Known: as many as a datagram holds
	MaxReason  = 64 // octets of a Bye's reason
	MaxWeight  = 16 // of a Hello
	MaxRecords = 32 // of a Put
)

// Flags on the wire.
const (
	flagDO        = 1
	flagFreshOnly = 2
	flagResolve   = 4
	flagWant      = 1
)

func (*Hello) flags() uint8    { return 0 }
func (*Bye) flags() uint8      { return 0 }
func (*Ping) flags() uint8     { return 0 }
func (*Pong) flags() uint8     { return 0 }
func (*Answer) flags() uint8   { return 0 }
func (*Put) flags() uint8      { return 0 }
func (*Fragment) flags() uint8 { return 0 }
func (k *Known) flags() uint8  { return bit(k.Want, flagWant) }
func (a *Ask) flags() uint8 {
	return bit(a.DO, flagDO) | bit(a.FreshOnly, flagFreshOnly) | bit(a.Resolve, flagResolve)
}

func bit(set bool, flag uint8) uint8 {
	if set {
		return flag
	}
	return 0
}

func (h *Hello) append(b []byte) ([]byte, error) {
	if h.Weight > MaxWeight || h.Upstream > Probation {
		return b, fmt.Errorf("%w: hello of weight %d, upstream %d", ErrMalformed, h.Weight, h.Upstream)
	}
	b = append(append(b, h.Key[:]...), h.Signature[:]...)
	b = be.AppendUint64(append(b, h.Weight), h.Net)
	b, err := appendTime(append(b, byte(h.Upstream)), h.UpstreamFor)
	if err != nil {
		return b, err
	}
	c := &h.Counters
	for _, n := range [...]uint64{c.Asked, c.Fresh, c.Stale, c.Peer, c.Iterated, c.Failed} {
		b = be.AppendUint64(b, n)
	}
	b = be.AppendUint32(b, h.Entries)
	b = be.AppendUint64(b, h.Members)
	if b, err = appendTime(be.AppendUint16(b, h.Version), h.Started); err != nil {
		return b, err
	}
	return appendAddrs(b, h.Addrs, MaxAddrs)
}

func readHello(r *reader) *Hello {
	h := new(Hello)
	copy(h.Key[:], r.take(len(h.Key)))
	copy(h.Signature[:], r.take(len(h.Signature)))
	h.Weight, h.Net = r.upTo(MaxWeight), r.uint64()
	h.Upstream, h.UpstreamFor = UpstreamState(r.upTo(uint8(Probation))), r.time()
	c := &h.Counters
	for _, n := range [...]*uint64{&c.Asked, &c.Fresh, &c.Stale, &c.Peer, &c.Iterated, &c.Failed} {
		*n = r.uint64()
	}
	h.Entries, h.Members = r.uint32(), r.uint64()
	h.Version, h.Started = r.uint16(), r.time()
	h.Addrs = r.addrs(MaxAddrs)
	return h
}

func (k *Known) append(b []byte) ([]byte, error) { return appendAddrs(b, k.Addrs, MaxKnown) }

func readKnown(r *reader) *Known {
	return &Known{Want: r.flag(flagWant), Addrs: r.addrs(MaxKnown)}
}

func (y *Bye) append(b []byte) ([]byte, error) {
	if len(y.Reason) > MaxReason || !printable([]byte(y.Reason)) {
		return b, fmt.Errorf("%w: the reason %q", ErrMalformed, y.Reason)
	}
	return append(append(b, byte(len(y.Reason))), y.Reason...), nil
}

func readBye(r *reader) *Bye {
	reason := r.take(int(r.upTo(MaxReason)))
	r.bad = r.bad || !printable(reason)
	return &Bye{Reason: string(reason)}
}

// printable tells whether a text can stand on a line of a log as it is.
func printable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func (p *Ping) append(b []byte) ([]byte, error) { return append(b, p.Challenge[:]...), nil }

func (p *Pong) append(b []byte) ([]byte, error) {
	return be.AppendUint64(append(b, p.Echo[:]...), p.Seen), nil
}

func (a *Ask) append(b []byte) ([]byte, error) {
	deadline := a.Deadline.Milliseconds()
	if !askable(a.Name, a.Type) || deadline < 0 || deadline > math.MaxUint32 {
		return b, fmt.Errorf("%w: ask for %q type %d within %v", ErrMalformed, string(a.Name), a.Type, a.Deadline)
	}
	b = append(append(b, byte(len(a.Name))), a.Name...)
	b = be.AppendUint32(be.AppendUint16(b, a.Type), uint32(deadline))
	return be.AppendUint64(b, a.Net), nil
}

// askable tells whether members may be asked for a name, which is to be in lower case, and
// a type. Meta types and those of questions (RFC 6895 section 3.1), and OPT, have no
// answer that could be kept.
func askable(name rr.Name, typ uint16) bool {
	const opt, meta, metaEnd = 41, 128, 255
	return name.Check() == nil && name == name.Lower() && typ != 0 && typ != opt && (typ < meta || typ > metaEnd)
}

func readAsk(r *reader, all bool) *Ask {
	a := &Ask{DO: r.flag(flagDO), FreshOnly: r.flag(flagFreshOnly), Resolve: r.flag(flagResolve), Any: all}
	a.Name = rr.Name(r.take(int(r.uint8())))
	a.Type, a.Deadline = r.uint16(), time.Duration(r.uint32())*time.Millisecond
	a.Net = r.uint64()
	r.bad = r.bad || !askable(a.Name, a.Type)
	return a
}

func (a *Answer) append(b []byte) ([]byte, error) {
	if a.Outcome > Wont || (a.Outcome == Have) != (a.Record != nil) {
		return b, fmt.Errorf("%w: answer of outcome %d", ErrMalformed, a.Outcome)
	}
	b = append(b, byte(a.Outcome))
	if a.Outcome != Have {
		return b, nil
	}
	return a.Record.append(b)
}

func readAnswer(r *reader) *Answer {
	a := &Answer{Outcome: Outcome(r.upTo(uint8(Wont)))}
	if a.Outcome == Have && !r.bad {
		a.Record = readRecord(r)
	}
	return a
}

func (p *Put) append(b []byte) ([]byte, error) {
	if len(p.Records) == 0 || len(p.Records) > MaxRecords {
		return b, fmt.Errorf("%w: put of %d records", ErrMalformed, len(p.Records))
	}
	b = append(b, byte(len(p.Records)))
	var err error
	for _, rec := range p.Records {
		if b, err = rec.append(b); err != nil {
			return b, err
		}
	}
	return b, nil
}

func readPut(r *reader) *Put {
	n := r.upTo(MaxRecords)
	r.bad = r.bad || n == 0
	p := new(Put)
	for range n {
		if r.bad {
			break
		}
		p.Records = append(p.Records, readRecord(r))
	}
	return p
}
