package ca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"namecast/lib/ndb"
)

// Protocol is the name of joining and renewing in TLS (RFC 7301).
const Protocol = "nc-ca/1"

// Limits of an exchange.
const (
	maxRequest   = 8 << 10  // octets of a request
	maxReply     = 48 << 10 // octets of a reply
	exchangeTime = 10 * time.Second
)

// Reasons why nothing is issued.
var (
	// ErrSpent: the token has been used for another request.
	ErrSpent = errors.New("the token has been used")
	// ErrRefused: the issuer has refused, and will again.
	ErrRefused = errors.New("refused by the issuer")
	// ErrLater: the issuer cannot say now; ask again later.
	ErrLater = errors.New("the issuer cannot issue now")
	// ErrReply: the answer is not an issuer's.
	ErrReply = errors.New("malformed or forged reply of the issuer")
)

// A Ledger remembers the tokens that were used, for all issuers of a cluster
// together and over restarts.
type Ledger interface {
	// Spend writes down that a token was used for a request, and returns after
	// that is durable; nil also if the same was written down before, so that who
	// has lost the answer may ask again. ErrSpent if it was used for another
	// request. What was written down can be forgotten after the time until.
	Spend(ctx context.Context, nonce string, request [sha256.Size]byte, until time.Time) error
}

// An Issuer answers those that join or renew.
type Issuer struct {
	// Authority gives the authority at this time.
	Authority func() *Authority
	Ledger    Ledger
	// Admit, unless it is nil, refuses members by its error, such as those that
	// were removed. An error that is ErrLater lets them ask again.
	Admit func(context.Context, Name, Pin) error
	Life  time.Duration // of certificates; 0 is Life
	Now   func() time.Time
}

// Serve answers one request on a connection that is secured, and closes it. Peer
// is the member's certificate that the connection was made with, once it was
// verified, or nil.
func (i *Issuer) Serve(ctx context.Context, conn net.Conn, peer *x509.Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	line, err := readLine(conn, maxRequest)
	if err == nil {
		_, err = io.WriteString(conn, i.Answer(ctx, line, peer)+"\n")
	}
	return errors.Join(err, conn.Close())
}

// readLine reads a line that ends the stream's part, without its newline.
func readLine(r io.Reader, limit int) (string, error) {
	var line []byte
	buf := make([]byte, 1<<12)
	for len(line) <= limit {
		n, err := r.Read(buf)
		line = append(line, buf[:n]...)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			if i+1 < len(line) {
				return "", errors.New("more than a line")
			}
			return string(line[:i]), nil
		}
		if err != nil {
			return "", fmt.Errorf("read a line: %w", err)
		}
	}
	return "", fmt.Errorf("read a line: more than %d octets", limit)
}

// Answer gives the line of reply to a line of request.
func (i *Issuer) Answer(ctx context.Context, line string, peer *x509.Certificate) string {
	reply, err := i.answer(ctx, line, peer)
	if err == nil {
		return reply.String()
	}
	verb := "refused"
	if errors.Is(err, ErrLater) || ctx.Err() != nil {
		verb = "later"
	}
	return ndb.Record{{Name: verb}, {Name: "why", Value: err.Error()}}.String()
}

func (i *Issuer) answer(ctx context.Context, line string, peer *x509.Certificate) (ndb.Record, error) {
	lines, err := ndb.Parse(strings.NewReader(line))
	if err != nil || len(lines) != 1 {
		return nil, errors.New("malformed request")
	}
	a := i.Authority()
	var g grant
	switch r := lines[0].Record; r[0].Name {
	case "join":
		g, err = i.join(a, r)
	case "renew":
		g, err = i.renew(a, r, peer)
	default:
		err = errors.New("neither join nor renew")
	}
	if err != nil {
		return nil, err
	}
	g.what.Life = i.Life
	leaf, err := a.Issue(g.what, i.Now())
	if err != nil {
		return nil, err
	}
	if i.Admit != nil {
		if err := i.Admit(ctx, g.what.Name, PinOf(leaf)); err != nil {
			return nil, err
		}
	}
	if g.nonce != "" {
		if err := i.spend(ctx, g); err != nil {
			return nil, err
		}
	}
	return reply(line, leaf, a, g.by)
}

// A grant is what a request has been found good for.
type grant struct {
	by      root // whose key the asker knows
	what    Request
	nonce   string // of the token, or "" to renew
	request [sha256.Size]byte
	until   time.Time
}

// spend writes down that the token is used: last of all, so that a token is not
// lost to a request that comes to nothing.
func (i *Issuer) spend(ctx context.Context, g grant) error {
	err := i.Ledger.Spend(ctx, g.nonce, g.request, g.until)
	if err != nil && !errors.Is(err, ErrSpent) {
		err = fmt.Errorf("%w: %w", ErrLater, err)
	}
	return err
}

// join checks the request of one that joins.
func (i *Issuer) join(a *Authority, r ndb.Record) (g grant, err error) {
	t, rest, err := parseToken(r)
	if err != nil {
		return g, err
	}
	if len(rest) != 2 || rest[0].Name != "csr" || rest[1].Name != "proof" {
		return g, fmt.Errorf("%w: no csr= and proof= behind it", ErrToken)
	}
	der, err1 := base64.StdEncoding.DecodeString(rest[0].Value)
	proof, err2 := base64.StdEncoding.DecodeString(rest[1].Value)
	by, ok := a.find(t.CA)
	if err1 != nil || err2 != nil || !ok {
		return g, fmt.Errorf("%w: it is not for this authority", ErrToken)
	}
	if t.secret, err = by.tokenSecret(t); err != nil {
		return g, err
	}
	switch {
	case !hmac.Equal(proof, t.proof(der)):
		return g, fmt.Errorf("%w: the proof is wrong", ErrToken)
	case !i.Now().Before(t.Expires):
		return g, fmt.Errorf("%w: it expired %s", ErrToken, stamp(t.Expires))
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return g, fmt.Errorf("malformed request for a certificate: %w", err)
	}
	what := Request{Name: t.Name, Hosts: t.Hosts, Public: csr.PublicKey}
	return grant{by, what, t.Nonce, sha256.Sum256(der), t.Expires}, nil
}

// renew checks the request of a member.
func (i *Issuer) renew(a *Authority, r ndb.Record, peer *x509.Certificate) (g grant, err error) {
	if len(r) != 3 || r[1].Name != "ca" || r[2].Name != "nonce" {
		return g, errors.New("malformed request to renew")
	}
	if peer == nil {
		return g, fmt.Errorf("%w: to renew takes the certificate to be renewed", ErrPeer)
	}
	name, err := verify([]*x509.Certificate{peer}, a.cluster, a.Roots(), i.Now())
	if err != nil {
		return g, err
	}
	pin, err := parsePin(r[1].Value)
	by, ok := a.find(pin)
	if err != nil || !ok {
		return g, fmt.Errorf("%w: it is not of this authority", ErrPeer)
	}
	return grant{by: by, what: Request{Name: name, Hosts: hosts(peer), Public: peer.PublicKey}}, nil
}

// find gives the authority's certificate with the pin.
func (a *Authority) find(p Pin) (root, bool) {
	for _, r := range a.list {
		if PinOf(r.cert) == p {
			return r, true
		}
	}
	return root{}, false
}

// reply tells the member its certificate and the authority's, signed with the
// authority's key that the member knows: the certificate that the connection was
// made with is no more than any member's.
func reply(request string, leaf *x509.Certificate, a *Authority, by root) (ndb.Record, error) {
	r := ndb.Record{{Name: "issued"}, {Name: "cert", Value: encode(leaf.Raw)}}
	for _, c := range a.Roots() {
		r = append(r, ndb.Attr{Name: "root", Value: encode(c.Raw)})
	}
	sum := issueSum(request, r)
	sig, err := ecdsa.SignASN1(rand.Reader, by.key, sum[:])
	if err != nil {
		return nil, err
	}
	return append(r, ndb.Attr{Name: "sig", Value: encode(sig)}), nil
}

// issueSum is what the signature of a reply is for.
func issueSum(request string, r ndb.Record) [sha256.Size]byte {
	return sha256.Sum256([]byte(issueContext + request + "\n" + r.String()))
}
