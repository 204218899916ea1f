// Package iterate resolves names from the root on, as a recursive resolver does: for the
// time when the site's resolver is dead but the Internet is not.
//
// It follows delegations, asks each server for no more of a name than that server has to
// know (QNAME minimisation, RFC 9156), believes a server nothing outside of the zone it
// was asked about, and bounds what a single question may cost. It keeps delegations and
// the addresses of servers, but no answers: those are the caller's to keep.
// When nobody answers it finds out within a second or two whether anybody would, and does
// not forget what it knows.
//
// An answer is put together from what the servers of the zones on its way said: the chain
// of aliases with the records at its end, or the SOA record that bounds a denial, and with
// signatures wanted these and the proofs. Nothing is validated here.
package iterate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/clock"
	"namecast/lib/rr"
)

// Why there is no answer.
var (
	ErrRefused = errors.New("this cannot be resolved") // of a type that is no data, or a malformed name
	ErrServers = errors.New("no server answers")       // of a zone on the way; each may be dead, lame or unreachable
	ErrBudget  = errors.New("costs too much")          // more queries, servers or aliases than one question may have
	// ErrSilent is an ErrServers: it is not only the servers of a zone, nor do those of the
	// root answer, so that the fault is on this side.
	ErrSilent = fmt.Errorf("%w: not even of the root", ErrServers)
)

// A Question is what is to be resolved, in class IN.
type Question struct {
	Name rr.Name
	Type uint16
	DO   bool // signatures and proofs are wanted
}

// Exchange sends a query to a server and returns its response, whole: it comes by TCP if
// it does not fit a datagram. It ends with its context.
type Exchange func(ctx context.Context, server netip.AddrPort, query []byte) (response []byte, err error)

// Options of a Resolver; the zero value of a field is its default.
type Options struct {
	Hints    []netip.AddrPort      // servers of the root to begin with; default [Hints]
	Exchange Exchange              // default [Ask]
	Now      func() time.Duration  // time since boot; default [clock.Boot]
	Port     uint16                // of the servers that delegations name; default 53
	Usable   func(netip.Addr) bool // whether a server may be asked at an address that a delegation names; default [Usable]
	Queries  int                   // that one question may cost; default 100
}

// A Resolver resolves from the root. It may be used by many at once.
type Resolver struct {
	o Options

	mu      sync.Mutex
	zones   table[rr.Name, *zone]          // delegations
	addrs   table[host, []netip.Addr]      // of servers that were looked up
	servers table[netip.AddrPort, *server] // how servers are
	lame    table[badness, struct{}]       // servers that do not serve a zone
	family  [2]family                      // IPv4 and IPv6
	answer  time.Duration                  // when a server last gave one
	sent    uint64
}

// Bounds of what a Resolver keeps.
const (
	maxZones   = 20_000
	maxHosts   = 20_000
	maxServers = 20_000
)

// New makes a Resolver. It sends nothing yet.
func New(o Options) *Resolver {
	if len(o.Hints) == 0 {
		o.Hints = Hints()
	}
	if o.Exchange == nil {
		o.Exchange = Ask
	}
	if o.Now == nil {
		o.Now = clock.Boot
	}
	if o.Port == 0 {
		o.Port = 53
	}
	if o.Usable == nil {
		o.Usable = Usable
	}
	if o.Queries == 0 {
		o.Queries = 100
	}
	return &Resolver{
		o:       o,
		zones:   newTable[rr.Name, *zone](maxZones),
		addrs:   newTable[host, []netip.Addr](maxHosts),
		servers: newTable[netip.AddrPort, *server](maxServers),
		lame:    newTable[badness, struct{}](maxServers),
	}
}

// Resolve gives the answer to a question as a DNS response in wire form, with id 0 and
// without EDNS; its code is NOERROR, NXDOMAIN or, of a DNAME that makes a name too long,
// YXDOMAIN. All else is an error: one of this package, or the context's.
func (r *Resolver) Resolve(ctx context.Context, q Question) ([]byte, error) {
	q.Name = q.Name.Lower()
	if err := resolvable(q); err != nil {
		return nil, err
	}
	one := &run{Resolver: r, left: r.o.Queries, hosts: maxLookups, open: map[rr.Name]bool{}}
	a, err := one.chain(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("resolve %s %s from the root: %w", q.Name, rr.Type(q.Type), err)
	}
	return a.pack(q)
}

// Prime learns the servers of the root from those of the hints (RFC 8109), so that the
// first question does not have to wait for it. What is still known is not asked again.
func (r *Resolver) Prime(ctx context.Context) error {
	one := &run{Resolver: r, left: r.o.Queries}
	_, err := one.root(ctx)
	return err
}

// Sent is how many queries were sent.
func (r *Resolver) Sent() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// resolvable tells whether a question can be asked of an authoritative server.
func resolvable(q Question) error {
	if err := q.Name.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if q.Type == 0 || q.Type == dns.TypeOPT || q.Type >= 128 && q.Type < 255 { // RFC 6895 section 3.1
		return fmt.Errorf("%w: type %s is no data", ErrRefused, rr.Type(q.Type))
	}
	return nil
}

// Usable tells whether an address can be that of a server elsewhere: it is none of this
// machine or link, nor of many hosts. Whoever makes a delegation could have this machine
// send queries there.
func Usable(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !(a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240))
}
