package peer

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
)

// In TestKeyChange each machine has asked for so many names, and asks on at this pace.
const (
	namesOfEach = 16
	pace        = 4 * time.Millisecond
)

// TestKeyChange: the group's key is changed on one machine after the other while the name
// server is dead and all go on looking names up, of which none fails. Afterwards who has
// the old key only is nobody here. A file that is wrong changes nothing.
func TestKeyChange(t *testing.T) {
	w := newWorld(t, 0, options{})
	for range 4 {
		m := w.join()
		key := m.keyFile()
		copyText(t, w.key, key)
		m.args = []string{"-key", key}
		m.start()
	}
	w.complete(4)
	for i := range namesOfEach * len(w.members) {
		w.members[i/namesOfEach].has(i)
	}
	w.toldOf(namesOfEach * len(w.members))
	tap := newTap(t, w.members[0].Machine)
	w.unbound.Pause()
	w.upstreamIs("down")
	old, both, alone := w.newKeys()
	lookups := w.keepAsking()
	for _, text := range []string{both, alone} {
		for _, m := range w.members {
			m.takeKeys(text)
			lookups.goOn(t)
		}
	}
	lookups.end()
	t.Logf("%d lookups meanwhile, %d of names that the machine had not asked for before, %d failed", lookups.done.Load(), lookups.first.Load(), lookups.failed.Load())
	if lookups.failed.Load() > 0 {
		t.Errorf("%d lookups failed", lookups.failed.Load())
	}
	w.complete(4)
	t.Run("the old key", func(t *testing.T) { w.t = t; w.oldKey(old, tap) })
	t.Run("a wrong file", func(t *testing.T) { w.t = t; w.wrongKeys(alone) })
}

func (m *member) keyFile() string { return filepath.Join(m.dir, "group.key") }

func copyText(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newKeys makes the group's next key, and gives the texts of the files with the old one,
// with both, and with the new one alone.
func (w *world) newKeys() (old, both, alone string) {
	w.t.Helper()
	next := filepath.Join(w.dir, "next.key")
	w.server.Run("sh", "-c", `exec "$0" -group lab -next -o "$1" <"$2"`, filepath.Join(w.bin, "nc-keygen"), next, w.key)
	texts := [2]string{}
	for i, path := range []string{w.key, next} {
		text, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		texts[i] = string(text)
	}
	for line := range strings.Lines(texts[1]) {
		alone += line
		if strings.HasPrefix(line, "group=") {
			return texts[0], texts[1], alone
		}
	}
	w.t.Fatalf("no key in %s", next)
	return "", "", ""
}

// takeKeys puts other keys into the machine's file and has its nc-peer read it.
func (m *member) takeKeys(text string) {
	m.w.t.Helper()
	m.replaceKeys(text)
	m.peer.WaitFor(patience, fmt.Sprintf(`msg="keys read anew" keys=%d\b`, strings.Count(text, "!key=")))
}

// replaceKeys puts a text in the place of the key file, and sends SIGHUP.
func (m *member) replaceKeys(text string) {
	m.w.t.Helper()
	next := m.keyFile() + ".new"
	err := os.WriteFile(next, []byte(text), 0o600)
	if err == nil {
		err = os.Rename(next, m.keyFile())
	}
	if err != nil {
		m.w.t.Fatal(err)
	}
	m.peer.Signal(syscall.SIGHUP)
}

// Lookups are those of a client on each machine, one after the other.
type lookups struct {
	stop                chan struct{}
	all                 sync.WaitGroup
	done, first, failed atomic.Int64
}

// keepAsking has each machine ask for what all have asked for before the outage, its own
// names again and again, and those of others one by one.
func (w *world) keepAsking() *lookups {
	l := &lookups{stop: make(chan struct{})}
	names := namesOfEach * len(w.members)
	for k, m := range w.members {
		l.all.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				case <-tick.C:
				}
				i := k*namesOfEach + n%namesOfEach
				if n%8 == 0 && n/8 < names-namesOfEach {
					i = ((k+1)*namesOfEach + n/8) % names
					l.first.Add(1)
				}
				a, err := m.ask(name(i), dns.TypeA)
				l.done.Add(1)
				if err != nil || a.address() != address(i) {
					l.failed.Add(1)
					w.t.Logf("%s: %s: %v %s", m.Name(), name(i), err, a.told())
				}
			}
		})
	}
	w.t.Cleanup(l.end)
	return l
}

// goOn waits until some more lookups are done.
func (l *lookups) goOn(t *testing.T) {
	t.Helper()
	from := l.done.Load()
	for until := time.Now().Add(patience); l.done.Load() < from+200; {
		if time.Now().After(until) {
			t.Fatal("lookups hang")
		}
		time.Sleep(time.Millisecond) // the lookups have no signal, they are counted
	}
}

func (l *lookups) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.all.Wait()
}

// oldKey starts a machine with the old key only: it is alone, nobody has it as a member,
// and what was sealed with that key is not opened any more.
func (w *world) oldKey(old string, overheard *tap) {
	late := w.join()
	late.args = []string{"-key", late.keyFile()}
	if err := os.WriteFile(late.keyFile(), []byte(old), 0o600); err != nil {
		w.t.Fatal(err)
	}
	late.start()
	late.isRefused(w.members[1], overheard.datagrams()[0]) // of before the change
	for i := range 8 {
		if a, err := late.ask(name(i), dns.TypeA); err != nil || a.Rcode != dns.RcodeServerFailure {
			w.t.Errorf("with the old key: %s is %s, %s: %v", name(i), a.address(), a.told(), err)
		}
	}
	late.sees(1)
	for _, m := range w.members[:4] {
		m.sees(4)
	}
	late.stop()
}

// isRefused sends another machine what was sealed with the old key.
func (m *member) isRefused(to *member, p parcel) {
	w := m.w
	w.t.Helper()
	if _, err := w.keys().Open(p.data); err != nil {
		w.t.Fatalf("what was overheard first is not under the old key: %v", err)
	}
	before := to.counter("received_sealed")
	c, err := m.Dial(context.Background(), "udp4", netip.AddrPortFrom(netip.MustParseAddr(to.addr), peerPort).String())
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	if err := ipv4.NewConn(c.(*net.UDPConn)).SetTTL(255); err != nil {
		w.t.Fatal(err)
	}
	w.lab.Expect(patience, func() error {
		if _, err := c.Write(p.data); err != nil {
			return err
		}
		if now := to.counter("received_sealed"); now <= before {
			return fmt.Errorf("%d datagrams refused that nobody can open, before %d", now, before)
		}
		return nil
	})
}

// counter is one of the machine's counters.
func (m *member) counter(word string) int {
	m.w.t.Helper()
	out, err := m.status("stats")
	if err != nil && out == "" {
		m.w.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == word {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				m.w.t.Fatal(err)
			}
			return n
		}
	}
	m.w.t.Fatalf("%s has no counter %s:\n%s", m.Name(), word, out)
	return 0
}

// wrongKeys puts files in place that are none, or of another group: each is told of in
// one line, without what is secret, and changes nothing.
func (w *world) wrongKeys(good string) {
	m := w.members[0]
	other := filepath.Join(w.dir, "other.key")
	w.server.Run(filepath.Join(w.bin, "nc-keygen"), "-group", "other", "-o", other)
	text, err := os.ReadFile(other)
	if err != nil {
		w.t.Fatal(err)
	}
	secret := strings.TrimSpace(good[strings.Index(good, "!key=")+5:])
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "no key"},
		{"cut off", good[:len(good)-8], "!key= is not base64"},
		{"of another group", string(text), "of the group other"},
	} {
		before := strings.Count(m.peer.Log(), "\n")
		m.replaceKeys(c.text)
		line := m.peer.WaitFor(patience, `level=WARN msg="the keys of before stay in force".*`)
		if !strings.Contains(line, c.says) || !strings.Contains(line, m.keyFile()) || strings.Contains(m.peer.Log(), secret[:20]) {
			w.t.Errorf("a file that is %s: %s", c.name, line)
		}
		w.t.Logf("a file that is %s, after %d lines: %s", c.name, before, line)
	}
	if n := strings.Count(m.peer.Log(), "the keys of before"); n != 3 {
		w.t.Errorf("%d lines about three files", n)
	}
	w.members[1].has(0)
	for _, o := range w.members[:4] {
		o.sees(4)
	}
	m.takeKeys(good)
}
