package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/ca"
)

// Credentials are a member's file, read anew when it changes: every handshake is
// made with what the file holds then.
type Credentials struct {
	path    string
	current atomic.Pointer[ca.Identity]
	failed  func(error)

	mu   sync.Mutex
	info os.FileInfo // of the file as it was read, or as it was refused
}

// Load reads a member's file; see ca.LoadIdentity. A file that has changed and is
// refused leaves in force what was read before, and failed is told, once for each
// change.
func Load(path string, failed func(error)) (*Credentials, error) {
	c := &Credentials{path: path, failed: failed}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the file now.
func (c *Credentials) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	return c.read(info)
}

func (c *Credentials) read(info os.FileInfo) error {
	c.info = info
	id, err := ca.LoadIdentity(c.path)
	if err == nil {
		c.current.Store(&id)
	}
	return err
}

// Identity is who this member is, by the file as it is now.
func (c *Credentials) Identity() ca.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.path)
	if err != nil {
		return *c.current.Load() // it is being replaced, or is gone
	}
	if !os.SameFile(info, c.info) || info.ModTime() != c.info.ModTime() || info.Size() != c.info.Size() {
		if err := c.read(info); err != nil {
			c.failed(err)
		}
	}
	return *c.current.Load()
}

// trust gives a function that tells why a peer is not believed any more. It
// verifies when the file was read anew, and when the peer's certificate ends.
func (c *Credentials) trust(shown []*x509.Certificate) func(now time.Time) error {
	by := c.current.Load()
	return func(now time.Time) error {
		id := c.current.Load()
		if id == by && !now.After(shown[0].NotAfter) {
			return nil
		}
		by = id
		_, err := id.Verify(shown, now)
		return err
	}
}

// base is what all handshakes have in common. There are no session tickets: a
// peer is verified every time.
func base(protocol string) *tls.Config {
	return &tls.Config{
		MinVersion:                  tls.VersionTLS13,
		NextProtos:                  []string{protocol},
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true, // frames are written in batches
	}
}

// client is the configuration of the side that dials.
func (c *Credentials) client() *tls.Config {
	id := c.Identity()
	config := base(Protocol)
	config.InsecureSkipVerify = true // VerifyConnection verifies: names here are not host names
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.Certificate(), nil }
	config.VerifyConnection = func(cs tls.ConnectionState) error {
		_, err := id.Verify(cs.PeerCertificates, time.Now())
		return err
	}
	return config
}

// server is the configuration of the side that is dialled, chosen when the client
// has said which protocol it wants. One that joins has no certificate yet.
func (c *Credentials) server() *tls.Config {
	config := base(Protocol)
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		id := c.Identity()
		chosen := base(Protocol)
		chosen.ClientAuth = tls.RequireAnyClientCert
		if slices.Contains(hello.SupportedProtos, ca.Protocol) {
			chosen = base(ca.Protocol)
			chosen.ClientAuth = tls.RequestClientCert
		} else if !slices.Contains(hello.SupportedProtos, Protocol) {
			return nil, errProtocol
		}
		chosen.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.Certificate(), nil }
		chosen.VerifyConnection = func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 && chosen.ClientAuth == tls.RequestClientCert {
				return nil
			}
			_, err := id.Verify(cs.PeerCertificates, time.Now())
			return err
		}
		return chosen, nil
	}
	return config
}

var errProtocol = errors.New("the peer does not speak " + Protocol)
