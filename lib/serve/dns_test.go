package serve

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
	"namecast/lib/sock"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/zone"
)

// views is a Viewer made of a function.
type views func() (store.View, error)

func (f views) View() (store.View, error) { return f() }

// A log collects what is logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), word)
}

// A rig is a server at work.
type rig struct {
	*DNS
	addr   string // UDP and TCP
	secure string // TLS
	log    *log
	end    func() error // ends the server and returns what Serve did
}

// start serves at an address; change may replace fields first.
func start(t *testing.T, addr string, change func(*DNS)) *rig {
	t.Helper()
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &rig{log: &log{}}
	r.DNS = &DNS{Store: db, Log: slog.New(slog.NewTextHandler(r.log, nil)), Service: &zone.Service{
		Base: rr.MustName("namecast.example"),
		NS:   []zone.NameServer{{Name: rr.MustName("ns1.namecast.example"), Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}},
	}}
	if change != nil {
		change(r.DNS)
	}
	udp, tcp, err := sock.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := sock.ListenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr, r.secure = tcp[0].Addr().String(), secure[0].Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, Sockets{UDP: udp, TCP: tcp, TLS: secure}) }()
	r.end = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(5 * time.Second):
			return errors.New("Serve does not return")
		}
	})
	t.Cleanup(func() {
		if err := r.end(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

// query is a question for the base zone's SOA, packed.
func query(t testing.TB, id uint16) []byte {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion("namecast.example.", dns.TypeSOA)
	q.Id = id
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dial(t *testing.T, network, addr string) *dns.Conn {
	t.Helper()
	c, err := dns.DialTimeout(network, addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(5 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

// exchange sends octets and returns the response code of the answer.
func exchange(t *testing.T, c *dns.Conn, b []byte) int {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	m, err := c.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	if m.Id != binary.BigEndian.Uint16(b) || !m.Response {
		t.Errorf("header %+v for %x", m.MsgHdr, b)
	}
	return m.Rcode
}

func TestTransports(t *testing.T) {
	r := start(t, "127.0.0.1:0", nil)
	for i, network := range []string{"udp", "tcp"} {
		if code := exchange(t, dial(t, network, r.addr), query(t, uint16(i))); code != dns.RcodeSuccess {
			t.Errorf("%s: %s", network, dns.RcodeToString[code])
		}
	}
	s := r.Stats()
	if s.UDP.Queries != 1 || s.UDP.Responses[0] != 1 || s.TCP.Queries != 1 || s.TCP.Responses[0] != 1 || s.Conns != 1 {
		t.Errorf("counts: %+v", s)
	}
}

// TestEveryAddress answers from the address that was asked.
func TestEveryAddress(t *testing.T) {
	r := start(t, ":0", nil)
	_, port, _ := net.SplitHostPort(r.addr)
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		c, err := dns.DialTimeout("udp", net.JoinHostPort(host, port), time.Second)
		if err != nil {
			t.Logf("%s: %v", host, err)
			continue
		}
		// A connected socket takes nothing from another address.
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if code := exchange(t, c, query(t, 7)); code != dns.RcodeSuccess {
			t.Errorf("%s: %s", host, dns.RcodeToString[code])
		}
		c.Close()
	}
}

func TestBadMessages(t *testing.T) {
	r := start(t, "127.0.0.1:0", nil)
	c := dial(t, "udp", r.addr)
	good := query(t, 1)
	for _, b := range [][]byte{nil, good[:5], good[:11], append([]byte{0, 1, 0x80}, good[3:]...)} {
		if _, err := c.Conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing of that is answered, so the next answer is for what follows.
	for _, x := range []struct {
		name string
		b    []byte
		want int
	}{
		{"header alone", good[:12], dns.RcodeFormatError},
		{"cut off", good[:len(good)-1], dns.RcodeFormatError},
		{"further octets", append(bytes.Clone(good), 1, 2, 3), dns.RcodeSuccess},
		{"a name by pointer", append(bytes.Clone(good[:12]), 0xc0, 0, 0, 1, 0, 1), dns.RcodeFormatError},
		{"a name by pointer ahead", append(bytes.Clone(good[:12]), 0xc0, 18, 0, 1, 0, 1, 0), dns.RcodeFormatError},
		{"a name that ends by pointer", append(bytes.Clone(good[:12]), 1, 'a', 0xc0, 12, 0, 1, 0, 1), dns.RcodeFormatError},
		{"a record is missing", append(append(bytes.Clone(good[:10]), 0, 1), good[12:]...), dns.RcodeFormatError},
		{"a record's data are cut off", append(append(append(bytes.Clone(good[:10]), 0, 1), good[12:]...), 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1), dns.RcodeFormatError},
		{"proper", good, dns.RcodeSuccess},
	} {
		if code := exchange(t, c, x.b); code != x.want {
			t.Errorf("%s: %s, want %s", x.name, dns.RcodeToString[code], dns.RcodeToString[x.want])
		}
	}
	if s := r.Stats(); s.UDP.Dropped != 4 || s.UDP.Responses[dns.RcodeFormatError] != 7 {
		t.Errorf("counts: %+v", s.UDP)
	}
}

// TestPanic answers SERVFAIL, goes on, and logs only once.
func TestPanic(t *testing.T) {
	r := start(t, "127.0.0.1:0", func(d *DNS) {
		d.Store = views(func() (store.View, error) { panic("at the disco") })
	})
	c := dial(t, "udp", r.addr)
	for id := range uint16(3) {
		if code := exchange(t, c, query(t, id)); code != dns.RcodeServerFailure {
			t.Errorf("%s", dns.RcodeToString[code])
		}
	}
	if s := r.Stats(); s.Panics != 3 || s.UDP.Responses[dns.RcodeServerFailure] != 3 || r.log.count("at the disco") != 1 {
		t.Errorf("counts: %+v, %d lines", s, r.log.count("at the disco"))
	}
}

// TestStoreFails answers SERVFAIL while the store does not serve, and logs when
// that begins and when it ends.
func TestStoreFails(t *testing.T) {
	var failing atomic.Bool
	r := start(t, "127.0.0.1:0", func(d *DNS) {
		db := d.Store
		d.Store = views(func() (store.View, error) {
			if failing.Load() {
				return nil, store.ErrUnavailable
			}
			return db.View()
		})
	})
	c := dial(t, "udp", r.addr)
	for _, want := range []int{0, dns.RcodeServerFailure, dns.RcodeServerFailure, 0, 0} {
		failing.Store(want != 0)
		if code := exchange(t, c, query(t, 1)); code != want {
			t.Errorf("%s, want %s", dns.RcodeToString[code], dns.RcodeToString[want])
		}
	}
	if s := r.Stats(); s.StoreErrors != 2 || r.log.count("does not answer") != 1 || r.log.count("answers again") != 1 {
		t.Errorf("counts: %+v", s)
	}
}

// TestEnd answers what was received before the end.
func TestEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r := start(t, "127.0.0.1:0", func(d *DNS) {
		db := d.Store
		d.Store = views(func() (store.View, error) {
			once.Do(func() { close(entered) })
			<-leave
			return db.View()
		})
	})
	c, idle := dial(t, "udp", r.addr), dial(t, "tcp", r.addr)
	for id := range uint16(3) {
		if _, err := c.Write(query(t, id)); err != nil {
			t.Fatal(err)
		}
	}
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- r.end() }()
	close(leave)
	for id := range uint16(3) {
		if m, err := c.ReadMsg(); err != nil || m.Id != id {
			t.Errorf("answer %d: %v %v", id, m, err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	closed(t, idle)
	if s := r.Stats(); s.ConnsNow != 0 {
		t.Errorf("connections left: %d", s.ConnsNow)
	}
}

// FuzzRespond gives any octets: no panic, a response to what has a header and
// is a query, silence to all else.
func FuzzRespond(f *testing.F) {
	d := &DNS{
		Log:     slog.New(slog.DiscardHandler),
		Service: &zone.Service{Base: rr.MustName("namecast.example")},
		Store:   views(func() (store.View, error) { return nil, store.ErrUnavailable }),
	}
	good := query(f, 1)
	for _, b := range [][]byte{nil, good, good[:12], good[:20], append(bytes.Clone(good), 0), append(append(bytes.Clone(good[:10]), 0, 1), good[12:]...)} {
		f.Add(b)
	}
	f.Add([]byte("\x124\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out := d.respond(b, client{over: overUDP, addr: netip.MustParseAddr("192.0.2.1")}, make([]byte, maxQuery))
		if silent := len(b) < 12 || b[2]&0x80 != 0; silent != (out == nil) {
			t.Fatalf("%x for %x", out, b)
		}
		if s := d.Stats(); s.Panics > 0 {
			t.Fatal("a panic")
		}
		if out != nil && (len(out) < 12 || len(out) > 1232 || out[0] != b[0] || out[1] != b[1] || out[2]&0x80 == 0) {
			t.Fatalf("%x for %x", out, b)
		}
	})
}
