package iterate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// Bounds of one question, beside that of its queries.
const (
	maxAliases = 12 // in a chain
	maxLookups = 12 // of servers' addresses: a delegation may name many that do not exist (NXNSAttack)
	maxDepth   = 5  // servers whose addresses are needed to find that of another
	maxSteps   = 10 // that a name is grown in (RFC 9156 section 2.3)
	labelSteps = 4  // of these, so many grow it by one label
)

// maxTTL is how long a delegation is kept at most: it may have moved.
const maxTTL = 24 * time.Hour

// A run is the work on one question, by one goroutine.
type run struct {
	*Resolver
	left  int              // queries
	hosts int              // look-ups of servers' addresses
	open  map[rr.Name]bool // servers whose address is being looked up, or was in vain
	depth int
}

// chain follows aliases to the end.
func (n *run) chain(ctx context.Context, q Question) (*answer, error) {
	a := &answer{}
	seen := map[rr.Name]bool{}
	for range maxAliases {
		if seen[q.Name] {
			return nil, fmt.Errorf("%w: aliases in a circle", ErrBudget)
		}
		seen[q.Name] = true
		p, err := n.lookup(ctx, q)
		if err != nil {
			return nil, err
		}
		a.add(p)
		if !p.alias {
			return a, nil
		}
		q.Name = p.next
	}
	return nil, fmt.Errorf("%w: more than %d aliases", ErrBudget, maxAliases)
}

// lookup finds the zone of a name on the way down from the closest delegation known, and
// what it says. No server is asked for more of the name than one label below its zone,
// until that leads nowhere: there are servers that deny names which have others below.
func (n *run) lookup(ctx context.Context, q Question) (*reply, error) {
	z, err := n.closest(ctx, q)
	if err != nil {
		return nil, err
	}
	for at, step := z.name, 0; ; step++ {
		at = grow(at, q.Name, step)
		part := Question{at, dns.TypeA, q.DO}
		if at == q.Name {
			part.Type = q.Type
		}
		p, err := n.ask(ctx, z, part)
		switch {
		case at != q.Name && (errors.Is(err, errBroken) || err == nil && p.rcode == dns.RcodeNameError):
			step = maxSteps
		case errors.Is(err, ErrServers) && !errors.Is(err, ErrSilent):
			n.forget(z)
			return nil, err
		case err != nil:
			return nil, err
		case p.kind == referral:
			z = p.cut
			at = z.name
			n.keep(z)
		case at == q.Name:
			return p, nil
		}
	}
}

// grow gives the end of a name that is longer than the last, as RFC 9156 section 2.3 has
// it: a label more at first, then more of them.
func grow(last, name rr.Name, step int) rr.Name {
	missing := name.Count() - last.Count()
	more := 1
	switch {
	case step >= maxSteps:
		more = missing
	case step >= labelSteps:
		more = max(1, missing/(maxSteps-step))
	}
	for ; missing > more; missing-- {
		name = name.Parent()
	}
	return name
}

// closest is the deepest delegation known on the way to a name. What is delegated is not
// asked whether it is: of DS records, the servers above know.
func (n *run) closest(ctx context.Context, q Question) (*zone, error) {
	name := q.Name
	if q.Type == dns.TypeDS {
		name = name.Parent()
	}
	n.mu.Lock()
	now := n.o.Now()
	for ; name != ""; name = name.Parent() {
		if z, ok := n.zones.get(now, name); ok {
			n.mu.Unlock()
			return z, nil
		}
	}
	n.mu.Unlock()
	return n.root(ctx)
}

// keep remembers a delegation for its time.
func (r *Resolver) keep(z *zone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	r.zones.put(now, z.name, z, now+min(z.ttl, maxTTL))
}

// forget makes the next question look for a delegation anew: its servers may have moved.
func (r *Resolver) forget(z *zone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zones.drop(z.name)
}

// root is the root with the servers that it says it has. If its servers answer with
// something else, the hints do for a minute.
func (n *run) root(ctx context.Context) (*zone, error) {
	n.mu.Lock()
	z, ok := n.zones.get(n.o.Now(), "")
	n.mu.Unlock()
	if ok {
		return z, nil
	}
	hints := &zone{hints: n.o.Hints, ttl: time.Minute}
	p, err := n.ask(ctx, hints, Question{Type: dns.TypeNS})
	switch {
	case err != nil:
		return nil, err
	case p.kind == answered:
		z = delegation("", "", p.answer, p.extra)
	}
	if z == nil || len(z.glue) == 0 {
		z = hints
	}
	n.keep(z)
	return z, nil
}

// A host is a server's name in one family of addresses.
type host struct {
	name rr.Name
	typ  uint16 // A or AAAA
}

// How long the addresses of a server are kept at least, or that it has none.
const (
	minHostTTL = 30 * time.Second
	noHostTTL  = time.Minute
)

// more looks up one more server of a zone of which no address is known, and gives its
// addresses; none means that there is nothing more to be found.
func (n *run) more(ctx context.Context, z *zone, known map[netip.AddrPort]int) ([]netip.AddrPort, error) {
	for _, ns := range z.ns {
		if len(z.glue[ns]) > 0 || n.open[ns] || n.hosts <= 0 || n.depth >= maxDepth {
			continue
		}
		n.open[ns] = true
		n.depth++
		found, err := n.lookupHost(ctx, ns)
		n.depth--
		if err != nil && (errors.Is(err, ErrSilent) || !errors.Is(err, ErrServers)) {
			return nil, err
		}
		var to []netip.AddrPort
		for _, s := range n.ports(found) {
			if _, ok := known[s]; !ok {
				to = append(to, s)
			}
		}
		if len(to) > 0 {
			delete(n.open, ns) // it is found at once the next time
			return to, nil
		}
	}
	return nil, nil
}

// lookupHost finds the addresses of a server, of the family first that works.
func (n *run) lookupHost(ctx context.Context, ns rr.Name) ([]netip.Addr, error) {
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	if n.familyDown(0) {
		types = []uint16{dns.TypeAAAA, dns.TypeA}
	}
	var last error
	for _, typ := range types {
		found, err := n.lookupAddr(ctx, host{ns, typ})
		if len(found) > 0 {
			return found, nil
		}
		if err != nil && (errors.Is(err, ErrSilent) || !errors.Is(err, ErrServers)) {
			return nil, err
		}
		last = err
	}
	return nil, last
}

// lookupAddr finds the addresses of a server in one family. One that is an alias has
// none (RFC 2181 section 10.3).
func (n *run) lookupAddr(ctx context.Context, h host) ([]netip.Addr, error) {
	n.mu.Lock()
	found, ok := n.addrs.get(n.o.Now(), h)
	n.mu.Unlock()
	if ok {
		return found, nil
	}
	n.hosts--
	p, err := n.lookup(ctx, Question{Name: h.name, Type: h.typ})
	if err != nil {
		return nil, err
	}
	ttl := noHostTTL
	if p.kind == answered && !p.alias {
		found, ttl = addresses(p.answer)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.o.Now()
	n.addrs.put(now, h, found, now+min(max(ttl, minHostTTL), maxTTL))
	return found, nil
}
