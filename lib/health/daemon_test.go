package health

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"namecast/lib/control"
)

// fast is a timing with which tests take no more time than they have to.
const fast = "timing verify=50ms hold=50ms repeat=100ms fresh=2s hear=200ms ask=100ms\n"

// wellNode is a node whose only component is well.
const wellNode = "node=a\nprefix=192.0.2.0/24\ncomponent=dns\nprobe=command component=dns run=true interval=100ms timeout=100ms fall=50 rise=1\n" + fast

// A node is a daemon under test.
type node struct {
	Config
	t    *testing.T
	log  *syncBuffer
	stop context.CancelFunc
	err  error
	done chan struct{}
}

// A syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// shortDir makes a folder whose name is short enough for a socket in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ncw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start runs a daemon with a configuration, until the test ends or stop.
func start(t *testing.T, conf string, change func(*Config)) *node {
	t.Helper()
	n := &node{t: t, log: &syncBuffer{}, done: make(chan struct{})}
	n.Dir = shortDir(t)
	n.File = filepath.Join(n.Dir, "node.conf")
	if err := os.WriteFile(n.File, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n.Out, n.Log = out, slog.New(slog.NewTextHandler(n.log, nil))
	if change != nil {
		change(&n.Config)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() {
		defer close(n.done)
		n.err = Run(ctx, n.Config)
	}()
	t.Cleanup(func() { cancel(); <-n.done })
	return n
}

// until polls until a condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// status is what -status prints; empty if it cannot.
func (n *node) status() string {
	var b bytes.Buffer
	if err := PrintStatus(n.t.Context(), n.Dir, &b); err != nil && !errors.Is(err, ErrNotAnnounced) {
		return ""
	}
	return b.String()
}

// says waits until the status has a text.
func (n *node) says(text string) {
	n.t.Helper()
	defer func() {
		if n.t.Failed() {
			n.t.Logf("status:\n%s\nlog:\n%s", n.status(), n.log)
		}
	}()
	until(n.t, fmt.Sprintf("status with %q", text), func() bool { return strings.Contains(n.status(), text) })
}

// TestOutputUnread: nobody reads the lines, and the pipe is full.
func TestOutputUnread(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Skipf("pipes have one size here: %v", err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("\n"), 4096)); err != nil {
		t.Fatal(err)
	}
	n := start(t, wellNode, func(c *Config) { c.Out = w })
	<-n.done
	if !errors.Is(n.err, ErrOutput) || !Transient(n.err) {
		t.Errorf("%v", n.err)
	}
}

// TestOutputGone: the reader of the lines went away.
func TestOutputGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, wellNode, func(c *Config) { c.Out = w })
	s := bufio.NewScanner(r)
	for s.Scan() && s.Text() != "announce 192.0.2.0/24" {
	}
	r.Close()
	<-n.done
	if !errors.Is(n.err, ErrOutput) || !Transient(n.err) {
		t.Errorf("%v", n.err)
	}
}

// TestLink is about nc-bgp's socket: it comes late, tells states, refuses, talks
// nonsense, and comes again.
func TestLink(t *testing.T) {
	path := filepath.Join(shortDir(t), "route.sock")
	n := start(t, wellNode+"probe=bgp component=dns\n", func(c *Config) { c.Route, c.HTTP = path, "127.0.0.1:0" })
	n.says("nc-bgp is not connected")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s := bufio.NewScanner(c)
		for _, want := range []string{"beat 300", "status"} {
			if s.Scan(); s.Text() != want {
				t.Errorf("the connection begins with %q, want %q", s.Text(), want)
			}
		}
		n.says("no word from nc-bgp")
		fmt.Fprintf(c, "peer 10.0.0.1 established\nbfd 10.0.0.1 up\nroute 192.0.2.0/24 announced 1/1\n"+
			"error 3 announce 192.0.2.0/24 not ours\norder 192.0.2.0/24 withdrawn %d b,c\nlost 3\n", time.Now().Unix()+30)
		var answers sync.WaitGroup
		answers.Go(func() {
			for i := 3; s.Scan(); i++ {
				fmt.Fprintf(c, "ok %d %s\n", i, s.Text())
			}
		})
		n.says("announced in 1 of 1 sessions")
		n.says("1 sessions are established")
		n.says("withdrawn by b,c for")
		n.says("refuses: announce 192.0.2.0/24 not ours")
		n.says("dropped 3 states")
		fmt.Fprintln(c, "order 192.0.2.0/24 ended")
		n.says("192.0.2.0/24 is announced")
		fmt.Fprintln(c, "what is this")
		answers.Wait() // the watch has closed the connection
		c.Close()
	}
}

// TestPage reads what is shown over HTTP.
func TestPage(t *testing.T) {
	n := start(t, wellNode, func(c *Config) { c.HTTP = "127.0.0.1:0" })
	n.says("192.0.2.0/24 is announced")
	_, addr, _ := strings.Cut(n.log.String(), " http=")
	addr, _, _ = strings.Cut(addr, "\n")
	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(text)
	}
	if code, text := get("/"); code != 200 || !strings.Contains(text, "<h1>192.0.2.0/24 is announced") || !strings.Contains(text, "command true") {
		t.Errorf("/: %d %s", code, text)
	}
	if code, text := get("/healthz"); code != 200 || text != "ok\n" {
		t.Errorf("/healthz: %d %s", code, text)
	}
	if _, text := get("/metrics"); !strings.Contains(text, `namecast_watch_route{prefix="192.0.2.0/24"} 2`) || !strings.Contains(text, "namecast_watch_answers 1") {
		t.Errorf("/metrics: %s", text)
	}
	var said bytes.Buffer
	if err := Drain(t.Context(), n.Dir, "new <b>disk</b>", &said); err != nil || !strings.Contains(said.String(), "192.0.2.0/24 is drained") {
		t.Fatalf("drain: %q, %v", said.String(), err)
	}
	if code, text := get("/healthz"); code != 503 || !strings.Contains(text, "drained") {
		t.Errorf("/healthz of a drained node: %d %s", code, text)
	}
	if _, text := get("/"); strings.Contains(text, "<b>") || !strings.Contains(text, "&lt;b&gt;") {
		t.Errorf("the reason is not escaped: %s", text)
	}
	if err := PrintStatus(t.Context(), n.Dir, io.Discard); !errors.Is(err, ErrNotAnnounced) {
		t.Errorf("status of a drained node: %v", err)
	}
}

// TestDrainOutlives sees that a drain holds over a restart of the watch.
func TestDrainOutlives(t *testing.T) {
	n := start(t, wellNode, nil)
	n.says("is announced")
	if err := Drain(t.Context(), n.Dir, "upgrade", io.Discard); err != nil {
		t.Fatal(err)
	}
	n.stop()
	<-n.done
	if n.err != nil {
		t.Fatal(n.err)
	}
	if err := PrintStatus(t.Context(), n.Dir, io.Discard); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("status of none: %v", err)
	}
	dir := n.Dir
	n = start(t, wellNode, func(c *Config) { c.Dir = dir })
	n.says("192.0.2.0/24 is drained")
	if err := Undrain(t.Context(), n.Dir, io.Discard); err != nil {
		t.Fatal(err)
	}
	n.says("192.0.2.0/24 is announced")
}

// TestDrainUnremembered sees that a drain is done also where it cannot be kept.
func TestDrainUnremembered(t *testing.T) {
	n := start(t, wellNode, nil)
	n.says("is announced")
	if err := os.MkdirAll(filepath.Join(n.Dir, "drained.new", "x"), 0o755); err != nil { // it cannot be replaced
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := Drain(t.Context(), n.Dir, "now", &said); err != nil || !strings.Contains(said.String(), "192.0.2.0/24 is drained: now\nthis cannot be remembered") {
		t.Errorf("%q, %v", said.String(), err)
	}
	n.says("192.0.2.0/24 is drained")
}

// TestLocked sees that a folder belongs to one process.
func TestLocked(t *testing.T) {
	n := start(t, wellNode, nil)
	n.says("192.0.2.0/24")
	second := start(t, wellNode, func(c *Config) { c.Dir = n.Dir })
	<-second.done
	if !errors.Is(second.err, ErrLocked) || !Transient(second.err) {
		t.Errorf("%v", second.err)
	}
	n.says("192.0.2.0/24")
}

// TestConfigErrors sees what Run refuses.
func TestConfigErrors(t *testing.T) {
	for conf, want := range map[string]string{
		"node=a\nwhat\n":                     "line 2: unknown line",
		wellNode + "probe=bgp component=dns": "probe=bgp needs -route",
	} {
		n := start(t, conf, nil)
		<-n.done
		if !errors.Is(n.err, ErrConfig) || Transient(n.err) || !strings.Contains(n.err.Error(), want) || !strings.HasPrefix(n.err.Error(), n.File+": ") {
			t.Errorf("%q: %v", conf, n.err)
		}
	}
}

// freeAddr finds a UDP port that is free, of a loopback address that nothing else
// uses: a port of 127.0.0.1 that was let go may be the next that anybody is given.
func freeAddr(t *testing.T) netip.AddrPort {
	t.Helper()
	host := net.IPv4(127, byte(1+rand.N(254)), byte(rand.N(256)), byte(1+rand.N(254)))
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: host})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return netip.MustParseAddrPort(c.LocalAddr().String())
}
