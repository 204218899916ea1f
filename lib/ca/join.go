package ca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"namecast/lib/ndb"
)

// Join gets a certificate for a token from a node that issues, over a connection
// to it, which is closed. ErrPeer if what answers is not a node of the token's
// cluster, ErrRefused, ErrLater, ErrReply; any other error is of the connection,
// and it may be tried again with the same joiner.
func (j *Joiner) Join(ctx context.Context, conn net.Conn) (Identity, error) {
	secure, err := j.secure(ctx, conn)
	if err != nil {
		return Identity{}, fmt.Errorf("join the cluster: %w", err)
	}
	id, err := exchange(ctx, secure, j.request, j.key, j.known)
	switch {
	case err != nil:
		return Identity{}, fmt.Errorf("join the cluster: %w", err)
	case id.Name != j.token.Name:
		return Identity{}, fmt.Errorf("join the cluster: %w: for %s", ErrReply, id.Name)
	}
	return id, nil
}

// A Joiner is one that joins. It asks for the same every time, so that it may ask
// again when an answer is lost: a token is good once.
type Joiner struct {
	token   Token
	key     *ecdsa.PrivateKey
	request string
	known   *x509.Certificate // the authority's, once a node has shown it
}

// NewJoiner makes the key of a member that joins with a token.
func NewJoiner(t Token) (*Joiner, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	r := append(t.record(),
		ndb.Attr{Name: "csr", Value: encode(csr)},
		ndb.Attr{Name: "proof", Value: encode(t.proof(csr))})
	return &Joiner{token: t, key: key, request: r.String()}, nil
}

// secure makes sure that a node of the token's cluster is at the other end: its
// certificate is signed by the authority that the token names.
func (j *Joiner) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	return secure(ctx, conn, &tls.Config{VerifyConnection: func(cs tls.ConnectionState) error {
		i := slices.IndexFunc(cs.PeerCertificates, func(c *x509.Certificate) bool { return PinOf(c) == j.token.CA })
		if i < 0 {
			return fmt.Errorf("%w: it shows no certificate of the token's authority", ErrPeer)
		}
		if cluster, err := clusterOf(cs.PeerCertificates[i]); err != nil || cluster != j.token.Name.Cluster {
			return fmt.Errorf("%w: its authority is not that of %s", ErrPeer, j.token.Name.Cluster)
		}
		j.known = cs.PeerCertificates[i]
		return isNode(verify(cs.PeerCertificates, j.token.Name.Cluster, []*x509.Certificate{j.known}, time.Now()))
	}})
}

// isNode makes an error of a name that is not a node's.
func isNode(n Name, err error) error {
	if err == nil && n.Role != Node {
		err = fmt.Errorf("%w: %s is not a node", ErrPeer, n)
	}
	return err
}

// Renew gets a new certificate for the same key, and the certificates that the
// authority has now, over a connection to a node that issues, which is closed.
// Errors are those of Join.
func (id Identity) Renew(ctx context.Context, conn net.Conn) (Identity, error) {
	renewed, err := id.renew(ctx, conn)
	if err == nil && renewed.Name != id.Name {
		err = fmt.Errorf("%w: for %s", ErrReply, renewed.Name)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("renew the certificate of %s: %w", id, err)
	}
	return renewed, nil
}

func (id Identity) renew(ctx context.Context, conn net.Conn) (Identity, error) {
	i := id.issuer()
	if i < 0 {
		conn.Close()
		return Identity{}, fmt.Errorf("%w: no authority has signed it", ErrIdentity)
	}
	conn, err := secure(ctx, conn, &tls.Config{
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.Certificate(), nil },
		VerifyConnection: func(cs tls.ConnectionState) error {
			return isNode(id.Verify(cs.PeerCertificates, time.Now()))
		},
	})
	if err != nil {
		return Identity{}, err
	}
	known := id.Roots[i]
	r := ndb.Record{{Name: "renew"}, {Name: "ca", Value: PinOf(known).String()}, {Name: "nonce", Value: rand.Text()}}
	return exchange(ctx, conn, r.String(), id.key, known)
}

// secure begins TLS as a client, or closes the connection.
func secure(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	config.MinVersion = tls.VersionTLS13
	config.NextProtos = []string{Protocol}
	config.InsecureSkipVerify = true // VerifyConnection verifies: names here are not host names
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	c := tls.Client(conn, config)
	err := c.HandshakeContext(ctx)
	if err == nil && c.ConnectionState().NegotiatedProtocol != Protocol {
		err = errors.New("it does not speak " + Protocol)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// exchange sends a request and makes an identity of the reply.
func exchange(ctx context.Context, conn net.Conn, request string, key *ecdsa.PrivateKey, known *x509.Certificate) (Identity, error) {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := io.WriteString(conn, request+"\n"); err != nil {
		return Identity{}, err
	}
	line, err := readLine(conn, maxReply)
	if err != nil {
		return Identity{}, err
	}
	return parseReply(line, request, key, known)
}

// parseReply reads a reply and checks that the authority has signed it for the
// request.
func parseReply(line, request string, key *ecdsa.PrivateKey, known *x509.Certificate) (Identity, error) {
	lines, err := ndb.Parse(strings.NewReader(line))
	if err != nil || len(lines) != 1 {
		return Identity{}, ErrReply
	}
	r := lines[0].Record
	why, _ := r.Get("why")
	switch r[0].Name {
	case "issued":
	case "refused":
		return Identity{}, fmt.Errorf("%w: %q", ErrRefused, why)
	case "later":
		return Identity{}, fmt.Errorf("%w: %q", ErrLater, why)
	default:
		return Identity{}, ErrReply
	}
	sig, body := r[len(r)-1], r[:len(r)-1]
	octets, err := base64.StdEncoding.DecodeString(sig.Value)
	sum := issueSum(request, body)
	public, ok := known.PublicKey.(*ecdsa.PublicKey)
	if err != nil || !ok || sig.Name != "sig" || !ecdsa.VerifyASN1(public, sum[:], octets) {
		return Identity{}, fmt.Errorf("%w: not signed by the authority", ErrReply)
	}
	certs, err := parseIssued(body)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrReply, err)
	}
	return newIdentity(key, certs[0], certs[1:])
}

// parseIssued reads the certificates of a reply: the member's, then the
// authority's.
func parseIssued(r ndb.Record) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for i, a := range r[1:] {
		if i == 0 && a.Name != "cert" || i > 0 && a.Name != "root" {
			return nil, fmt.Errorf("%q in the place of a certificate", a.Name)
		}
		der, err := base64.StdEncoding.DecodeString(a.Value)
		if err != nil {
			return nil, err
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	if len(certs) < 2 {
		return nil, errors.New("certificates are missing")
	}
	return certs, nil
}
