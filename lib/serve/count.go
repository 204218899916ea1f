package serve

import (
	"sync/atomic"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
)

// A transport is how a query came.
type transport int

const (
	overUDP transport = iota
	overTCP
	overTLS
)

// rcodes is how many response codes are counted: those of the header, BADVERS
// and BADCOOKIE.
const rcodes = 18

// slot is where a response code is counted: BADVERS at 16, BADCOOKIE at 17.
func slot(rcode int) int {
	if rcode == dns.RcodeBadCookie {
		return 17
	}
	return min(rcode, dns.RcodeBadVers)
}

// Stats is what was counted since the start.
type Stats struct {
	UDP, TCP, TLS Traffic
	Conns         uint64  // TCP connections taken, with and without TLS
	ConnsRefused  uint64  // TCP connections closed at once, over a limit
	ConnsNow      int     // TCP connections that there are, with and without TLS
	Shakes        Shakes  // TLS handshakes
	Cookies       Cookies // queries with EDNS by their cookie
	Limited       Limited // responses over the rate
	Options       Options // responses by what is told in EDNS
	StoreErrors   uint64  // questions that the store did not answer
	Panics        uint64  // answers that failed in the program
}

// Shakes counts TLS handshakes.
type Shakes struct {
	Full, Resumed, Failed uint64
}

// Cookies counts queries with EDNS by the status of their cookie.
type Cookies [cookie.Good + 1]uint64

// Limited counts responses over UDP that went over the rate.
type Limited struct {
	Dropped   uint64 // not sent
	Truncated uint64 // sent with TC and nothing else
	BadCookie uint64 // sent as BADCOOKIE, with a cookie to come back with
	Errors    uint64 // sent as they were: there is nothing in them to take out
}

// Options counts responses by the EDNS options in them.
type Options struct {
	Errors    uint64 // Extended DNS Error
	Expire    uint64
	KeepAlive uint64
	Padding   uint64
}

// Traffic is the counts of one transport.
type Traffic struct {
	Queries   uint64         // messages received
	Dropped   uint64         // of those, not answered: too short, or responses
	Truncated uint64         // responses with TC
	Responses [rcodes]uint64 // by response code; 16 is BADVERS, 17 BADCOOKIE
}

type counters struct {
	traffic             [overTLS + 1]traffic
	conns, connsRefused atomic.Uint64
	storeErrors, panics atomic.Uint64
	denied, drawn       atomic.Uint64
	cookies             [cookie.Good + 1]atomic.Uint64

	shakes  struct{ full, resumed, failed atomic.Uint64 }
	limited struct{ dropped, truncated, badCookie, errors atomic.Uint64 }
	options struct{ errors, expire, keepAlive, padding atomic.Uint64 }
}

type traffic struct {
	queries, dropped, truncated atomic.Uint64
	responses                   [rcodes]atomic.Uint64
}

func (c *counters) of(t transport) *traffic { return &c.traffic[t] }

// count counts a response made of a header alone, and passes it on.
func (t *traffic) count(header []byte) []byte {
	t.responses[header[3]&0x0f].Add(1)
	return header
}

func (t *traffic) read() Traffic {
	r := Traffic{Queries: t.queries.Load(), Dropped: t.dropped.Load(), Truncated: t.truncated.Load()}
	for i := range t.responses {
		r.Responses[i] = t.responses[i].Load()
	}
	return r
}

// Answers is how plain questions were answered; the rest of them had an answer
// that was kept.
type Answers struct {
	Denied uint64 // from what is known of all names that do not exist
	Drawn  uint64 // from the store
	Kept   int    // answers that there are to give again
	Octets int    // of memory that they take
}

// Answers reads the counts; any goroutine may, at any time.
func (d *DNS) Answers() Answers {
	a := Answers{Denied: d.counters.denied.Load(), Drawn: d.counters.drawn.Load()}
	if d.answers.held != nil {
		held, made := d.answers.held.Stats(), d.answers.made.Stats()
		a.Kept, a.Octets = held.Entries+made.Entries, held.Used+made.Used
	}
	return a
}

// Stats reads the counts; any goroutine may, at any time.
func (d *DNS) Stats() Stats {
	c := &d.counters
	s := Stats{
		UDP: c.of(overUDP).read(), TCP: c.of(overTCP).read(), TLS: c.of(overTLS).read(),
		Conns: c.conns.Load(), ConnsRefused: c.connsRefused.Load(), ConnsNow: d.conns.size(),
		Shakes:      Shakes{c.shakes.full.Load(), c.shakes.resumed.Load(), c.shakes.failed.Load()},
		Limited:     Limited{c.limited.dropped.Load(), c.limited.truncated.Load(), c.limited.badCookie.Load(), c.limited.errors.Load()},
		Options:     Options{c.options.errors.Load(), c.options.expire.Load(), c.options.keepAlive.Load(), c.options.padding.Load()},
		StoreErrors: c.storeErrors.Load(), Panics: c.panics.Load(),
	}
	for i := range c.cookies {
		s.Cookies[i] = c.cookies[i].Load()
	}
	return s
}
