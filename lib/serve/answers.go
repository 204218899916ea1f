package serve

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cache"
	"namecast/lib/rr"
	"namecast/lib/rrl"
	"namecast/lib/store"
	"namecast/lib/wire"
	"namecast/lib/zone"
)

// answers keep finished answers: what stands in a response between the question
// and OPT. The zero answers keep nothing.
//
// An answer depends on the accounts and domains that were read for it, so it is
// kept with their generations, and found only while they are the same. A change
// is made known after views show it, and a reader takes the generations after it
// has read: to tell whether what it read was older, it compares the number of
// changes before its view was opened with that after.
type answers struct {
	held     *cache.Cache // of names that exist
	made     *cache.Cache // of names that clients make up: without number
	gens     *cache.Generations
	any      uint32 // the slot that changes with every change
	changes  atomic.Uint64
	position atomic.Uint64 // of the store

	seed   maphash.Seed
	nobody denial          // for names below the base domain
	hosts  map[string]bool // labels directly below it that are no accounts
}

// madeUp is the part of the memory for answers to names that clients make up.
const madeUp = 8

// SetMemory has finished answers kept in so many octets; before it is called
// none are. It must be called before Serve, and Changed for every change of the
// store from then on.
func (d *DNS) SetMemory(octets int) error {
	v, err := d.Store.View()
	if err != nil {
		return err
	}
	defer v.Release()
	a := &d.answers
	a.held, a.made = cache.New(octets-octets/madeUp), cache.New(octets/madeUp)
	a.gens = cache.NewGenerations()
	a.any = a.gens.Slot("")
	a.seed, a.hosts = maphash.MakeSeed(), map[string]bool{}
	for _, label := range d.Service.Hosts() {
		a.hosts[label] = true
	}
	soa := d.Service.Denial(v.Position())
	a.nobody = denial{apex: []byte(soa.Owner), base: true, ttl: soa.TTL, soa: []byte(soa.Data[0])}
	a.moveTo(v.Position())
	return nil
}

// Changed says that a committed change of an account, or of a domain's owner,
// is seen by all views from now on, and at which position; with neither, that
// everything may be another. It is to be called before whoever made the change
// is answered, so that the next question has the new answer.
func (d *DNS) Changed(account string, domain rr.Name, at store.Position) {
	a := &d.answers
	if a.gens == nil {
		return
	}
	a.changes.Add(1) // first: see answers
	a.moveTo(at)
	switch {
	case account != "":
		a.gens.Bump(a.gens.Slot(accountObject + account))
	case domain != "":
		a.gens.Bump(a.gens.Slot(domainObject + string(domain)))
	default:
		a.gens.BumpAll()
	}
	a.gens.Bump(a.any)
}

// Forget drops all finished answers: for a change of what they are made with
// that is not in the store.
func (d *DNS) Forget() {
	if d.answers.gens != nil {
		d.answers.changes.Add(1)
		d.answers.gens.BumpAll()
	}
}

// What objects are called among the generations.
const (
	accountObject = "a"
	domainObject  = "d"
)

func (a *answers) moveTo(p store.Position) {
	for was := a.position.Load(); was < uint64(p) && !a.position.CompareAndSwap(was, uint64(p)); was = a.position.Load() {
	}
}

// A finished is one answer.
type finished struct {
	flags, rcode byte // of the header
	counts       [3]byte
	class        rrl.Class
	star         bool // what is alike is so for a wildcard
	suffix       int  // octets of the question's name, from its end, that what is alike is so for
	serial       int  // where the base zone's serial stands in the body, counted from 1
	body         []byte
}

// alike is the name that the answer counts under, made of the question's.
func (f *finished) alike(lower []byte) []byte {
	start := len(lower) - 1 - f.suffix
	if f.star { // at least a label of the question stands where the asterisk goes
		start -= len(rr.Star)
		copy(lower[start:], rr.Star)
	}
	return lower[start : len(lower)-1]
}

// The form of an answer that is kept:
//
//	1 flags | 1 what follows | 1 code | 3 counts | 1 class | 1 suffix | 2 serial
//	8 until, in Unix seconds, if what follows says so
//	1 number of generations | each: 4 slot, 4 generation
//	body
const (
	fixedSize  = 10
	hasStar    = 1
	hasUntil   = 2
	generation = 8 // octets
	maxReads   = 16
)

// find looks for an answer that is as good as a new one. The body is the
// cache's own.
func (a *answers) find(key []byte, now time.Time) (f finished, ok bool) {
	if a.held == nil {
		return f, false
	}
	// A name may have come or gone: what one cache has of it may be out of date
	// and what the other has not.
	for _, c := range [...]*cache.Cache{a.held, a.made} {
		if b, found := c.Get(key); found {
			if f, ok = a.parse(b, now); ok {
				return f, true
			}
		}
	}
	return f, false
}

// parse reads what is kept; it is not ok if that is out of date.
func (a *answers) parse(b []byte, now time.Time) (f finished, ok bool) {
	f.flags, f.rcode, f.counts = b[0], b[2], [3]byte(b[3:])
	f.class, f.suffix, f.serial = rrl.Class(b[6]), int(b[7]), int(binary.BigEndian.Uint16(b[8:]))
	f.star = b[1]&hasStar != 0
	rest := b[fixedSize:]
	if b[1]&hasUntil != 0 {
		if uint64(now.Unix()) >= binary.BigEndian.Uint64(rest) {
			return f, false
		}
		rest = rest[8:]
	}
	f.body, ok = a.fresh(rest)
	return f, ok
}

// fresh gives what stands behind generations, if they are the present ones.
func (a *answers) fresh(b []byte) (rest []byte, ok bool) {
	n := int(b[0])
	for rest = b[1:]; n > 0; n-- {
		if a.gens.Now(binary.BigEndian.Uint32(rest)) != binary.BigEndian.Uint32(rest[4:]) {
			return nil, false
		}
		rest = rest[generation:]
	}
	return rest, true
}

// keep keeps an answer if it is one of those that are asked again, and nothing
// that was read for it has changed meanwhile.
func (a *answers) keep(key []byte, r *zone.Response, w *witness, s *scratch) {
	if a.held == nil || r.Truncated || r.Err != nil || r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError {
		return
	}
	name := key[:len(key)-3]
	question := append(append(s.question[:0], name...), 0, 0, 0, 0)
	to := &s.writer
	at := r.Write(to, s.body[:0], question, 0)
	b, ok := a.append(s.entry[:0], r, question, at)
	if !ok {
		return
	}
	if r.Serial && at.Signed {
		w.slots = append(w.slots, a.any) // the signature is for this serial alone
	}
	if b, ok = w.append(b); !ok {
		return
	}
	b = append(b, to.Bytes()[wire.HeaderSize+len(question):]...)
	if a.changes.Load() != w.changes {
		return
	}
	if r.MadeUp {
		a.made.Put(key, b)
	} else {
		a.held.Put(key, b)
	}
}

// append appends what stands before the generations; it is not ok if that
// cannot be said in the form.
func (a *answers) append(b []byte, r *zone.Response, question []byte, at zone.Layout) (_ []byte, ok bool) {
	class, name := alike(r, question)
	what := byte(0)
	if r.Wildcard != "" && rr.Name(name) == r.Wildcard {
		name, what = name[len(rr.Star):], hasStar
	}
	asked := rr.Name(question[:len(question)-5])
	if !asked.Under(rr.Name(name)) || slices.Max(at.Counts[:]) > math.MaxUint8-1 {
		return nil, false
	}
	serial := 0
	if r.Serial && !at.Signed {
		serial = at.Serial - wire.HeaderSize - len(question) + 1
	}
	flags := byte(0)
	if r.Authoritative {
		flags = wire.FlagAA
	}
	if !r.Until.IsZero() {
		what |= hasUntil
	}
	b = append(b, flags, what, byte(r.Rcode), byte(at.Counts[0]), byte(at.Counts[1]), byte(at.Counts[2]), byte(class), byte(len(name)))
	b = binary.BigEndian.AppendUint16(b, uint16(serial))
	if !r.Until.IsZero() {
		b = binary.BigEndian.AppendUint64(b, uint64(r.Until.Unix()))
	}
	return b, true
}
