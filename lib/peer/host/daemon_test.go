package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/private"
)

// A server is a name server that answers every A question with one address.
type server struct {
	addr   string
	silent atomic.Bool
	asked  atomic.Int64
	pass   atomic.Pointer[string] // it asks there instead of answering
}

// serve starts a server for the length of the test.
func serve(t testing.TB) *server {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: pc.LocalAddr().String()}
	srv := &dns.Server{PacketConn: pc, Handler: s}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.ActivateAndServe(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return s
}

// ServeDNS answers one question.
func (s *server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	s.asked.Add(1)
	if s.silent.Load() {
		return
	}
	if at := s.pass.Load(); at != nil {
		if r, err := dns.Exchange(q, *at); err == nil {
			_ = w.WriteMsg(r)
		}
		return
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	if q.Question[0].Qtype == dns.TypeA {
		m.Answer = append(m.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.IPv4(192, 0, 2, 1),
		})
	}
	if o := q.IsEdns0(); o != nil {
		m.SetEdns0(1232, o.Do())
	}
	_ = w.WriteMsg(m)
}

// A logged is what a daemon has logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A running is a daemon that a test has started.
type running struct {
	dir, addr string
	log       *logged
	stop      func() error
}

// start runs a daemon in solo mode until stop, or the test's end.
func start(t testing.TB, dir string, change func(*Config)) *running {
	t.Helper()
	r := &running{dir: dir, log: &logged{}}
	c := Config{
		Dir: dir, Listen: []string{"127.0.0.1:0"}, Mode: Solo, Owners: 2, Agree: 1, Port: DefaultPort,
		MaxStale: time.Hour, Root: filepath.Join(dir, "root"), Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	change(&c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, c) }()
	var once sync.Once
	r.stop = func() (err error) {
		once.Do(func() { cancel(); err = <-ended })
		return err
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(r.log)
		}
	})
	await(t, func() error {
		_, rest, ok := strings.Cut(r.log.String(), "msg=ready dns=[")
		if !ok {
			return errors.New("not ready")
		}
		r.addr, _, _ = strings.Cut(rest, "]")
		return nil
	})
	return r
}

// await polls until f returns nil.
func await(t testing.TB, f func() error) {
	t.Helper()
	until := time.Now().Add(20 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ask asks the stub, and gives nil if there is no answer.
func (r *running) ask(t *testing.T, name string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	m.SetEdns0(1232, false)
	c := dns.Client{Timeout: 5 * time.Second}
	a, _, err := c.Exchange(m, r.addr)
	if err != nil {
		t.Log(err)
		return nil
	}
	return a
}

// status is what -status prints.
func (r *running) status(t *testing.T, words ...string) (string, error) {
	t.Helper()
	var b strings.Builder
	err := Ask(t.Context(), r.dir, words, &b)
	return b.String(), err
}

func TestDaemon(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	r := start(t, dir, func(c *Config) {
		c.Upstream = []string{s.addr}
		c.Events = filepath.Join(dir, "events")
		c.Names = true
	})
	if m := r.ask(t, "www.example."); m == nil || len(m.Answer) != 1 {
		t.Fatalf("%v", m)
	}
	for words, want := range map[string]string{
		"":                "servers healthy",
		"peers":           "self",
		"cache":           "www.example.",
		"stats":           "asked\t1\n",
		"upstream":        s.addr,
		"why www.example": "by upstream",
		"events":          `"name":"www.example. A"`,
		"pause":           "paused",
		"resume":          "resumed",
	} {
		if text, err := r.status(t, strings.Fields(words)...); err != nil || !strings.Contains(text, want) {
			t.Errorf("-status %s: %v, %q, want %q", words, err, text, want)
		}
	}
	s.silent.Store(true)
	await(t, func() error {
		r.ask(t, "unknown.example.")
		if _, err := r.status(t); !errors.Is(err, ErrDown) {
			return errors.New("the server is not seen to be dead")
		}
		return nil
	})
	m := r.ask(t, "unknown2.example.")
	if m == nil || m.Rcode != dns.RcodeServerFailure || len(m.IsEdns0().Option) != 1 {
		t.Errorf("a name that nobody knows: %v", m)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "events")); err != nil || !bytes.Contains(text, []byte(`"kind":"answer"`)) {
		t.Errorf("recorded events: %v, %s", err, text)
	}
	r = start(t, dir, func(c *Config) { c.Upstream = []string{s.addr} })
	if m := r.ask(t, "www.example."); m == nil || len(m.Answer) != 1 {
		t.Errorf("after a restart in an outage: %v", m)
	}
	if text, err := r.status(t, "flush", "example"); err != nil || strings.HasPrefix(text, "forgot 0") {
		t.Errorf("flush: %v, %q", err, text)
	}
}

// TestLoop: a server that asks this stub is not asked any more.
func TestLoop(t *testing.T) {
	s := serve(t)
	r := start(t, t.TempDir(), func(c *Config) {
		s.silent.Store(true) // until the stub's address is known
		c.Upstream = []string{s.addr}
	})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	s.pass.Store(&r.addr)
	s.silent.Store(false)
	listen := r.addr
	r = start(t, t.TempDir(), func(c *Config) { c.Upstream = []string{s.addr}; c.Listen = []string{listen} })
	await(t, func() error {
		if !strings.Contains(r.log.String(), "leads back here") {
			return errors.New("the loop was not seen")
		}
		return nil
	})
	await(t, func() error {
		text, err := r.status(t, "upstream")
		if err != nil && !errors.Is(err, ErrDown) || strings.Contains(text, s.addr) {
			return errors.New("the server is still asked")
		}
		return nil
	})
	asked := s.asked.Load()
	if m := r.ask(t, "www.example."); m == nil || m.Rcode != dns.RcodeServerFailure {
		t.Errorf("%v", m)
	}
	if s.asked.Load() != asked {
		t.Error("the server was asked")
	}
}

// TestAuto: the servers are those of the machine.
func TestAuto(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil || port == "53" {
		t.Fatal(s.addr, err)
	}
	etc := filepath.Join(dir, "root/etc")
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := "nameserver " + host + "\n"
	if err := os.WriteFile(filepath.Join(etc, "resolv.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir, func(c *Config) {})
	await(t, func() error {
		text, err := r.status(t, "upstream")
		if err != nil && !errors.Is(err, ErrDown) {
			return err
		}
		if !strings.Contains(text, host) {
			return errors.New("no server: " + text)
		}
		return nil
	})
}

func TestConfig(t *testing.T) {
	good := Config{Mode: Guard, Owners: 2, Agree: 1, Port: 1, Static: []string{"192.0.2.1", "[fe80::1%eth0]:9"}, Secret: []string{"Corp.Example"}}
	p, err := good.check()
	if err != nil || p.static[0].String() != "192.0.2.1:1" || p.static[1].Addr().Zone() != "eth0" || p.secret[0].FQDN() != "corp.example." || !p.auto {
		t.Fatalf("%+v, %v", p, err)
	}
	bad := good
	bad.Mode = "none"
	if _, err := bad.check(); !errors.Is(err, ErrConfig) {
		t.Errorf("-mode none: %v", err)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	f, err := private.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := Config{Dir: dir, Mode: Solo, Owners: 2, Agree: 1, Port: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if err := Run(t.Context(), c); !errors.Is(err, private.ErrLocked) {
		t.Errorf("%v, want ErrLocked", err)
	}
}
