package dnssec

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/limit"
	"namecast/lib/rr"
)

// ErrBusy: more signatures are wanted than the budget has. The same question
// may be answered a little later, or over a transport that cannot be forged.
var ErrBusy = errors.New("too many signatures to make")

// A Class says how many RRsets of a kind there are, and so who may ask for how
// many signatures.
type Class int

const (
	// Few: SOA and the keys of a zone. They are always signed.
	Few Class = iota
	// Held: what accounts hold, and the denial of types at names that exist.
	// There may be much of it, but a client cannot make more.
	Held
	// Asked: for a name that the client has made up: denials, and what a
	// wildcard stands for. Without a limit.
	Asked
)

// A Want says on whose account a signature is made, if it is not in the cache.
type Want struct {
	Class  Class
	Stream bool   // over a transport whose clients cannot be forged
	Payer  string // whose budget is used within the zone; "" is the zone's own
}

// Options are the limits of a Signer. What is zero has the default beside it.
type Options struct {
	Now func() time.Time // time.Now must be given: there is no default
	// Rate is how many signatures of class Held are made for datagrams; none is
	// no limit. Half as many are made of class Asked, and a quarter of either for
	// streams, on top: who is sent to TCP for want of budget finds one there. A
	// payer gets a quarter of each.
	Rate limit.Rate
	// Cache is the room for kept signatures, in octets, 32 MiB. A quarter is for
	// the class Asked, so that made-up names push out nothing else.
	Cache int
}

// A Signer has the keys of all zones of a service and signs. Its methods may be
// called by many goroutines.
type Signer struct {
	now    func() time.Time
	secret atomic.Pointer[Secret]

	kept    [Asked + 1]*cache    // Few and Held share one
	budgets [Asked + 1][2]budget // for datagrams, for streams

	mu         sync.Mutex
	young, old map[rr.Name]*zoneKeys

	made, cached, refused [Asked + 1]atomic.Uint64
}

// zoneRoom is how many zones' keys are kept in a generation.
const zoneRoom = 4096

// A budget is for one class over one kind of transport.
type budget struct{ all, each *limit.Table }

// newBudget makes a budget of a part of a rate; at once there may be what a
// quarter of the period brings.
func newBudget(rate limit.Rate, part int) budget {
	of := func(part int) limit.Rate {
		if rate.N == 0 {
			return rate
		}
		return limit.Rate{N: max(1, rate.N/part), Per: rate.Per}
	}
	return budget{limit.New(of(part), of(4*part).N, 1), limit.New(of(4*part), of(8*part).N, 4096)}
}

// take takes one signature. A payer that has none left leaves the whole alone.
func (b budget) take(payer string, now time.Time) bool {
	return b.all.Wait("", now) == 0 && b.each.Take(payer, now) == 0 && b.all.Take("", now) == 0
}

// NewSigner makes a signer.
func NewSigner(secret Secret, o Options) *Signer {
	if o.Cache == 0 {
		o.Cache = 32 << 20
	}
	s := &Signer{now: o.Now}
	s.kept[Few] = newCache(o.Cache / 4 * 3)
	s.kept[Held], s.kept[Asked] = s.kept[Few], newCache(o.Cache/4)
	for stream, part := range []int{1, 4} {
		s.budgets[Held][stream] = newBudget(o.Rate, part)
		s.budgets[Asked][stream] = newBudget(o.Rate, 2*part)
	}
	s.SetSecret(secret)
	return s
}

// SetSecret puts another secret in force, which must have at least one epoch.
func (s *Signer) SetSecret(secret Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret.Store(&secret)
	s.young, s.old = map[rr.Name]*zoneKeys{}, nil
}

// Secret is the one in force.
func (s *Signer) Secret() Secret { return *s.secret.Load() }

// zoneKeys are the keys of a zone under one secret, in the order of its epochs.
type zoneKeys struct {
	secret *Secret
	keys   []*Key
}

// keys gives the keys of a zone, in lower case, and makes them when they are
// first asked for.
func (s *Signer) keys(zone rr.Name) (*zoneKeys, error) {
	s.mu.Lock()
	k := s.young[zone]
	if k == nil {
		if k = s.old[zone]; k != nil {
			s.keep(zone, k)
		}
	}
	s.mu.Unlock()
	if k != nil {
		return k, nil
	}
	k = &zoneKeys{secret: s.secret.Load()}
	for _, e := range k.secret.epochs {
		key, err := e.Key(zone)
		if err != nil {
			return nil, err
		}
		k.keys = append(k.keys, key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.secret == s.secret.Load() {
		s.keep(zone, k)
	}
	return k, nil
}

func (s *Signer) keep(zone rr.Name, k *zoneKeys) {
	if len(s.young) >= zoneRoom {
		s.old, s.young = s.young, map[rr.Name]*zoneKeys{}
	}
	s.young[zone] = k
}

// Stats are counts of signatures, by class.
type Stats struct {
	Made, Cached, Refused [Asked + 1]uint64
	Kept                  int // signatures in the cache
}

// Stats gives the counts.
func (s *Signer) Stats() (out Stats) {
	for c := range out.Made {
		out.Made[c], out.Cached[c], out.Refused[c] = s.made[c].Load(), s.cached[c].Load(), s.refused[c].Load()
	}
	out.Kept = s.kept[Held].len() + s.kept[Asked].len()
	return out
}

// String names the class.
func (c Class) String() string { return [...]string{"few", "held", "asked"}[c] }

// signed gives the signature of a digest, from the cache if it is there.
func (s *Signer) signed(k *Key, digest [32]byte, w Want, now time.Time) (signature, error) {
	id, c := cacheKey{digest, k.Epoch}, w.Class
	if v, ok := s.kept[c].get(id); ok {
		s.cached[c].Add(1)
		return v, nil
	}
	transport := 0
	if w.Stream {
		transport = 1
	}
	if c != Few && !s.budgets[c][transport].take(w.Payer+"\x00"+string(k.Zone), now) {
		s.refused[c].Add(1)
		return signature{}, fmt.Errorf("%w for %s", ErrBusy, k.Zone)
	}
	v, err := k.sign(digest)
	if err == nil {
		s.made[c].Add(1)
		s.kept[c].put(id, v)
	}
	return v, err
}
