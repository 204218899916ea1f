package host

import (
	"crypto"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A signer serves the zone signed. with one name in it, and a zone below without keys.
type signer struct {
	t      *testing.T
	key    *dns.DNSKEY
	secret crypto.Signer
	forged atomic.Bool // the address is another one than what was signed
	early  atomic.Bool // signatures are of next week
	long   atomic.Bool // the TTL is a day, and not the five minutes that were signed
	silent atomic.Bool
}

// serveSigned starts a server of a signed zone, and gives its DS record.
func serveSigned(t *testing.T) (s *signer, addr, anchor string) {
	t.Helper()
	key := &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: "signed.", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 300},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	secret, err := key.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	s = &signer{t: t, key: key, secret: secret.(crypto.Signer)}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: pc, Handler: s}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.ActivateAndServe() }()
	t.Cleanup(func() { pc.Close(); <-done })
	return s, pc.LocalAddr().String(), key.ToDS(dns.SHA256).String() + "\n"
}

// sign makes the signature of a set.
func (s *signer) sign(set ...dns.RR) dns.RR {
	now := time.Now()
	if s.early.Load() {
		now = now.Add(7 * 24 * time.Hour)
	}
	sig := &dns.RRSIG{
		Hdr: dns.RR_Header{Name: set[0].Header().Name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: 300}, Algorithm: s.key.Algorithm,
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(time.Hour).Unix()), KeyTag: s.key.KeyTag(), SignerName: "signed.",
	}
	if err := sig.Sign(s.secret, set); err != nil {
		s.t.Error(err)
	}
	return sig
}

// ServeDNS answers one question.
func (s *signer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if s.silent.Load() {
		return
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable, m.AuthenticatedData = true, true
	m.SetEdns0(1232, true)
	switch q := q.Question[0]; {
	case q.Name == "signed." && q.Qtype == dns.TypeDNSKEY:
		m.Answer = []dns.RR{s.key, s.sign(s.key)}
	case q.Name == "www.signed." && q.Qtype == dns.TypeA:
		a := &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.IPv4(192, 0, 2, 1)}
		sig := s.sign(a)
		if s.forged.Load() {
			a.A = net.IPv4(192, 0, 2, 66)
		}
		if s.long.Load() {
			a.Hdr.Ttl = 86400
		}
		m.Answer = []dns.RR{a, sig}
		m.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: "signed.", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 300}, Ns: "ns.signed."}}
		m.Extra = append(m.Extra, address("ns.signed.", 53))
	case q.Name == "plain.signed." && q.Qtype == dns.TypeDS:
		head := func(name string, typ uint16) dns.RR_Header {
			return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: 300}
		}
		nsec := &dns.NSEC{Hdr: head(q.Name, dns.TypeNSEC), NextDomain: "www.signed.", TypeBitMap: []uint16{dns.TypeNS, dns.TypeRRSIG, dns.TypeNSEC}}
		soa := &dns.SOA{Hdr: head("signed.", dns.TypeSOA), Ns: "signed.", Mbox: "signed.", Serial: 1, Minttl: 300}
		m.Ns = []dns.RR{nsec, s.sign(nsec), soa, s.sign(soa)}
	case q.Name == "www.plain.signed." && q.Qtype == dns.TypeA:
		m.Answer = []dns.RR{address(q.Name, 5)}
	case q.Name == "broken.signed.":
		m.Rcode = dns.RcodeServerFailure
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNetworkError}}
	default:
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m)
}

// address is a record with an address in 192.0.2.0/24.
func address(name string, last byte) dns.RR {
	return &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.IPv4(192, 0, 2, last)}
}

// anchored is a change of a daemon's configuration by which it validates from an anchor,
// and asks these servers.
func anchored(t *testing.T, dir, anchor string, servers ...string) func(*Config) {
	t.Helper()
	path := filepath.Join(dir, "anchors")
	if err := os.WriteFile(path, []byte(anchor), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Upstream, c.DNSSEC, c.Anchors = servers, true, path }
}

// query asks with DO, and says in words what comes.
func (r *running) query(t *testing.T, name string) string {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	m.SetEdns0(1232, true)
	a, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, r.addr)
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprint(dns.RcodeToString[a.Rcode], " ad=", a.AuthenticatedData, " ", len(a.Answer))
	if o := a.IsEdns0(); o != nil {
		for _, x := range o.Option {
			if e, ok := x.(*dns.EDNS0_EDE); ok {
				text += fmt.Sprintf(" ede=%d %s", e.InfoCode, e.ExtraText)
			}
		}
	}
	return text
}

// TestDNSSEC: what is signed is validated here, whatever the server says of it, and what
// does not fit is refused.
func TestDNSSEC(t *testing.T) {
	s, addr, anchor := serveSigned(t)
	dir := t.TempDir()
	anchors := filepath.Join(dir, "anchors")
	if err := os.WriteFile(anchors, []byte(anchor), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir, func(c *Config) { c.Upstream = []string{addr}; c.DNSSEC = true; c.Anchors = anchors })
	ask := func(do, ad bool) string {
		m := new(dns.Msg).SetQuestion("www.signed.", dns.TypeA)
		m.AuthenticatedData = ad
		if do {
			m.SetEdns0(1232, true)
		}
		a, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, r.addr)
		if err != nil {
			return err.Error()
		}
		var types []string
		for _, x := range a.Answer {
			types = append(types, dns.Type(x.Header().Rrtype).String())
		}
		return fmt.Sprint(dns.RcodeToString[a.Rcode], " ad=", a.AuthenticatedData, " ", strings.Join(types, " "))
	}
	for _, c := range []struct {
		do, ad bool
		want   string
	}{
		{true, false, "NOERROR ad=true A RRSIG"},
		{false, true, "NOERROR ad=true A"},
		{false, false, "NOERROR ad=false A"},
	} {
		if got := ask(c.do, c.ad); got != c.want {
			t.Errorf("do=%v ad=%v: %q, want %q", c.do, c.ad, got, c.want)
		}
	}
	s.forged.Store(true)
	if _, err := r.status(t, "flush", "www.signed"); err != nil {
		t.Fatal(err)
	}
	if got := ask(true, false); !strings.HasPrefix(got, "SERVFAIL ad=false") {
		t.Errorf("forged: %q", got)
	}
}

// TestNoAD: without validation of its own the stub does not say that data is authentic.
func TestNoAD(t *testing.T) {
	_, addr, _ := serveSigned(t)
	r := start(t, t.TempDir(), func(c *Config) { c.Upstream = []string{addr} })
	m := new(dns.Msg).SetQuestion("www.signed.", dns.TypeA)
	m.SetEdns0(1232, true)
	a, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, r.addr)
	if err != nil || a.AuthenticatedData || len(a.Answer) != 2 {
		t.Errorf("%v, %v", a, err)
	}
}

// TestAnchorsAnew: the file of trust anchors is read anew at SIGHUP; what cannot be read
// leaves those of before in force.
func TestAnchorsAnew(t *testing.T) {
	_, addr, anchor := serveSigned(t)
	caught := make(chan os.Signal, 1) // so that none that comes early ends the test
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	dir := t.TempDir()
	anchors := filepath.Join(dir, "anchors")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(anchors, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("signed. IN DS 1 13 2 " + strings.Repeat("AB", 32) + "\n")
	r := start(t, dir, func(c *Config) { c.Upstream = []string{addr}; c.DNSSEC = true; c.Anchors = anchors })
	if m := r.ask(t, "www.signed."); m == nil || m.Rcode != dns.RcodeServerFailure {
		t.Errorf("by another key: %v", m)
	}
	anew := func(want string) {
		t.Helper()
		await(t, func() error {
			if strings.Contains(r.log.String(), want) {
				return nil
			}
			return errors.Join(errors.New("not read anew"), syscall.Kill(os.Getpid(), syscall.SIGHUP))
		})
	}
	put(anchor)
	anew("trust anchors read anew")
	await(t, func() error {
		if m := r.ask(t, "www.signed."); m == nil || m.Rcode != dns.RcodeSuccess || len(m.Answer) == 0 {
			return fmt.Errorf("by its key: %v", m)
		}
		return nil
	})
	put("nothing\n")
	anew("the keys of before stay in force")
	if m := r.ask(t, "www.signed."); m == nil || m.Rcode != dns.RcodeSuccess {
		t.Errorf("after a file that cannot be read: %v", m)
	}
}
