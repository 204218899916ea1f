package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"namecast/t/bench/load"
)

// A mix is a kind of questions, drawn at random over all names alike.
type mix struct {
	name   string
	about  string
	signed bool // the peers serve the signed zone
	fresh  bool // every question is for a name never asked before
	draw   func(r *rand.Rand) draw
}

// A draw is one question before it has an account.
type draw struct {
	label  string // of the account's names; see owners
	direct bool   // the label stands directly below the domain
	qtype  uint16
	rcodes uint16 // set of answers that are right
	answer bool   // the answer section is not empty
	edns   bool
	do     bool
	cookie bool
}

const (
	noError  = 1 << 0
	nxDomain = 1 << 3
)

// freshLabel is the room for the random octets of names that do not exist.
const freshLabel = "000000000000"

var mixes = []mix{
	{name: "mixed", about: "50 % A, 20 % AAAA, 15 % NODATA, 15 % NXDOMAIN", draw: drawMixed},
	{name: "uniform", about: "every name that exists, A and AAAA", draw: drawHit},
	{name: "flood", about: "random names that do not exist, half of them below accounts", fresh: true, draw: drawFlood},
	{name: "resolver", about: "as mixed, 90 % EDNS, 70 % DO, 20 % cookies; signed zone", signed: true, draw: drawResolver},
	{name: "negatives", about: "as flood, all with DO; signed zone", signed: true, fresh: true, draw: drawNegative},
}

func drawMixed(r *rand.Rand) draw {
	switch p := r.IntN(100); {
	case p < 50:
		return draw{label: owners[r.IntN(2)].label, qtype: typeA, rcodes: noError, answer: true}
	case p < 70:
		return draw{label: owners[2+r.IntN(2)].label, qtype: typeAAAA, rcodes: noError, answer: true}
	case p < 78:
		return draw{label: owners[r.IntN(2)].label, qtype: typeAAAA, rcodes: noError}
	case p < 85:
		return draw{label: owners[2+r.IntN(2)].label, qtype: typeA, rcodes: noError}
	default:
		return draw{label: "no", qtype: typeA, rcodes: nxDomain}
	}
}

func drawHit(r *rand.Rand) draw {
	o := owners[r.IntN(perUser)]
	return draw{label: o.label, qtype: o.qtype, rcodes: noError, answer: true}
}

func drawFlood(r *rand.Rand) draw {
	return draw{label: freshLabel, direct: r.IntN(2) == 0, qtype: typeA, rcodes: nxDomain}
}

func drawResolver(r *rand.Rand) draw {
	d := drawMixed(r)
	p := r.IntN(100)
	d.edns, d.do, d.cookie = p < 90, p < 70, r.IntN(90) < 20 && p < 90
	return d.compact()
}

func drawNegative(r *rand.Rand) draw {
	d := drawFlood(r)
	d.edns, d.do = true, true
	return d.compact()
}

// compact lets a server that signs on demand say NODATA for a name that does
// not exist (RFC 9824 section 2).
func (d draw) compact() draw {
	if d.do && d.rcodes == nxDomain {
		d.rcodes |= noError
	}
	return d
}

const (
	headerLen    = 12
	optCookie    = 10
	clientCookie = "nc-bench"
	cookieLen    = 8 + 16 // client and server part
)

// append writes the question's packet.
func (d draw) append(b []byte, account string) []byte {
	be := binary.BigEndian
	b = append(b, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	name := fqdn(account, d.label)
	if d.direct {
		name = d.label + "." + domain
	}
	at := len(b) - headerLen
	b = append(appendLabels(b, name), 0)
	b = be.AppendUint16(b, d.qtype)
	b = be.AppendUint16(b, 1)
	if !d.edns {
		return b
	}
	b[at+11] = 1
	b = append(b, 0, 0, 41, 1232>>8, 1232&0xff, 0, 0, 0, 0)
	if d.do {
		b[len(b)-2] = 0x80
	}
	if !d.cookie {
		return append(b, 0, 0)
	}
	b = append(b, 0, 4+cookieLen, 0, optCookie, 0, cookieLen)
	return append(append(b, clientCookie...), make([]byte, cookieLen-len(clientCookie))...)
}

// A question is where its packet is and what answers are right.
type question struct {
	start, end uint32
	rcodes     uint16
	answer     bool
	cookie     bool
}

// Questions are a load's packets, one after the other, and a load.Source of
// them that goes round for ever.
type questions struct {
	wire  []byte
	list  []question
	fresh bool
	echo  bool // the server sends questions back
	rand  *rand.PCG
	next  int
	slots [maxSlots]struct {
		turn   uint16
		rcodes uint16
		answer bool
	}
}

// An ID is the slot in the low bits and how often it was used in the high ones.
const (
	slotBits = 10
	maxSlots = 1 << slotBits
	turns    = 1<<(16-slotBits) - 1
)

// Numbers of questions in a load: at least so many that no batch has one twice,
// at most what makes the caches of every processor too small.
const (
	minQuestions = 1 << 14
	maxQuestions = 1 << 20
)

// newQuestions draws the questions of a mix, the same in every run.
func newQuestions(d *dataset, m mix) *questions {
	r := rand.New(rand.NewPCG(1, uint64(len(d.accounts))))
	n := min(max(2*d.records(), minQuestions), maxQuestions)
	if m.fresh {
		n = minQuestions
	}
	q := &questions{list: make([]question, n), fresh: m.fresh, rand: rand.NewPCG(rand.Uint64(), rand.Uint64())}
	for i := range q.list {
		drawn := m.draw(r)
		start := len(q.wire)
		q.wire = drawn.append(q.wire, d.accounts[r.IntN(len(d.accounts))])
		q.list[i] = question{start: uint32(start), end: uint32(len(q.wire)), rcodes: drawn.rcodes, answer: drawn.answer, cookie: drawn.cookie}
	}
	return q
}

// setCookie puts a server's cookie for this client into the questions that
// have one.
func (q *questions) setCookie(server []byte) {
	for _, x := range q.list {
		if x.cookie {
			copy(q.wire[x.end-cookieLen+8:x.end], server)
		}
	}
}

// Next gives the next question the slot's ID.
func (q *questions) Next(slot int) []byte {
	x := &q.list[q.next]
	if q.next++; q.next == len(q.list) {
		q.next = 0
	}
	s := &q.slots[slot]
	s.turn = (s.turn + 1) & turns
	s.rcodes, s.answer = x.rcodes, x.answer
	p := q.wire[x.start:x.end]
	binary.BigEndian.PutUint16(p, s.turn<<slotBits|uint16(slot))
	if q.fresh {
		q.scribble(p[headerLen+1:][:len(freshLabel)])
	}
	return p
}

// scribble fills a label with random letters.
func (q *questions) scribble(label []byte) {
	v := q.rand.Uint64()
	for i := range label {
		label[i] = 'a' + byte(v&15)
		v >>= 4
	}
}

// Again asks something else: a resolver would, too, after so long.
func (q *questions) Again(slot int) []byte { return q.Next(slot) }

// Judge checks an answer's ID, flags, code, and whether there is one.
func (q *questions) Judge(p []byte) (slot int, v load.Verdict) {
	if len(p) < headerLen {
		return 0, load.Stale
	}
	id := binary.BigEndian.Uint16(p)
	slot = int(id & (maxSlots - 1))
	s := &q.slots[slot]
	if id>>slotBits != s.turn {
		return slot, load.Stale
	}
	if q.echo {
		return slot, load.Good
	}
	const response, truncated, authoritative = 0x80, 0x02, 0x04
	if p[2]&(response|truncated|authoritative) != response|authoritative ||
		s.rcodes>>(p[3]&15)&1 == 0 || (p[6]|p[7] != 0) != s.answer {
		return slot, load.Wrong
	}
	return slot, load.Good
}

// mixNamed finds a mix.
func mixNamed(name string) (mix, error) {
	for _, m := range mixes {
		if m.name == name {
			return m, nil
		}
	}
	return mix{}, fmt.Errorf("no mix %q", name)
}
