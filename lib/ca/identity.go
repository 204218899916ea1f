package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Reasons why a member is not believed.
var (
	// ErrIdentity: the text is not a member's file, or its parts do not belong
	// together.
	ErrIdentity = errors.New("bad identity")
	// ErrPeer: the certificate is not that of a member of the cluster.
	ErrPeer = errors.New("not a member of the cluster")
)

// RenewEvery is how often a member renews its certificate, and learns of the
// authority's new ones: several times within Settle.
const RenewEvery = Settle / 4

// An Identity is what a member proves with who it is, and knows others by. It
// does not change and is for any goroutine.
type Identity struct {
	Name  Name
	Leaf  *x509.Certificate
	Roots []*x509.Certificate // of the authority, the oldest first
	key   *ecdsa.PrivateKey
}

// NewIdentity makes a key and has the authority sign for it; the request's key is
// not looked at.
func (a *Authority) NewIdentity(r Request, now time.Time) (Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, err
	}
	r.Public = key.Public()
	leaf, err := a.Issue(r, now)
	if err != nil {
		return Identity{}, err
	}
	return newIdentity(key, leaf, a.Roots())
}

// newIdentity puts the parts together and checks that they belong together, at
// the time when the certificate was made. ErrIdentity if they do not.
func newIdentity(key *ecdsa.PrivateKey, leaf *x509.Certificate, roots []*x509.Certificate) (Identity, error) {
	if !isPair(key, leaf) {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentity, errPair)
	}
	if len(roots) == 0 || len(roots) > MaxAuthorities {
		return Identity{}, fmt.Errorf("%w: %d certificates of the authority", ErrIdentity, len(roots))
	}
	cluster, err := clusterOf(roots[0])
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	for _, r := range roots[1:] {
		if c, err := clusterOf(r); err != nil || c != cluster {
			return Identity{}, fmt.Errorf("%w: authorities of several clusters", ErrIdentity)
		}
	}
	id := Identity{Leaf: leaf, Roots: roots, key: key}
	if id.Name, err = verify([]*x509.Certificate{leaf}, cluster, roots, made(leaf)); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return id, nil
}

// ParseIdentity reads the text of a member's file: its key, its certificate, and
// the authority's certificates. It may be out of date. ErrIdentity if it does not
// hold together.
func ParseIdentity(text []byte) (Identity, error) {
	blocks, err := parseBlocks(text)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	var roots []*x509.Certificate
	for _, b := range blocks[min(2, len(blocks)):] {
		if b.cert == nil {
			return Identity{}, fmt.Errorf("%w: more than one key", ErrIdentity)
		}
		roots = append(roots, b.cert)
	}
	if len(roots) == 0 || blocks[0].key == nil || blocks[1].cert == nil {
		return Identity{}, fmt.Errorf("%w: not a key, its certificate and the authority's", ErrIdentity)
	}
	return newIdentity(blocks[0].key, blocks[1].cert, roots)
}

// Text gives the form that ParseIdentity reads.
func (id Identity) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, pin %s\n", id.Name, id.Pin())
	printKey(&b, id.key)
	fmt.Fprintf(&b, "# made %s, ends %s\n", stamp(made(id.Leaf)), stamp(id.Leaf.NotAfter))
	printCert(&b, id.Leaf)
	b.WriteString("# the authority\n")
	for _, r := range id.Roots {
		printCert(&b, r)
	}
	return b.String()
}

// String tells who the member is, without its key.
func (id Identity) String() string { return id.Name.String() }

// Format implements fmt.Formatter: no verb prints the key.
func (id Identity) Format(f fmt.State, _ rune) { io.WriteString(f, id.String()) }

// Pin is that of the member's key.
func (id Identity) Pin() Pin { return PinOf(id.Leaf) }

// Certificate is what the member shows: its certificate, and that of the
// authority behind it, by which one that joins knows the cluster.
func (id Identity) Certificate() *tls.Certificate {
	c := &tls.Certificate{Certificate: [][]byte{id.Leaf.Raw}, PrivateKey: id.key, Leaf: id.Leaf}
	if i := id.issuer(); i >= 0 {
		c.Certificate = append(c.Certificate, id.Roots[i].Raw)
	}
	return c
}

// issuer finds the authority's certificate that the member's is signed with.
func (id Identity) issuer() int {
	return slices.IndexFunc(id.Roots, func(r *x509.Certificate) bool { return id.Leaf.CheckSignatureFrom(r) == nil })
}

// Due is when to renew: after RenewEvery, or a third of its life if that is less.
func (id Identity) Due() time.Time {
	from := made(id.Leaf)
	return from.Add(min(RenewEvery, id.Leaf.NotAfter.Sub(from)/3))
}

// Verify checks the certificates that a peer has shown, its own first, and tells
// who it is. ErrPeer if it is not a member of the same cluster at this time.
func (id Identity) Verify(shown []*x509.Certificate, now time.Time) (Name, error) {
	return verify(shown, id.Name.Cluster, id.Roots, now)
}

// verify checks that a peer's certificate is signed by one of the roots; what it
// shows beside it is not believed.
func verify(shown []*x509.Certificate, cluster string, roots []*x509.Certificate, now time.Time) (Name, error) {
	if len(shown) == 0 {
		return Name{}, fmt.Errorf("%w: no certificate", ErrPeer)
	}
	leaf := shown[0]
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, r := range roots {
		options.Roots.AddCert(r)
	}
	if _, err := leaf.Verify(options); err != nil {
		return Name{}, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	if len(leaf.URIs) != 1 || leaf.IsCA {
		return Name{}, fmt.Errorf("%w: a certificate of %d URIs", ErrPeer, len(leaf.URIs))
	}
	name, err := ParseName(leaf.URIs[0].String())
	if err == nil && name.Cluster != cluster {
		err = fmt.Errorf("it is %s", name)
	}
	if err != nil {
		return Name{}, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	return name, nil
}

// stamp prints a time as files have it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
