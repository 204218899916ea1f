package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience is how long tests wait for what has to happen.
const patience = 5 * time.Second

// answer makes a reply with an address to a query.
func answer(t testing.TB, query []byte, ttl uint32) []byte {
	t.Helper()
	q := new(dns.Msg)
	if err := q.Unpack(query); err != nil {
		t.Errorf("the server got %x: %v", query, err)
		return nil
	}
	m := new(dns.Msg).SetReply(q)
	h := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: ttl}
	switch h.Rrtype {
	case dns.TypeA:
		m.Answer = append(m.Answer, &dns.A{Hdr: h, A: net.IP{192, 0, 2, 1}})
	case dns.TypeAAAA:
		m.Answer = append(m.Answer, &dns.AAAA{Hdr: h, AAAA: net.ParseIP("2001:db8::1")})
	}
	b, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return b
}

// cut makes a reply that says it is truncated.
func cut(query []byte) []byte {
	b := append([]byte(nil), query...)
	b[2] |= 0x82
	return b
}

// onUDP runs a server that handles each datagram by a function.
func onUDP(t testing.TB, at string, handle func(send func([]byte), query []byte, from net.Addr)) netip.AddrPort {
	t.Helper()
	sock, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { sock.Close(); serving.Wait() })
	serving.Go(func() {
		buf := make([]byte, 65535)
		for {
			n, from, err := sock.ReadFrom(buf)
			if err != nil {
				return
			}
			handle(func(b []byte) { sock.WriteTo(b, from) }, append([]byte(nil), buf[:n]...), from)
		}
	})
	return netip.MustParseAddrPort(sock.LocalAddr().String())
}

// A streamServer counts the connections of a server over TCP or TLS.
type streamServer struct {
	at    netip.AddrPort
	mu    sync.Mutex
	conns int
}

func (s *streamServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// onStream runs a server that handles each connection, whose number counts from 1,
// by a function; then the connection is closed.
func onStream(t testing.TB, l net.Listener, handle func(conn net.Conn, number int)) *streamServer {
	t.Helper()
	s := &streamServer{at: netip.MustParseAddrPort(l.Addr().String())}
	var serving sync.WaitGroup
	var open sync.Map
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			number := s.conns
			s.mu.Unlock()
			open.Store(conn, nil)
			serving.Go(func() {
				defer conn.Close()
				handle(conn, number)
			})
		}
	})
	return s
}

func listen(t testing.TB, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// next reads a query behind its length; nil at the end of the connection.
func next(conn net.Conn) []byte {
	var head [2]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil
	}
	msg := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		return nil
	}
	return msg
}

// reply writes a message behind its length.
func reply(conn net.Conn, msg []byte) {
	conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
}

// echo answers everything on a connection.
func echo(t testing.TB) func(net.Conn, int) {
	return func(conn net.Conn, _ int) {
		for q := next(conn); q != nil; q = next(conn) {
			reply(conn, answer(t, q, 60))
		}
	}
}

// authority makes certificates for names and addresses, and what they are checked
// by.
func authority(t testing.TB, names []string, addrs ...net.IP) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: names, IPAddresses: addrs, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, pool
}

// client makes the client of a server, until the test's end.
func client(t testing.TB, s Server, o Options) *Client {
	t.Helper()
	c := New(s, o)
	t.Cleanup(func() { c.Close() })
	return c
}

// within is a context for one query.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// exchange asks for the address of www.example, which has to come.
func exchange(t testing.TB, c *Client) *dns.Msg {
	t.Helper()
	q := ask(t, "www.example.", dns.TypeA)
	b, err := c.Exchange(within(t, patience), q)
	if err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	if m.Id != binary.BigEndian.Uint16(q) || len(m.Answer) != 1 {
		t.Fatalf("the reply is %v", m)
	}
	return m
}

// until polls for something.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}
