package validate

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A zone is what is known of the keys of a zone. If it is Insecure or Bogus, so is all that
// is below its name.
type zone struct {
	name rr.Name
	finding
	keys keys
	ends time.Time // of the first signature that the keys rest on
}

// A link is a step of the chain: what is at a name, seen from the zone above it.
type link struct {
	done chan struct{} // closed when the rest stands, which then does not change
	outcome
}

type outcome struct {
	zone  *zone     // that begins here; nil: none does
	last  bool      // nothing below the name begins a zone
	until time.Time // it is kept; zero: not at all
	own   bool      // it lies in the response that was judged: others may find another
}

// How long links are kept, whatever the TTLs are, and how many.
const (
	leastKeep = 5 * time.Second
	mostKeep  = 12 * time.Hour
	bogusKeep = 10 * time.Second
	maxLinks  = 4096
)

// exempt says whether a name is one that is not validated.
func (v *Validator) exempt(name rr.Name) bool {
	for _, n := range v.options.Insecure {
		if name.Under(n) {
			return true
		}
	}
	return false
}

// zoneAt gives the zone that a name is in, by the chain from the anchor above it.
func (w *work) zoneAt(name rr.Name) *zone {
	if w.v.exempt(name) {
		return &zone{name: name, finding: finding{Insecure, fmt.Errorf("%v is not validated", name)}}
	}
	top, ok := w.v.anchorOf(name)
	if !ok {
		return &zone{finding: finding{Insecure, fmt.Errorf("no trust anchor above %v", name)}}
	}
	l := w.link(top, nil)
	z := l.zone
	for n := top.Count() + 1; n <= name.Count() && z.state == Secure && !l.last; n++ {
		l = w.link(tail(name, n), z)
		if l.zone != nil {
			z = l.zone
		}
	}
	return z
}

func (v *Validator) anchorOf(name rr.Name) (rr.Name, bool) {
	for n := name; ; n = n.Parent() {
		if len(v.anchorsAt(n)) > 0 {
			return n, true
		}
		if n == "" {
			return "", false
		}
	}
}

// link gives the step to a name below a zone, or with no zone, that to an anchor. Of those
// who need it at the same time, one finds it out.
func (w *work) link(at rr.Name, above *zone) *link {
	for {
		l, mine := w.v.claim(at, w.now)
		if mine {
			return w.v.settle(at, l, w.find(at, above))
		}
		select {
		case <-l.done:
			if !l.own {
				return l
			}
		case <-w.ctx.Done():
			return &link{outcome: outcome{zone: &zone{name: at, finding: unknown("%v: %w: %w", at, ErrFetch, w.ctx.Err())}}}
		}
	}
}

// claim gives the link that is kept for a name, or a new one, which is the caller's to find
// out.
func (v *Validator) claim(at rr.Name, now time.Time) (l *link, mine bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l = v.links[at]; l != nil {
		select {
		case <-l.done:
			if now.Before(l.until) {
				return l, false
			}
		default:
			return l, false
		}
	}
	v.evict(now)
	l = &link{done: make(chan struct{})}
	v.links[at] = l
	return l, true
}

// settle opens a link to those who wait for it, and keeps it for its time.
func (v *Validator) settle(at rr.Name, l *link, o outcome) *link {
	v.mu.Lock()
	defer v.mu.Unlock()
	l.outcome = o
	close(l.done)
	if l.until.IsZero() && v.links[at] == l {
		delete(v.links, at)
	}
	return l
}

// evict makes room when there is none for one more link: a quarter at once, those first whose
// time is over.
func (v *Validator) evict(now time.Time) {
	if len(v.links) < maxLinks {
		return
	}
	for at, l := range v.links {
		if now.After(l.until) && !l.until.IsZero() {
			delete(v.links, at)
		}
	}
	for at, l := range v.links {
		if len(v.links) < maxLinks*3/4 {
			return
		}
		if !l.until.IsZero() {
			delete(v.links, at)
		}
	}
}

// find finds a link out: with a memory of its own for how long it holds, but with the budget
// of the response.
func (w *work) find(at rr.Name, above *zone) (o outcome) {
	inner := *w
	inner.judged, inner.until = map[*set]judgement{}, time.Time{}
	ttl := mostKeep
	if above == nil {
		o.zone = inner.anchored(at, &ttl)
	} else {
		inner.rests(above.ends)
		o.zone, o.last = inner.below(at, above, &ttl)
	}
	w.verifies, w.hashes, w.fetches = inner.verifies, inner.hashes, inner.fetches
	o.until = w.now.Add(max(ttl, leastKeep))
	if inner.until.Before(o.until) && inner.until.After(w.now) {
		o.until = inner.until
	}
	if o.zone == nil {
		return o
	}
	o.zone.ends = inner.until
	switch o.zone.state {
	case Bogus:
		o.until, o.own = w.now.Add(bogusKeep), errors.Is(o.zone.reason, ErrWork)
	case Indeterminate:
		o.until, o.own = time.Time{}, w.ctx.Err() != nil
	}
	if o.own {
		o.until = time.Time{}
	}
	return o
}

// fetch gets a response of the chain. If there is none the finding says why.
func (w *work) fetch(name rr.Name, typ uint16) (*message, finding) {
	if !spend(&w.fetches, maxFetches) {
		return nil, bogus("%v %s: %w: records fetched", name, dns.Type(typ), ErrWork)
	}
	msg, err := w.v.options.Fetch(w.ctx, name, typ)
	if err != nil {
		return nil, unknown("%v %s: %w: %w", name, dns.Type(typ), ErrFetch, err)
	}
	m, f := parse(Question{name, typ}, msg)
	if m == nil && f.state == Indeterminate {
		f.reason = fmt.Errorf("%v %s: %w: %w", name, dns.Type(typ), ErrFetch, f.reason)
	}
	return m, f
}

// anchored gives the zone of an anchor.
func (w *work) anchored(at rr.Name, ttl *time.Duration) *zone {
	var ds []*dns.DS
	var trusted []*dns.DNSKEY
	for _, a := range w.v.anchorsAt(at) {
		if a.ds != nil {
			ds = append(ds, a.ds)
		} else {
			trusted = append(trusted, a.key)
		}
	}
	return w.keysOf(at, ds, trusted, ttl)
}

// below says what is at a name below a zone: another zone, or none (nil).
func (w *work) below(at rr.Name, above *zone, ttl *time.Duration) (z *zone, last bool) {
	m, f := w.fetch(at, dns.TypeDS)
	if m == nil {
		return &zone{name: at, finding: f}, false
	}
	if s := find(m.answer, at, dns.TypeDS); s != nil {
		sig, err := w.verify(s, above)
		if err == nil && expanded(s, sig) {
			err = fmt.Errorf("%v DS: %w: made from a wildcard", at, ErrSignature)
		}
		if err != nil {
			return &zone{name: at, finding: finding{Bogus, err}}, false
		}
		shorten(ttl, s, sig)
		return w.keysOf(at, dsOf(s), nil, ttl), false
	}
	if f, last = w.undelegated(at, above, m, ttl); f.state != Secure {
		return &zone{name: at, finding: f}, false
	}
	return nil, last
}

func dsOf(s *set) []*dns.DS {
	var all []*dns.DS
	for _, r := range s.records {
		if ds, ok := r.(*dns.DS); ok {
			all = append(all, ds)
		}
	}
	return all
}

// shorten bounds a time by the TTL of a set that it rests on, and by the TTL that was signed.
func shorten(ttl *time.Duration, s *set, sig *dns.RRSIG) {
	*ttl = min(*ttl, time.Duration(sig.OrigTtl)*time.Second)
	for _, r := range s.records {
		*ttl = min(*ttl, time.Duration(r.Header().Ttl)*time.Second)
	}
}
