package host

import (
	"crypto"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A signer serves the zone signed. with one name in it.
type signer struct {
	t      *testing.T
	key    *dns.DNSKEY
	secret crypto.Signer
	forged atomic.Bool // the address is another one than what was signed
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
		m.Answer = []dns.RR{a, sig}
	default:
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m)
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
