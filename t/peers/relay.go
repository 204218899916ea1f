package peers

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A Relay stands at an address of its own and passes queries on to a server,
// over UDP as over TCP. With several relays on one port, each at an address
// that glue can name, delegations lead to servers that nobody needs port 53
// for. The server behind a relay can be changed while it runs.
type Relay struct {
	Host string // its address in 127.0.0.0/8, without the port

	mu      sync.Mutex
	server  string // host:port, "" for a relay that is silent
	rewrite func(query, answer *dns.Msg)
	seen    int
}

// Relays starts a relay at each of the hosts, all on the same free port, which
// it returns. They end with the test.
func Relays(t testing.TB, hosts ...string) (port int, relays []*Relay) {
	t.Helper()
	for _, host := range hosts {
		relays = append(relays, &Relay{Host: host})
	}
	for range tries {
		port = FreePort(t)
		stop, err := listenAll(relays, port)
		if err == nil {
			t.Cleanup(stop)
			return port, relays
		}
		stop()
	}
	t.Fatal("start relays: every port was taken")
	return 0, nil
}

// Point makes the relay pass queries on to a server from now on; "" makes it
// silent.
func (r *Relay) Point(server string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = server
}

// Server is the server that queries are passed on to.
func (r *Relay) Server() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.server
}

// Rewrite has every answer changed by f before it is sent; nil ends that.
func (r *Relay) Rewrite(f func(query, answer *dns.Msg)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rewrite = f
}

// Seen is the number of queries that have come so far.
func (r *Relay) Seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func listenAll(relays []*Relay, port int) (stop func(), err error) {
	var running []*dns.Server
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		for _, s := range running {
			_ = s.ShutdownContext(ctx) // only says that a query was still waiting for its server
		}
	}
	for _, r := range relays {
		addr := net.JoinHostPort(r.Host, fmt.Sprint(port))
		p, err := net.ListenPacket("udp4", addr)
		if err != nil {
			return stop, err
		}
		running = append(running, serve(&dns.Server{PacketConn: p, Handler: r}))
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return stop, err
		}
		running = append(running, serve(&dns.Server{Listener: l, Handler: r}))
	}
	return stop, nil
}

// serve returns when the server is ready for its first query.
func serve(s *dns.Server) *dns.Server {
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go s.ActivateAndServe()
	<-started
	return s
}

// ServeDNS passes one query on.
func (r *Relay) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	r.mu.Lock()
	server, rewrite := r.server, r.rewrite
	r.seen++
	r.mu.Unlock()
	if server == "" {
		return
	}
	c := &dns.Client{Net: w.LocalAddr().Network(), UDPSize: dns.MaxMsgSize, Timeout: 2 * time.Second}
	a, _, err := c.Exchange(q, server)
	if err != nil {
		return
	}
	if rewrite != nil {
		rewrite(q, a)
	}
	a.Compress = true
	_ = w.WriteMsg(a) // whoever asked may be gone
}
