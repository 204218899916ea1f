package disk

import (
	"encoding/binary"
	"math"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A standing is where a chain on the disk stands.
type standing struct {
	place
	meta  replica.Meta
	sieve *sieve // of the requests that the generation remembers
}

// A place is the value of a chain's first entry: what its other keys are to be
// read with.
type place struct {
	gen    uint32    // of the keys that count
	oldest uint32    // generations from here on are kept; below gen after a doubt
	first  chain.LSN // of the log
	last   chain.LSN // first-1 if the log is empty
	state  chain.LSN
	hash   chain.Hash
	forgot chain.LSN // requests of records below are not remembered
}

// empty is the place of a chain that has nothing, in a generation.
func empty(gen uint32) place { return place{gen: gen, oldest: gen, first: 1} }

func appendPlace(b []byte, p place) []byte {
	b = appendUint(b, p.gen)
	b = appendUint(b, p.oldest)
	b = appendUint(b, p.first)
	b = appendUint(b, p.last+1-p.first)
	b = appendUint(b, p.state)
	b = append(b, p.hash[:]...)
	return appendUint(b, p.forgot)
}

func parsePlace(b []byte) (place, bool) {
	r := parts{b: b}
	p := place{gen: uint32(r.upTo(math.MaxUint32)), oldest: uint32(r.upTo(math.MaxUint32)), first: r.lsn()}
	p.last = p.first + r.lsn() - 1
	p.state = r.lsn()
	copy(p.hash[:], r.take(uint64(len(p.hash))))
	p.forgot = r.lsn()
	return p, r.done() && p.oldest <= p.gen && p.first > 0 && p.last+1 >= p.first
}

func appendMeta(b []byte, m *replica.Meta) []byte {
	b = appendUint(b, m.Inc)
	if m.Copying {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	row := &m.Row
	b = appendUint(b, row.Chain)
	b = appendUint(b, row.Epoch)
	b = appendUint(b, len(row.Members))
	for _, member := range row.Members {
		b = appendMember(b, member)
	}
	b = appendMember(b, row.Recruit)
	return appendUint(b, row.Restored)
}

func parseMeta(b []byte) (replica.Meta, bool) {
	r := parts{b: b}
	m := replica.Meta{Inc: chain.Incarnation(r.uint())}
	m.Copying = r.upTo(1) == 1
	m.Row.Chain = chain.ID(r.upTo(math.MaxUint16))
	m.Row.Epoch = chain.Epoch(r.uint())
	if n := r.count(2); n > 0 {
		m.Row.Members = make([]chain.Member, n)
	}
	for i := range m.Row.Members {
		m.Row.Members[i] = r.member()
	}
	m.Row.Recruit = r.member()
	m.Row.Restored = chain.Incarnation(r.uint())
	return m, r.done()
}

func appendMember(b []byte, m chain.Member) []byte {
	b = append(appendUint(b, len(m.Node)), m.Node...)
	return appendUint(b, m.Inc)
}

// appendRecord appends a record but for its LSN, which is in the key.
func appendRecord(b []byte, rec *chain.Record) []byte {
	b = appendUint(b, rec.Epoch)
	b = append(b, rec.Request[:]...)
	b = appendUint(b, rec.Base)
	b = append(b, rec.Hash[:]...)
	b = appendUint(b, len(rec.Conds))
	for i := range rec.Conds {
		c := &rec.Conds[i]
		b = append(b, byte(c.Kind))
		b = appendOctets(b, c.Key)
		b = appendUint(b, c.Version)
	}
	b = appendUint(b, len(rec.Ops))
	for i := range rec.Ops {
		o := &rec.Ops[i]
		b = append(b, byte(o.Kind))
		b = appendOctets(b, o.Key)
		b = appendOctets(b, o.Value)
	}
	return b
}

// parseRecord reads a record, whose keys and values stay parts of b.
func parseRecord(lsn chain.LSN, b []byte) (chain.Record, bool) {
	r := parts{b: b}
	rec := chain.Record{LSN: lsn, Epoch: chain.Epoch(r.uint())}
	copy(rec.Request[:], r.take(uint64(len(rec.Request))))
	rec.Base = r.lsn()
	copy(rec.Hash[:], r.take(uint64(len(rec.Hash))))
	if n := r.count(3); n > 0 {
		rec.Conds = make([]chain.Cond, n)
	}
	for i := range rec.Conds {
		rec.Conds[i] = chain.Cond{Kind: chain.CondKind(r.octet()), Key: r.octets(), Version: r.lsn()}
	}
	if n := r.count(3); n > 0 {
		rec.Ops = make([]chain.Op, n)
	}
	for i := range rec.Ops {
		rec.Ops[i] = chain.Op{Kind: chain.OpKind(r.octet()), Key: r.octets(), Value: r.octets()}
	}
	return rec, r.done()
}

// appendValue appends an item but for its key.
func appendValue(b []byte, it *chain.Item) []byte {
	return append(appendUint(b, it.Version), it.Value...)
}

// parseItem reads an item, whose value stays a part of b.
func parseItem(key, b []byte) (chain.Item, bool) {
	r := parts{b: b}
	version := r.lsn()
	return chain.Item{Key: key, Version: version, Value: r.b}, !r.bad
}

func appendOutcome(b []byte, o chain.Outcome) []byte {
	b = append(b, byte(o.Verdict))
	b = appendUint(b, o.LSN)
	b = appendUint(b, o.Cond)
	return appendUint(b, o.Version)
}

func parseOutcome(b []byte) (chain.Outcome, bool) {
	r := parts{b: b}
	o := r.outcome()
	return o, r.done()
}

func appendRemembered(b []byte, q *chain.Remembered) []byte {
	return appendOutcome(append(b, q.Request[:]...), q.Outcome)
}

func parseRemembered(b []byte) (chain.Remembered, bool) {
	var q chain.Remembered
	r := parts{b: b}
	copy(q.Request[:], r.take(uint64(len(q.Request))))
	q.Outcome = r.outcome()
	return q, r.done()
}

func appendUint[T ~int | ~uint16 | ~uint32 | ~uint64](b []byte, v T) []byte {
	return binary.AppendUvarint(b, uint64(v))
}

func appendOctets(b, s []byte) []byte { return append(appendUint(b, len(s)), s...) }

// parts reads the parts of a value. At the first that is not well formed it
// turns bad, and all that follows is zero.
type parts struct {
	b   []byte
	bad bool
}

func (r *parts) fail() { r.b, r.bad = nil, true }

// done reports whether all was well formed and nothing is left.
func (r *parts) done() bool { return !r.bad && len(r.b) == 0 }

// take reads so many octets, which stay a part of the value.
func (r *parts) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *parts) octet() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uint reads a number, which must be in its shortest form.
func (r *parts) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *parts) lsn() chain.LSN { return chain.LSN(r.uint()) }

// upTo reads a number of at most limit.
func (r *parts) upTo(limit uint64) uint64 {
	v := r.uint()
	if v > limit {
		r.fail()
		return 0
	}
	return v
}

// count reads how many parts of at least size octets follow.
func (r *parts) count(size uint64) uint64 { return r.upTo(uint64(len(r.b)) / size) }

func (r *parts) octets() []byte { return r.take(r.uint()) }

func (r *parts) member() chain.Member {
	return chain.Member{Node: string(r.octets()), Inc: chain.Incarnation(r.uint())}
}

func (r *parts) outcome() chain.Outcome {
	return chain.Outcome{
		Verdict: chain.Verdict(r.octet()), LSN: r.lsn(),
		Cond: uint32(r.upTo(math.MaxUint32)), Version: r.lsn(),
	}
}
