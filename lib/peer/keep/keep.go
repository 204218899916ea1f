// Package keep is what a node of the local group remembers: answers as they came from a
// name server, those its own clients asked for, and those it keeps for others because it
// is one of the owners of their names. It reads no clock: the time is an argument, and
// is that since the machine was started, suspension included.
//
// An answer past its time is kept on, for at most Options.MaxStale, to be given while no
// name server can be had (RFC 8767); that there is nothing, for an hour. Where there is no
// room, what goes first is what neither own clients asked for nor this node owns; then
// what it owns, the least wanted first; then the own clients' past its time; then theirs
// that is fresh. So what others send can never push out what the own clients need.
package keep

import (
	"errors"
	"math"
	"time"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// MaxStaleNegative is how long past its time an answer that there is nothing is kept.
const MaxStaleNegative = time.Hour

// halfLife is that of an entry's interest.
const halfLife = 2 * time.Hour

// Reasons why Put does not keep an answer.
var (
	// ErrKind: it is no answer to be kept: an error, cut off, or a negative one of
	// which no zone says how long it is true.
	ErrKind = errors.New("not an answer to keep")
	// ErrOld: it is too long past its time.
	ErrOld = errors.New("too old")
	// ErrForeign: neither own clients asked for it nor is this node an owner.
	ErrForeign = errors.New("neither asked for nor owned")
	// ErrKnown: what is kept is not older, or is better known.
	ErrKnown = errors.New("something as good is known")
	// ErrFull: there is no room for what others give.
	ErrFull = errors.New("no room for what others give")
)

// Types that validation walks along.
const (
	typeDS     = uint16(rr.TypeDS)
	typeDNSKEY = 48
)

// A Key is what an entry is found by.
type Key struct {
	Net  uint64  // the network in which it was learned
	Name rr.Name // in lower case
	Type uint16
	DO   bool // asked with DO
	CD   bool // asked with CD: the server did not check it, so it answers no others
}

// Chain reports whether the answer is one that validation rests on, and judges for itself
// by its signatures: that a zone has no keys is then as good as its keys are.
func (k Key) Chain() bool { return k.CD && (k.Type == typeDS || k.Type == typeDNSKEY) }

// An Entry is one answer. Who put it may read it; what is changed after that by others
// than this room is Put, PutTo and Agreed, and its Verdict by Judge. There are many of
// them, so the small fields stand together.
type Entry struct {
	Key
	Brief
	Verdict
	Msg    []byte           // a DNS response as it came, never changed
	Base   time.Duration    // when its age was 0; may be negative
	Origin packet.NodeID    // who had it at first hand
	From   packet.NodeID    // who gave it to this node
	Put    time.Duration    // when it was last given to owners; 0: never
	PutTo  [3]packet.NodeID // and which
	First  bool             // this node had it at first hand, of a name server
	Given  bool             // who had it at first hand gave it, when this node was an owner of the name
	Agreed bool             // as many members as must agree do
	Rank   int8             // this node's among the owners of the name, from 0; -1: none
	Old    bool             // of a snapshot and not renewed since, so never fresh

	wanted   bool          // an own client asked for it, ever
	in       class         // the list that it is in
	place    int32         // in Cache.all
	heap     int32         // in Cache.fresh, -1 if not in it
	interest float32       // a decaying count of who wanted it, at the time counted
	asked    time.Duration // when an own client last did
	counted  time.Duration

	prev, next *Entry // in its list
}

// Life is how long the entry is fresh, from Base on.
func (e *Entry) Life() time.Duration {
	return time.Duration(min(e.MinTTL, e.Lasts(e.Base))) * time.Second
}

// Age is the time since a name server gave the answer.
func (e *Entry) Age(now time.Duration) time.Duration { return max(0, now-e.Base) }

// Fresh reports whether the answer is in its time.
func (e *Entry) Fresh(now time.Duration) bool { return !e.Old && now-e.Base < e.Life() }

// Overdue is for how long the answer has been past its time; 0 if it is fresh.
func (e *Entry) Overdue(now time.Duration) time.Duration { return max(0, now-e.Base-e.Life()) }

// Interest is how often the answer was wanted, by own clients and by others, where what
// was two hours ago counts half.
func (e *Entry) Interest(now time.Duration) float32 {
	if e.interest == 0 {
		return 0
	}
	return e.interest * float32(math.Exp2(-float64(now-e.counted)/float64(halfLife)))
}

// Asked is when an own client last asked for it, and whether one ever did.
func (e *Entry) Asked() (time.Duration, bool) { return e.asked, e.wanted }

// Options of a Cache; the zero value of a field is its default.
type Options struct {
	Entries  int           // at most so many are kept; default 50,000
	MaxStale time.Duration // so long past its time; default 24 h, at most 7 days
	Window   time.Duration // what own clients asked for is kept so long; default the greater of 24 h and MaxStale
	Members  int           // of the group, this node among them; default 1
	Owners   int           // of a name; default 2
}

// Counts say what is kept, and what has been refused or has gone for want of room.
type Counts struct {
	Entries int // in all
	Own     int // that own clients asked for
	Owned   int // for others, as an owner
	Octets  int // of messages
	Evicted uint64
	Refused uint64
}

// A Cache is what a node keeps. It is not for several goroutines at once.
type Cache struct {
	opts    Options
	all     []*Entry
	index   index   // of all
	fresh   soonest // the own clients', fresh when last looked at
	stale   list    // theirs, past their time
	owned   list    // kept for others
	other   list    // neither
	from    map[packet.NodeID]int
	wishes  wishes
	cursor  int
	octets  int
	evicted uint64
	refused uint64
}

// New makes an empty cache.
func New(o Options) *Cache {
	if o.Entries <= 0 {
		o.Entries = 50_000
	}
	if o.MaxStale <= 0 {
		o.MaxStale = 24 * time.Hour
	}
	o.MaxStale = min(o.MaxStale, MaxTTL)
	if o.Window <= 0 {
		o.Window = max(24*time.Hour, o.MaxStale)
	}
	if o.Owners <= 0 {
		o.Owners = 2
	}
	o.Members = max(1, o.Members)
	return &Cache{opts: o, index: newIndex(), from: make(map[packet.NodeID]int)}
}

// SetMembers says how many members the group has, by which the share of one in what is
// kept for others is reckoned.
func (c *Cache) SetMembers(n int) { c.opts.Members = max(1, n) }

// Len is the number of entries.
func (c *Cache) Len() int { return len(c.all) }

// Get gives the entry of a key, or nil. It does not count as interest.
func (c *Cache) Get(k Key) *Entry {
	if at := c.index.slots[c.index.find(c.all, k)]; at > 0 {
		return c.all[at-1]
	}
	return nil
}

// Asked says that an own client asked for the key; if nothing is kept of it, it is
// remembered for the answer that may come.
func (c *Cache) Asked(now time.Duration, k Key) {
	e := c.Get(k)
	if e == nil {
		c.wishes.add(now, k)
		return
	}
	e.count(now)
	e.asked, e.wanted = now, true
	c.file(now, e)
}

// Told says that a member asked for the entry, or gave it anew.
func (c *Cache) Told(now time.Duration, e *Entry) {
	e.count(now)
	c.file(now, e)
}

// count adds one to the interest.
func (e *Entry) count(now time.Duration) {
	e.interest, e.counted = e.Interest(now)+1, now
}

// Judge says what the own validation found of an entry.
func (c *Cache) Judge(now time.Duration, e *Entry, v Verdict) {
	c.unfile(e)
	e.Verdict = v
	c.file(now, e)
}

// SetRank says which of the owners of its name this node is, from 0; -1 is none.
func (c *Cache) SetRank(now time.Duration, e *Entry, rank int8) {
	e.Rank = rank
	c.file(now, e)
}

// stalest is how long past its time an entry is kept.
func (c *Cache) stalest(e *Entry) time.Duration {
	if e.Negative && !e.Chain() {
		return min(c.opts.MaxStale, MaxStaleNegative)
	}
	return c.opts.MaxStale
}

// isOwn reports whether own clients have asked for the entry of late.
func (c *Cache) isOwn(now time.Duration, e *Entry) bool {
	return e.wanted && now-e.asked <= c.opts.Window
}

// Counts gives what is kept.
func (c *Cache) Counts() Counts {
	return Counts{
		Entries: len(c.all), Own: len(c.fresh) + c.stale.n, Owned: c.owned.n,
		Octets: c.octets, Evicted: c.evicted, Refused: c.refused,
	}
}
