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
	"namecast/lib/wire"
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
	// Directory, if there is one, saves asking the store for names that nobody has.
	Directory Directory

	cookies     atomic.Pointer[cookie.Secrets]
	certificate atomic.Pointer[tls.Certificate]

	answers  answers
	counters counters
	conns    crowd
	failing  atomic.Bool // the store did not answer last time
	suspend  atomic.Bool // no question is answered
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

// Suspend has every question about zones answered with a server's failure, or no
// longer: when what would be answered may be too old. Any goroutine may call it, at any time.
func (d *DNS) Suspend(yes bool) { d.suspend.Store(yes) }

// A client is where a query came from, and how.
type client struct {
	over transport
	addr netip.Addr // IPv4 in its own form, without a zone
}

// A scratch is what answering needs of memory for a while. Whoever answers many
// queries, one after the other, has one for all of them.
type scratch struct {
	key, question [maxAnswerKey + 1]byte
	body, entry   [maxQuery]byte
	writer        wire.Writer
}

// respondAt makes the response to one message, in out if it fits there; nil is
// silence. Whatever happens inside, the process goes on.
func (d *DNS) respondAt(now time.Time, query []byte, from client, out []byte, s *scratch) (reply []byte) {
	n := d.counters.of(from.over)
	n.queries.Add(1)
	if len(query) < wire.HeaderSize || query[2]&wire.FlagQR != 0 {
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
	var q wire.Query
	if !d.suspend.Load() && q.Parse(query) && ordinary(rr.Type(q.Type)) {
		if reply, done := d.plain(query, &q, from, now, out, s); done {
			return reply
		}
	}
	return d.any(query, from, now, out)
}

// any responds to any query.
func (d *DNS) any(query []byte, from client, now time.Time, out []byte) []byte {
	q := new(dns.Msg)
	if err := q.Unpack(query); err != nil || !complete(query) {
		if d.judge(from, rrl.Error, nil, now) == rrl.Drop {
			return nil
		}
		return d.counters.of(from.over).count(bare(query, dns.RcodeFormatError, out))
	}
	a := d.read(q, from, now)
	var r *zone.Response
	if a.cookie == cookie.Malformed {
		r = &zone.Response{Rcode: dns.RcodeFormatError, Limit: plainUDP, EDNS: true}
	} else {
		r = d.fromZones(func(v store.View) *zone.Response { return d.Service.Respond(v, q, from.over == overUDP) })
	}
	m := message{query: query, from: from, asked: a, now: now}
	if len(q.Question) == 1 {
		m.question, m.qtype, m.qclass = question(query), q.Question[0].Qtype, q.Question[0].Qclass
	}
	return d.finish(r, m, out)
}

// question is the question section of a message that has one question.
func question(query []byte) []byte {
	after, _ := skipName(query, wire.HeaderSize)
	return query[wire.HeaderSize : after+4]
}

// fromZones asks the zones, with a view of its own for each question: what is
// committed is seen at once.
func (d *DNS) fromZones(ask func(v store.View) *zone.Response) *zone.Response {
	v, err := d.view()
	if err != nil {
		v = nil
	} else {
		defer v.Release()
	}
	r := ask(v)
	if r.Err == nil && r.Rcode == dns.RcodeServerFailure {
		r.Err = err
	}
	if err == nil {
		err = r.Err
	}
	d.noteStore(err)
	return r
}

// errSuspended: see Suspend.
var errSuspended = errors.New("what is stored may be too old")

func (d *DNS) view() (store.View, error) {
	if d.suspend.Load() {
		return nil, errSuspended
	}
	return d.Store.View()
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
