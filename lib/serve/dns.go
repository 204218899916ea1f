// Package serve is the sockets around package zone: DNS over UDP, TCP and TLS,
// what EDNS options ask of a server whatever the zone, and the limits that keep
// hostile clients from taking more than their share.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
	"namecast/lib/rr"
	"namecast/lib/rrl"
	"namecast/lib/store"
	"namecast/lib/zone"
)

// Viewer is what the DNS side needs of a store.
type Viewer interface {
	View() (store.View, error)
}

// Limits keep clients within bounds. A field that is zero has the default that
// is named beside it.
type Limits struct {
	Conns          int           // TCP connections at a time, with and without TLS; 2000
	ConnsPerPrefix int           // of those, from one IPv4 /24 or IPv6 /48; 200
	Idle           time.Duration // wait for a whole query, or for a response to be taken; 10 s
	Queries        int           // on one TCP connection; 1000
	Handshake      time.Duration // wait for a TLS handshake; 5 s
}

// Sockets are what DNS is answered on. TLS are TCP listeners too; DNS over TLS
// (RFC 7858) is spoken there, with the certificate of SetCertificate.
type Sockets struct {
	UDP []*net.UDPConn
	TCP []net.Listener
	TLS []net.Listener
}

// DNS answers questions on sockets that are given to it. Set the fields before
// Serve; it must not be copied after.
type DNS struct {
	Service *zone.Service
	Store   Viewer
	Log     *slog.Logger
	Limits  Limits
	Rate    *rrl.Limiter // of responses over UDP; nil is no limit

	cookies     atomic.Pointer[cookie.Secrets]
	certificate atomic.Pointer[tls.Certificate]

	counters counters
	conns    crowd
	failing  atomic.Bool // the store did not answer last time
	panicked sync.Once
}

// grace is how long after its end Serve goes on answering what was received
// before.
const grace = 200 * time.Millisecond

// maxQuery is the largest query taken, in octets. Real ones have less than 300;
// padding (RFC 8467) and signatures leave them below this.
const maxQuery = 4096

// Serve answers on the sockets until ctx ends, answers what was received by
// then, closes the sockets and returns. The error is that of a socket that
// failed by itself.
func (d *DNS) Serve(ctx context.Context, on Sockets) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d.conns.open(d.Limits)
	var all sync.WaitGroup
	run := func(serve func() error) {
		all.Go(func() {
			if err := serve(); err != nil {
				cancel(err)
			}
		})
	}
	for _, c := range on.UDP {
		run(func() error { return d.serveUDP(ctx, c) })
	}
	for _, l := range on.TCP {
		run(func() error { return d.serveTCP(ctx, l, nil) })
	}
	config := d.tlsConfig()
	for _, l := range on.TLS {
		run(func() error { return d.serveTCP(ctx, l, config) })
	}
	<-ctx.Done()
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("serve dns: %w", err)
	}
	return nil
}

// SetCookies puts the secrets of DNS cookies in force; before the first call,
// cookies are ignored. Any goroutine may call it, at any time.
func (d *DNS) SetCookies(s cookie.Secrets) { d.cookies.Store(&s) }

// A client is where a query came from, and how.
type client struct {
	over transport
	addr netip.Addr // IPv4 in its own form, without a zone
}

// respond makes the response to one message, in out if it fits there; nil is
// silence. Whatever happens inside, the process goes on.
func (d *DNS) respond(query []byte, from client, out []byte) (reply []byte) {
	n := d.counters.of(from.over)
	n.queries.Add(1)
	if len(query) < headerSize || query[2]&flagQR != 0 {
		// Too short to answer, or a response: to answer one starts a loop.
		n.dropped.Add(1)
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			d.counters.panics.Add(1)
			d.panicked.Do(func() {
				d.Log.Error("panic while answering; further ones are only counted", "panic", p, "query", fmt.Sprintf("%x", query), "stack", string(debug.Stack()))
			})
			reply = n.count(bare(query, dns.RcodeServerFailure, out))
		}
	}()
	now := time.Now()
	q := new(dns.Msg)
	if err := q.Unpack(query); err != nil || !complete(query) {
		if d.judge(from, rrl.Error, "", now) == rrl.Drop {
			return nil
		}
		return n.count(bare(query, dns.RcodeFormatError, out))
	}
	m, limit := d.message(q, from, now)
	if m == nil {
		return nil
	}
	if reply = pack(m, from, limit, out); reply == nil {
		return n.count(bare(query, dns.RcodeServerFailure, out))
	}
	if m.Truncated {
		n.truncated.Add(1)
	}
	n.responses[slot(m.Rcode)].Add(1)
	return reply
}

// message makes the response to a query that can be read, and tells how large
// it may be; nil is silence.
func (d *DNS) message(q *dns.Msg, from client, now time.Time) (m *dns.Msg, limit int) {
	asked := d.read(q, from, now)
	var wildcard rr.Name
	var failed error
	if asked.cookie == cookie.Malformed {
		m = formatError(q, d.Service)
	} else {
		limit = asked.makeRoom(q, d.Service)
		m, wildcard, failed = d.answer(q, from.over == overUDP)
	}
	explain(m, failed)
	d.attach(m, asked)
	if !d.withinRate(m, asked, wildcard, now) {
		return nil, 0
	}
	return m, max(limit, plainUDP)
}

// answer asks the zones, with a view of its own for each question: what is
// committed is seen at once.
func (d *DNS) answer(q *dns.Msg, udp bool) (*dns.Msg, rr.Name, error) {
	v, err := d.Store.View()
	if err != nil {
		v = nil
	} else {
		defer v.Release()
	}
	m, wildcard, failed := d.Service.AnswerFrom(v, q, udp)
	if err == nil {
		err = failed
	}
	d.noteStore(err)
	return m, wildcard, err
}

// noteStore counts a failure of the store, and logs when failing begins and
// when it ends.
func (d *DNS) noteStore(err error) {
	if err == nil {
		if d.failing.Load() && d.failing.Swap(false) {
			d.Log.Info("storage answers again")
		}
		return
	}
	d.counters.storeErrors.Add(1)
	if !d.failing.Swap(true) {
		d.Log.Error("storage does not answer questions", "err", err)
	}
}
