package main

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"namecast/t/bench/load"
)

// The key of dynamic updates.
const (
	tsigName   = "bench."
	tsigSecret = "bmFtZWNhc3QgYmVuY2ggdHNpZyBrZXkgLSAzMiBvY3Q="
)

// An updater is a load of updates, whose packets are signed before it starts.
type updater interface {
	load.Source
	prepare(n int) error // makes sure of about n packets
	last(slot int) *change
}

// A change is one update: the address of an account's www becomes that of the
// version.
type change struct {
	packet           []byte
	account, version int
}

// An author is an account that sends updates, one after the other.
type author struct {
	account  int
	key      ed25519.PrivateKey
	sequence uint64
}

// A nupUpdater sends signed updates over the Namecast protocol. A slot has its
// own accounts, so that no account has two updates on the way.
type nupUpdater struct {
	slots   []nupSlot
	byKey   map[[8]byte]int // slot by the begin of the key
	version int
}

type nupSlot struct {
	authors []*author
	turn    int       // whose packet is made next
	queue   []*change // in order
	sent    *change
	number  uint64 // sequence number of sent
}

// authorsEach is how many accounts take turns in a slot.
const authorsEach = 16

// newNUPUpdater makes a load that replaces the address of a name of an account.
func newNUPUpdater(accounts, slots int) *nupUpdater {
	u := &nupUpdater{slots: make([]nupSlot, slots), byKey: map[[8]byte]int{}}
	for i := range min(accounts, slots*authorsEach) {
		a := &author{account: i, key: accountKey(i), sequence: 1} // 0 made the account
		s := i % slots
		u.slots[s].authors = append(u.slots[s].authors, a)
		u.byKey[keyStart(a.key.Public().(ed25519.PublicKey))] = s
	}
	return u
}

func keyStart(key []byte) [8]byte { return [8]byte(key) }

func (u *nupUpdater) prepare(n int) error {
	for i := range u.slots {
		s := &u.slots[i]
		for len(s.queue) < n/len(u.slots)+1 && len(s.authors) > 0 {
			a := s.authors[s.turn%len(s.authors)]
			s.turn++
			u.version++
			e := element{opcode: opReplace, label: owners[1].label, qtype: typeA, data: address(a.account, u.version, typeA)}
			s.queue = append(s.queue, &change{updatePacket(a.key, a.sequence, e), a.account, u.version})
			a.sequence++
		}
	}
	return nil
}

// sequenceAt is where a request has its sequence number.
const sequenceAt = 8 + 2 + 2 + 33 + 1 + len(domain) + 1

// Next gives the slot's next packet; when a slot has none the load ends.
func (u *nupUpdater) Next(slot int) []byte {
	s := &u.slots[slot]
	if len(s.queue) == 0 {
		return nil
	}
	s.sent, s.queue = s.queue[0], s.queue[1:]
	s.number = binary.BigEndian.Uint64(s.sent.packet[sequenceAt:])
	return s.sent.packet
}

// Again sends the same octets, as the protocol asks for.
func (u *nupUpdater) Again(slot int) []byte { return u.slots[slot].sent.packet }

func (u *nupUpdater) last(slot int) *change { return u.slots[slot].sent }

func (u *nupUpdater) Judge(p []byte) (int, load.Verdict) {
	r, ok := parseReply(p)
	slot, known := u.byKey[keyStart(r.key[:])]
	if !ok || !known || r.sequence != u.slots[slot].number {
		return 0, load.Stale
	}
	if r.status != statusSuccess {
		return slot, load.Wrong
	}
	return slot, load.Good
}

// A tsigUpdater sends dynamic updates (RFC 2136) signed with TSIG (RFC 8945),
// each of which does the same as one of a nupUpdater.
type tsigUpdater struct {
	data    *dataset
	queue   []*change
	sent    []*change // by slot
	byID    [1 << 16]int
	version int
}

func newTSIGUpdater(d *dataset, slots int) *tsigUpdater {
	return &tsigUpdater{data: d, sent: make([]*change, slots)}
}

// prepare makes all packets anew: the time in them must not be old.
func (u *tsigUpdater) prepare(n int) error {
	u.queue = u.queue[:0]
	for range n {
		p, err := u.packet()
		if err != nil {
			return fmt.Errorf("sign update: %w", err)
		}
		u.queue = append(u.queue, p)
	}
	return nil
}

func (u *tsigUpdater) packet() (*change, error) {
	u.version++
	account := u.version % min(len(u.data.accounts), authorsEach*len(u.sent))
	m := new(dns.Msg)
	m.SetUpdate(domain + ".")
	m.Id = uint16(u.version)
	head := dns.RR_Header{Name: fqdn(u.data.accounts[account], owners[1].label) + ".", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: recordTTL}
	rr := &dns.A{Hdr: head, A: address(account, u.version, typeA)}
	m.RemoveRRset([]dns.RR{rr})
	m.Insert([]dns.RR{rr})
	const fudge = 300 // seconds, BIND's and Knot's own
	m.SetTsig(tsigName, dns.HmacSHA256, fudge, time.Now().Unix())
	p, _, err := dns.TsigGenerate(m, tsigSecret, "", false)
	return &change{p, account, u.version}, err
}

// Next gives the next packet of all.
func (u *tsigUpdater) Next(slot int) []byte {
	if len(u.queue) == 0 {
		return nil
	}
	u.sent[slot], u.queue = u.queue[0], u.queue[1:]
	u.byID[binary.BigEndian.Uint16(u.sent[slot].packet)] = slot
	return u.sent[slot].packet
}

// Again sends the same octets.
func (u *tsigUpdater) Again(slot int) []byte { return u.sent[slot].packet }

func (u *tsigUpdater) last(slot int) *change { return u.sent[slot] }

func (u *tsigUpdater) Judge(p []byte) (int, load.Verdict) {
	if len(p) < headerLen {
		return 0, load.Stale
	}
	id := binary.BigEndian.Uint16(p)
	slot := u.byID[id]
	if sent := u.sent[slot]; sent == nil || binary.BigEndian.Uint16(sent.packet) != id {
		return 0, load.Stale
	}
	if p[3]&15 != dns.RcodeSuccess {
		return slot, load.Wrong
	}
	return slot, load.Good
}

// An accountMaker is the load that fills a new node: each account's first
// request, signed as it is sent.
type accountMaker struct {
	data  *dataset
	made  int
	sent  [][]byte // by slot
	byKey map[[8]byte]int
}

func newAccountMaker(d *dataset, slots int) *accountMaker {
	return &accountMaker{data: d, sent: make([][]byte, slots), byKey: map[[8]byte]int{}}
}

// Next signs the first request of the next account.
func (m *accountMaker) Next(slot int) []byte {
	if m.made == len(m.data.accounts) {
		return nil
	}
	k := accountKey(m.made)
	var elements []element
	for _, o := range owners {
		elements = append(elements, element{opcode: opAdd, label: o.label, qtype: o.qtype, data: address(m.made, 0, o.qtype)})
	}
	m.made++
	m.sent[slot] = updatePacket(k, 0, elements...)
	m.byKey[keyStart(k.Public().(ed25519.PublicKey))] = slot
	return m.sent[slot]
}

// Again sends the same octets.
func (m *accountMaker) Again(slot int) []byte { return m.sent[slot] }

func (m *accountMaker) Judge(p []byte) (int, load.Verdict) {
	r, ok := parseReply(p)
	slot, known := m.byKey[keyStart(r.key[:])]
	if !ok || !known {
		return 0, load.Stale
	}
	delete(m.byKey, keyStart(r.key[:])) // each account is answered once
	if r.status != statusSuccess {
		return slot, load.Wrong
	}
	return slot, load.Good
}
