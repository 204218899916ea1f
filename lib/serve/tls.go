package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
)

// SetCertificate puts a certificate in force for connections that come from now
// on. Any goroutine may call it, at any time.
func (d *DNS) SetCertificate(c tls.Certificate) { d.certificate.Store(&c) }

var errNoCertificate = errors.New("no certificate")

// tlsConfig is the server's side of DNS over TLS (RFC 7858, RFC 8310). One
// configuration is for all connections: it has the keys of session tickets,
// which it changes every day by itself.
func (d *DNS) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"dot"}, // a client that wants another protocol gets none
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := d.certificate.Load(); c != nil {
				return c, nil
			}
			return nil, errNoCertificate
		},
	}
}

// handshake makes a connection secure within its limit of time, or closes it:
// nil.
func (d *DNS) handshake(ctx context.Context, c net.Conn, config *tls.Config) *tls.Conn {
	ctx, cancel := context.WithTimeout(ctx, d.conns.limits.Handshake)
	defer cancel()
	secure := tls.Server(c, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		d.counters.shakes.failed.Add(1)
		c.Close()
		return nil
	}
	if secure.ConnectionState().DidResume {
		d.counters.shakes.resumed.Add(1)
	} else {
		d.counters.shakes.full.Add(1)
	}
	return secure
}
