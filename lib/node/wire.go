package node

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"namecast/lib/cookie"
	"namecast/lib/limit"
	"namecast/lib/private"
	"namecast/lib/rrl"
	"namecast/lib/sock"
)

// A Wire is what an operator says about how DNS is spoken.
type Wire struct {
	DoT     string     // addresses to answer DNS over TLS on; host:port, ...; "" is none
	TLSCert string     // file of the certificate and those that lead to it, PEM
	TLSKey  string     // file of its key, PEM
	Cookie  string     // file of the secrets of DNS cookies; "" makes them at random
	RRL     limit.Rate // responses over UDP that are alike, to one network
	Slip    int        // of those over the rate, every Slip-th is sent truncated; 0 is none
}

// wireSecrets is what is read from files.
type wireSecrets struct {
	cookies     *cookie.Secrets
	certificate *tls.Certificate
}

// configureWire sets up the DNS side.
func (n *node) configureWire() error {
	if n.Slip < 0 {
		return fmt.Errorf("-rrl-slip %d: less than 0", n.Slip)
	}
	n.dns.Rate = rrl.New(n.RRL, n.Slip)
	s, err := n.wireSecrets()
	if err != nil {
		return err
	}
	n.useWire(s)
	if s.cookies == nil {
		n.random = randomSecret()
		n.dns.SetCookies(cookie.NewSecrets(n.random))
	}
	return nil
}

// wireSecrets reads the files.
func (n *node) wireSecrets() (s wireSecrets, err error) {
	if n.Cookie != "" {
		b, err := private.Load(n.Cookie)
		if err != nil {
			return s, fmt.Errorf("read cookie secret %q: %w", n.Cookie, err)
		}
		list, err := cookie.ReadSecrets(strings.NewReader(string(b)))
		if err != nil {
			return s, fmt.Errorf("read cookie secret %q: %w", n.Cookie, err)
		}
		s.cookies = &list
	}
	if (n.DoT == "") != (n.TLSCert == "") || (n.DoT == "") != (n.TLSKey == "") {
		return s, errors.New("-dot, -tls-cert and -tls-key go together")
	}
	if n.DoT == "" {
		return s, nil
	}
	chain, err := os.ReadFile(n.TLSCert)
	if err != nil {
		return s, fmt.Errorf("read certificate: %w", err)
	}
	secret, err := private.Load(n.TLSKey)
	if err != nil {
		return s, fmt.Errorf("read TLS key %q: %w", n.TLSKey, err)
	}
	c, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return s, fmt.Errorf("read certificate %q and key %q: %w", n.TLSCert, n.TLSKey, err)
	}
	if now := time.Now(); now.After(c.Leaf.NotAfter) || now.Before(c.Leaf.NotBefore) {
		n.Log.Warn("the certificate is not valid now", "file", n.TLSCert, "from", c.Leaf.NotBefore, "until", c.Leaf.NotAfter)
	}
	s.certificate = &c
	return s, nil
}

// useWire puts what was read in force.
func (n *node) useWire(s wireSecrets) {
	if s.cookies != nil {
		n.dns.SetCookies(*s.cookies)
	}
	if s.certificate != nil {
		n.dns.SetCertificate(*s.certificate)
	}
}

func randomSecret() (s cookie.Secret) {
	_, _ = rand.Read(s[:]) // it does not fail
	return s
}

// cookieLife is how long a random secret makes cookies; RFC 7873 section 7.1
// wants less than 36 days. Its cookies are taken for as long again.
const cookieLife = 24 * time.Hour

// changeCookies changes a random secret until ctx ends.
func (n *node) changeCookies(ctx context.Context) error {
	if n.Cookie != "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(cookieLife)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		next := randomSecret()
		n.dns.SetCookies(cookie.NewSecrets(next, n.random))
		n.random = next
	}
}

// listenTLS binds the addresses of DNS over TLS.
func (n *node) listenTLS() error {
	if n.DoT == "" {
		return nil
	}
	for _, addr := range strings.Split(n.DoT, ",") {
		l, err := sock.ListenTCP(strings.TrimSpace(addr))
		if err != nil {
			return err
		}
		n.dot = append(n.dot, l...)
	}
	return nil
}
