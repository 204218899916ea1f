package upstream

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/peers"
)

// TestUnbound checks that a real resolver says the same, octet for octet, over UDP,
// TLS and HTTPS as it says to who asks it without this package, also what is too
// long for UDP.
func TestUnbound(t *testing.T) {
	dir := t.TempDir()
	cert, roots := authority(t, []string{"dns.example"})
	key, err := x509.MarshalECPrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, keyFile: {Type: "EC PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dot, doh := peers.FreePort(t), peers.FreePort(t)
	lines := []string{
		fmt.Sprintf("interface: 127.0.0.1@%d\n\ttls-port: %d\n\tinterface: 127.0.0.1@%d\n\thttps-port: %d", dot, dot, doh, doh),
		fmt.Sprintf("tls-service-key: %q\n\ttls-service-pem: %q\n\trrset-roundrobin: no", keyFile, certFile),
		`local-zone: "example." static`,
		`local-data: "www.example. 60 A 192.0.2.1"`,
		`local-data: "www.example. 60 A 192.0.2.2"`,
	}
	for i := range 30 {
		lines = append(lines, fmt.Sprintf(`local-data: 'long.example. 60 TXT "%d %s"'`, i, strings.Repeat("x", 200)))
	}
	u := peers.Unbound(t, peers.Resolver{Server: lines})
	plain := place(u.Addr)
	port := func(p int) netip.AddrPort { return netip.AddrPortFrom(plain.Addr(), uint16(p)) }
	for _, s := range []Server{{Addr: plain}, {TLS, port(dot), "dns.example", ""}, {HTTPS, port(doh), "dns.example", "/dns-query"}} {
		c := client(t, s, Options{Roots: roots})
		for _, q := range []struct {
			name string
			typ  uint16
		}{{"www.example.", dns.TypeA}, {"WWW.example.", dns.TypeA}, {"www.example.", dns.TypeAAAA}, {"none.example.", dns.TypeA}, {"long.example.", dns.TypeTXT}} {
			m := new(dns.Msg).SetQuestion(q.name, q.typ)
			m.SetEdns0(1232, true)
			query := pack(t, m)
			got, err := c.Exchange(within(t, patience), query)
			if want := direct(t, u.Addr, query); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: %s: %v\n%x\ninstead of\n%x", s, q.name, err, got, want)
			}
		}
	}
}

// direct asks over TCP, by hand.
func direct(t *testing.T, at string, query []byte) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	reply(conn, query)
	return next(conn)
}
