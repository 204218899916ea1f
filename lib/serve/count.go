package serve

import "sync/atomic"

// A transport is how a query came.
type transport int

const (
	overUDP transport = iota
	overTCP
)

// rcodes is how many response codes are counted: those of the header, and
// BADVERS (16).
const rcodes = 17

// Stats is what was counted since the start.
type Stats struct {
	UDP, TCP     Traffic
	Conns        uint64 // TCP connections taken
	ConnsRefused uint64 // TCP connections closed at once, over a limit
	ConnsNow     int    // TCP connections that there are
	StoreErrors  uint64 // questions that the store did not answer
	Panics       uint64 // answers that failed in the program
}

// Traffic is the counts of one transport.
type Traffic struct {
	Queries   uint64         // messages received
	Dropped   uint64         // of those, not answered: too short, or responses
	Truncated uint64         // responses with TC
	Responses [rcodes]uint64 // by response code; 16 is BADVERS
}

type counters struct {
	udp, tcp            traffic
	conns, connsRefused atomic.Uint64
	storeErrors, panics atomic.Uint64
}

type traffic struct {
	queries, dropped, truncated atomic.Uint64
	responses                   [rcodes]atomic.Uint64
}

func (c *counters) of(t transport) *traffic {
	if t == overTCP {
		return &c.tcp
	}
	return &c.udp
}

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

// Stats reads the counts; any goroutine may, at any time.
func (d *DNS) Stats() Stats {
	c := &d.counters
	return Stats{
		UDP: c.udp.read(), TCP: c.tcp.read(),
		Conns: c.conns.Load(), ConnsRefused: c.connsRefused.Load(), ConnsNow: d.conns.size(),
		StoreErrors: c.storeErrors.Load(), Panics: c.panics.Load(),
	}
}
