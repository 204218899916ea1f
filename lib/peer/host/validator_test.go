package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/resolve/validate"
	"namecast/lib/rr"
)

// TestServerErrorIsNotBogus: a server's error has nothing to validate in it, and reaches
// the client as it is.
func TestServerErrorIsNotBogus(t *testing.T) {
	_, addr, anchor := serveSigned(t)
	dir := t.TempDir()
	r := start(t, dir, anchored(t, dir, anchor, addr))
	if got, want := r.query(t, "broken.signed."), "SERVFAIL ad=false 0 ede=23 "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if out, err := r.status(t, "stats"); err != nil || !strings.Contains(out, "bogus\t0\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestRefusalSaysWhy: the extended error of what the own validation refuses says why.
func TestRefusalSaysWhy(t *testing.T) {
	s, addr, anchor := serveSigned(t)
	s.early.Store(true)
	dir := t.TempDir()
	r := start(t, dir, anchored(t, dir, anchor, addr))
	want := fmt.Sprintf("SERVFAIL ad=false 0 ede=%d the own validation refuses it: ", dns.ExtendedErrorCodeSignatureNotYetValid)
	if got := r.query(t, "www.signed."); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestServerWithoutSignatures: a server that gives no signatures is passed over for one
// that does, and both the log and -status upstream say which it is, and what to do.
func TestServerWithoutSignatures(t *testing.T) {
	blind := serve(t)
	_, addr, anchor := serveSigned(t)
	dir := t.TempDir()
	r := start(t, dir, anchored(t, dir, anchor, blind.addr, addr))
	for range 2 {
		if got := r.query(t, "www.signed."); got != "NOERROR ad=true 2" {
			t.Errorf("%q", got)
		}
	}
	want := blind.addr + ": it gives no signatures"
	if out, err := r.status(t, "upstream"); err != nil || strings.Count(out, "it gives no signatures") != 1 || !strings.Contains(out, want) {
		t.Errorf("%v: %s", err, out)
	}
	if log := r.log.String(); strings.Count(log, "it gives no signatures") != 1 || !strings.Contains(log, "name server "+blind.addr) {
		t.Error("the log does not say so once")
	}
}

// TestOnlyServersWithoutSignatures: without any other the names are refused, and
// -status upstream says why.
func TestOnlyServersWithoutSignatures(t *testing.T) {
	blind := serve(t)
	_, _, anchor := serveSigned(t)
	dir := t.TempDir()
	r := start(t, dir, anchored(t, dir, anchor, blind.addr))
	if got := r.query(t, "www.signed."); !strings.HasPrefix(got, "SERVFAIL ad=false 0") {
		t.Errorf("%q", got)
	}
	if out, err := r.status(t, "upstream"); err == nil || !strings.Contains(out, noSignatures) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestClockNotSet: as long as the machine's clock is not set the times of signatures are
// not regarded, or no name could be looked up that sets it; but nothing is secure then.
func TestClockNotSet(t *testing.T) {
	s, addr, anchor := serveSigned(t)
	s.early.Store(true)
	dir := t.TempDir()
	past := filepath.Join(dir, snapshotFile)
	written := func(at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(past, nil, 0o600), os.Chtimes(past, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	written(time.Now().Add(24 * time.Hour))
	r := start(t, dir, anchored(t, dir, anchor, addr))
	if got := r.query(t, "www.signed."); got != "NOERROR ad=false 2" {
		t.Errorf("without a clock: %q", got)
	}
	if !strings.Contains(r.log.String(), "it is not set") {
		t.Error("the log does not say that the clock is not set")
	}
	s.forged.Store(true)
	flush := func() {
		t.Helper()
		if _, err := r.status(t, "flush", "www.signed"); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	if got := r.query(t, "www.signed."); !strings.HasPrefix(got, "SERVFAIL") {
		t.Errorf("forged, without a clock: %q", got)
	}
	s.forged.Store(false)
	written(time.Now().Add(-24 * time.Hour))
	flush()
	if got := r.query(t, "www.signed."); !strings.HasPrefix(got, "SERVFAIL") {
		t.Errorf("with a clock: %q", got)
	}
	written(time.Now().Add(24 * time.Hour))
	flush()
	if got := r.query(t, "www.signed."); !strings.HasPrefix(got, "SERVFAIL") {
		t.Errorf("a clock that was right once is put back: %q", got)
	}
}

// TestNothingBesideWhatIsProven: an answer with the AD bit has nothing in it that no
// signature is of.
func TestNothingBesideWhatIsProven(t *testing.T) {
	_, addr, anchor := serveSigned(t)
	dir := t.TempDir()
	r := start(t, dir, anchored(t, dir, anchor, addr))
	m := new(dns.Msg).SetQuestion("www.signed.", dns.TypeA)
	m.SetEdns0(1232, true)
	for range 2 {
		a, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, r.addr)
		if err != nil || !a.AuthenticatedData || len(a.Answer) != 2 || len(a.Ns) != 0 || len(a.Extra) != 1 {
			t.Errorf("%v: %v", err, a)
		}
	}
}

// TestSignedTTL: no TTL that a client gets is longer than the one that was signed.
func TestSignedTTL(t *testing.T) {
	s, addr, anchor := serveSigned(t)
	s.long.Store(true)
	dir := t.TempDir()
	r := start(t, dir, anchored(t, dir, anchor, addr))
	for _, by := range []string{"the server", "the cache"} {
		m := r.ask(t, "www.signed.")
		if m == nil || len(m.Answer) != 1 || m.Answer[0].Header().Ttl > 300 {
			t.Errorf("by %s: %v", by, m)
		}
	}
}

// TestTooManyValidations: what there is no time to look at is refused, and nobody blamed.
func TestTooManyValidations(t *testing.T) {
	w := newWorkers(t.Context(), func(peer.Event) {}, newNotes(slog.New(slog.DiscardHandler)))
	w.validator = newValidator(validate.Options{}, t.TempDir(), w.log)
	for range cap(w.validates) {
		w.validates <- struct{}{}
	}
	ev, ok := w.validate(peer.Validate{Req: 3, Question: peer.Question{Name: rr.MustName("www.example"), Type: dns.TypeA}}).(peer.Validated)
	if !ok || ev.Req != 3 || !ev.Bogus || !ev.Doubt {
		t.Errorf("%+v", ev)
	}
}

// begin runs a daemon whose parts the test can reach.
func begin(t *testing.T, dir string, change func(*Config)) *daemon {
	t.Helper()
	c := Config{
		Dir: dir, Listen: []string{"127.0.0.1:0"}, Mode: Solo, Owners: 2, Agree: 1, Port: DefaultPort,
		MaxStale: time.Hour, Root: filepath.Join(dir, "root"), Log: slog.New(slog.DiscardHandler),
	}
	change(&c)
	p, err := c.check()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{Config: c, plan: p, notes: newNotes(c.Log), started: time.Now(), wake: make(chan struct{}, 1), rewire: make(chan struct{}, 1), settled: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	if err := d.open(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.serve(ctx, cancel) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		d.close()
	})
	<-d.settled
	return d
}

// TestOutageWithDNSSEC: in an outage, and after a start in it, the keys that are kept let
// members' answers be judged: those without signatures too, of a zone that has no keys.
func TestOutageWithDNSSEC(t *testing.T) {
	s, addr, anchor := serveSigned(t)
	dir := t.TempDir()
	conf := anchored(t, dir, anchor, addr)
	r := start(t, dir, conf)
	for name, want := range map[string]string{"www.signed.": "NOERROR ad=true 2", "www.plain.signed.": "NOERROR ad=false 1"} {
		if got := r.query(t, name); got != want {
			t.Fatalf("%s: %q, want %q", name, got, want)
		}
	}
	signed := new(dns.Msg).SetQuestion("www.signed.", dns.TypeA)
	a := address("www.signed.", 1)
	signed.Response, signed.Answer = true, []dns.RR{a, s.sign(a)}
	stripped := new(dns.Msg).SetQuestion("www.signed.", dns.TypeA)
	stripped.Response, stripped.Answer = true, []dns.RR{address("www.signed.", 66)}
	plain := new(dns.Msg).SetQuestion("www.plain.signed.", dns.TypeA)
	plain.Response, plain.Answer = true, []dns.RR{address("www.plain.signed.", 7)}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	s.silent.Store(true)
	d := begin(t, dir, conf)
	for _, c := range []struct {
		name  string
		msg   *dns.Msg
		bogus bool
		state packet.State
	}{
		{"signed", signed, false, packet.Secure},
		{"without keys", plain, false, packet.Insecure},
		{"stripped", stripped, true, packet.Unknown},
	} {
		q := peer.Question{Name: rr.MustName(c.msg.Question[0].Name), Type: dns.TypeA, DO: true}
		await(t, func() error {
			v, _ := d.loop.workers.judge(q, packed(t, c.msg))
			if v.Bogus != c.bogus || v.State != c.state {
				return fmt.Errorf("%s: %+v", c.name, v)
			}
			return nil
		})
	}
}
