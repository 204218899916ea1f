package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"
)

// Times that certificates have.
const (
	AuthorityLife = 10 * 365 * 24 * time.Hour // of the authority's own
	Life          = 30 * 24 * time.Hour       // of a member's, where nothing else is asked for
	// Settle is how long an authority's second certificate is only trusted, so
	// that all members have it before one shows a certificate signed with it.
	Settle = 24 * time.Hour
	// early is how far a member's clock may be behind.
	early = time.Hour
)

// MaxAuthorities is how many certificates an authority may have at a time.
const MaxAuthorities = 4

// MaxHosts is how many host names and addresses a member's certificate may have.
const MaxHosts = 16

// Reasons why an authority does not do as it was asked.
var (
	// ErrAuthority: the text is not an authority's file.
	ErrAuthority = errors.New("bad authority")
	// ErrAuthorities: there would be more certificates than MaxAuthorities.
	ErrAuthorities = fmt.Errorf("more than %d certificates of the authority", MaxAuthorities)
	// ErrExpired: the certificate is not good at this time.
	ErrExpired = errors.New("certificate expired or not yet good")
	// ErrHost: not a host name or an address.
	ErrHost = errors.New("bad host")
	// ErrKey: a public key of another kind than ECDSA P-256.
	ErrKey = errors.New("not an ECDSA P-256 key")
)

// A Pin is the SHA-256 of a public key in the form that certificates have
// (SubjectPublicKeyInfo, RFC 7469 section 2.4).
type Pin [sha256.Size]byte

// PinOf gives the pin of a certificate's key.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// String gives the pin in base64.
func (p Pin) String() string { return encode(p[:]) }

// An Authority signs the certificates of one cluster's members. It does not
// change and is for any goroutine.
type Authority struct {
	cluster string
	list    []root // the oldest first, at least one
}

// A root is one certificate of an authority and its key.
type root struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// made is when the certificate was made.
func made(c *x509.Certificate) time.Time { return c.NotBefore.Add(early) }

// New makes the authority of a new cluster.
func New(cluster string, now time.Time) (*Authority, error) {
	if err := CheckLabel(cluster); err != nil {
		return nil, err
	}
	return (&Authority{cluster: cluster}).Next(now)
}

// Next gives the authority with a new certificate added. Members trust it when
// they next renew, and it signs from Settle later on. ErrAuthorities if there are
// too many.
func (a *Authority) Next(now time.Time) (*Authority, error) {
	if len(a.list) == MaxAuthorities {
		return nil, fmt.Errorf("%w: take out the oldest", ErrAuthorities)
	}
	r, err := newRoot(a.cluster, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate of the authority: %w", err)
	}
	return &Authority{a.cluster, append(slices.Clone(a.list), r)}, nil
}

func newRoot(cluster string, now time.Time) (root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return root{}, err
	}
	now = now.UTC().Truncate(time.Second)
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "namecast cluster authority", Organization: []string{cluster}},
		NotBefore:             now.Add(-early),
		NotAfter:              now.Add(AuthorityLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		// Whoever gets hold of the key cannot pass for another cluster's member.
		PermittedDNSDomainsCritical: true,
		PermittedURIDomains:         []string{cluster},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return root{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return root{cert, key}, err
}

// Cluster is the name of the cluster.
func (a *Authority) Cluster() string { return a.cluster }

// Roots are the certificates that members trust, the oldest first.
func (a *Authority) Roots() []*x509.Certificate {
	var certs []*x509.Certificate
	for _, r := range a.list {
		certs = append(certs, r.cert)
	}
	return certs
}

// signer is the newest that has settled, or, where none has, the oldest.
func (a *Authority) signer(now time.Time) root {
	for _, r := range slices.Backward(a.list) {
		if !now.Before(made(r.cert).Add(Settle)) {
			return r
		}
	}
	return a.list[0]
}

// A Request says what a certificate is for.
type Request struct {
	Name   Name
	Hosts  []string // host names and IP addresses, at most MaxHosts
	Public crypto.PublicKey
	Life   time.Duration // how long it is good, not over the authority's end; 0 is Life
}

// Issue signs a member's certificate. ErrName if the name is not of the cluster,
// ErrHost, ErrKey, or ErrExpired when the authority is over.
func (a *Authority) Issue(r Request, now time.Time) (*x509.Certificate, error) {
	by := a.signer(now)
	template, err := a.template(r, by, now)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", r.Name, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, r.Public, by.key)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", r.Name, err)
	}
	return x509.ParseCertificate(der)
}

func (a *Authority) template(r Request, by root, now time.Time) (*x509.Certificate, error) {
	if err := r.Name.check(); err != nil {
		return nil, err
	}
	if k, ok := r.Public.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		return nil, ErrKey
	}
	if r.Life == 0 {
		r.Life = Life
	}
	now = now.UTC().Truncate(time.Second)
	end := now.Add(r.Life)
	if end.After(by.cert.NotAfter) {
		end = by.cert.NotAfter
	}
	switch {
	case r.Name.Cluster != a.cluster:
		return nil, fmt.Errorf("%w: the cluster is %s", ErrName, a.cluster)
	case now.Before(by.cert.NotBefore) || !now.Before(end):
		return nil, fmt.Errorf("%w: the authority's, good from %s until %s", ErrExpired,
			by.cert.NotBefore.Format(time.RFC3339), by.cert.NotAfter.Format(time.RFC3339))
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: string(r.Name.Role), Organization: []string{a.cluster}, SerialNumber: r.Name.ID},
		URIs:        []*url.URL{r.Name.uri()},
		NotBefore:   now.Add(-early),
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	return template, addHosts(template, r.Hosts)
}

// addHosts writes host names and addresses into a certificate.
func addHosts(c *x509.Certificate, hosts []string) error {
	if len(hosts) > MaxHosts {
		return fmt.Errorf("%w: more than %d", ErrHost, MaxHosts)
	}
	for _, h := range hosts {
		if isAddress(h) {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(h))
		} else if err := checkHost(h); err != nil {
			return err
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	return nil
}

// isAddress tells IP addresses in the form that they are printed in.
func isAddress(h string) bool {
	ip := net.ParseIP(h)
	return ip != nil && ip.String() == h
}

// hosts gives back what addHosts wrote.
func hosts(c *x509.Certificate) []string {
	list := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	return list
}
