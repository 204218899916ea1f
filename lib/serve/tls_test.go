package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// certificate makes one for a name, signed by itself.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, text, text, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// dialTLS connects and asks a question.
func dialTLS(t *testing.T, addr string, config *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if code := exchange(t, &dns.Conn{Conn: c}, query(t, 1)); code != dns.RcodeSuccess {
		t.Errorf("%s", dns.RcodeToString[code])
	}
	return c.ConnectionState(), nil
}

func TestTLS(t *testing.T) {
	r := start(t, "127.0.0.1:0", nil)
	first, roots := certificate(t, "first.example")
	config := &tls.Config{RootCAs: roots, ServerName: "first.example", NextProtos: []string{"dot"}}
	if _, err := dialTLS(t, r.secure, config); err == nil {
		t.Error("a handshake without a certificate")
	}
	r.SetCertificate(first)
	s, err := dialTLS(t, r.secure, config)
	if err != nil || s.Version != tls.VersionTLS13 || s.NegotiatedProtocol != "dot" {
		t.Errorf("%v %x %q", err, s.Version, s.NegotiatedProtocol)
	}
	for _, c := range []struct {
		name string
		ok   bool
		set  func(*tls.Config)
	}{
		{"without ALPN", true, func(c *tls.Config) { c.NextProtos = nil }},
		{"another protocol", false, func(c *tls.Config) { c.NextProtos = []string{"h2"} }},
		{"TLS 1.2", true, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }},
		{"TLS 1.1", false, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }},
		{"another name", false, func(c *tls.Config) { c.ServerName = "second.example" }},
	} {
		other := config.Clone()
		c.set(other)
		if _, err := dialTLS(t, r.secure, other); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	second, roots := certificate(t, "second.example")
	r.SetCertificate(second)
	if _, err := dialTLS(t, r.secure, &tls.Config{RootCAs: roots, ServerName: "second.example"}); err != nil {
		t.Errorf("after a change: %v", err)
	}
	if s := r.Stats(); s.TLS.Queries != 4 || s.TCP.Queries != 0 || s.Shakes.Full < 4 || s.Shakes.Failed < 3 {
		t.Errorf("counts: %+v", s)
	}
}

// TestResume takes a session ticket.
func TestResume(t *testing.T) {
	r := start(t, "127.0.0.1:0", nil)
	c, roots := certificate(t, "first.example")
	r.SetCertificate(c)
	config := &tls.Config{RootCAs: roots, ServerName: "first.example", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for i := range 3 {
		s, err := dialTLS(t, r.secure, config)
		if err != nil || s.DidResume != (i > 0) {
			t.Errorf("connection %d: resumed %t, %v", i, s.DidResume, err)
		}
	}
	if s := r.Stats().Shakes; s.Full != 1 || s.Resumed != 2 {
		t.Errorf("counts: %+v", s)
	}
}

// TestSlowHandshake closes connections that do not come to the point, and
// counts them as connections meanwhile.
func TestSlowHandshake(t *testing.T) {
	r := start(t, "127.0.0.1:0", func(d *DNS) { d.Limits.Handshake, d.Limits.Conns = 200*time.Millisecond, 2 })
	a, b := dial(t, "tcp", r.secure), dial(t, "tcp", r.secure)
	if _, err := b.Conn.Write([]byte{22, 3, 1, 0, 100}); err != nil { // the beginning of a record
		t.Fatal(err)
	}
	closed(t, a)
	closed(t, b)
	// A connection is counted after it is closed.
	for until := time.Now().Add(5 * time.Second); r.Stats().Shakes.Failed < 2 && time.Now().Before(until); {
		runtime.Gosched()
	}
	if s := r.Stats(); s.Shakes.Failed != 2 || s.Conns != 2 {
		t.Errorf("counts: %+v", s)
	}
}
