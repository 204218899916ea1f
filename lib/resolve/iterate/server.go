package iterate

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// What is known of servers is kept for so long after it was last heard of.
const (
	serverTTL = 15 * time.Minute
	lameTTL   = 15 * time.Minute
)

// A server is what is known of one at an address.
type server struct {
	srtt, dev time.Duration // of its answers, smoothed as in RFC 6298; 0: none yet
	fails     int           // since the last answer
	plain     bool          // does not know EDNS
}

// badness is that a server does not serve a zone it is named for.
type badness struct {
	server netip.AddrPort
	zone   rr.Name
}

// A family of addresses may have no way out of this machine, although it is asked to.
type family struct {
	refused int // by this machine or the network, one after another
	until   time.Duration
}

const (
	familyRefused = 3
	familyTTL     = time.Minute
)

func familyOf(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 0
	}
	return 1
}

// familyDown tells whether servers in a family are not worth asking first.
func (r *Resolver) familyDown(f int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.family[f].until > r.o.Now()
}

// Times of an exchange.
const (
	firstWait = 400 * time.Millisecond // for a server that nothing is known of
	minWait   = 40 * time.Millisecond
	maxWait   = 1500 * time.Millisecond
	patience  = 2 * time.Second // then an answer is not heard any more
)

// wait is after what time another server is asked beside one.
func (r *Resolver) wait(s netip.AddrPort) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.servers.get(r.o.Now(), s)
	if !ok || i.srtt == 0 {
		return firstWait
	}
	return min(max((i.srtt+4*i.dev)<<min(i.fails, 3), minWait), maxWait)
}

// cost orders servers: the one that will answer soonest first, as far as that is known.
// Unknown servers are tried early, those that failed late, and none never.
func (r *Resolver) cost(z *zone, s netip.AddrPort) time.Duration {
	now := r.o.Now()
	c := rand.N(10 * time.Millisecond) // alike servers share the work
	if i, ok := r.servers.get(now, s); ok {
		c += i.srtt + time.Duration(min(i.fails, 10))*maxWait
	}
	if _, ok := r.lame.get(now, badness{s, z.name}); ok {
		c += time.Minute
	}
	if r.family[familyOf(s.Addr())].until > now {
		c += time.Minute
	}
	return c
}

// known gives what is known of a server, to be changed under the lock.
func (r *Resolver) known(s netip.AddrPort) *server {
	now := r.o.Now()
	i, ok := r.servers.get(now, s)
	if !ok {
		i = &server{}
	}
	r.servers.put(now, s, i, now+serverTTL)
	return i
}

// heard takes down that a server answered after a time.
func (r *Resolver) heard(s netip.AddrPort, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.known(s)
	took = max(took, time.Microsecond)
	if i.srtt == 0 {
		i.srtt, i.dev = took, took/2
	} else {
		i.dev += ((took - i.srtt).Abs() - i.dev) / 4
		i.srtt += (took - i.srtt) / 8
	}
	i.fails = 0
	r.answer = r.o.Now()
	r.family[familyOf(s.Addr())] = family{}
}

// failed takes down that a server did not answer. One that could not be reached at all
// says something of its family of addresses.
func (r *Resolver) failed(s netip.AddrPort, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known(s).fails++
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return
	}
	f := &r.family[familyOf(s.Addr())]
	if f.refused++; f.refused >= familyRefused {
		f.until = r.o.Now() + familyTTL
	}
}

// useless takes down that a server does not serve a zone.
func (r *Resolver) useless(s netip.AddrPort, z *zone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	r.lame.put(now, badness{s, z.name}, struct{}{}, now+lameTTL)
}

// setPlain takes down that a server does not know EDNS, and tells whether that is new.
func (r *Resolver) setPlain(s netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.known(s)
	was := i.plain
	i.plain = true
	return !was
}

// query makes the query for a server, with a random id.
func (r *Resolver) query(s netip.AddrPort, q Question) (id uint16, b []byte, err error) {
	r.mu.Lock()
	i, ok := r.servers.get(r.o.Now(), s)
	plain := ok && i.plain
	r.sent++
	r.mu.Unlock()
	m := dns.Msg{Question: []dns.Question{{Name: q.Name.FQDN(), Qtype: q.Type, Qclass: dns.ClassINET}}}
	m.Id = dns.Id()
	if !plain {
		m.SetEdns0(udpSize, q.DO)
	}
	b, err = m.Pack()
	return m.Id, b, err
}
