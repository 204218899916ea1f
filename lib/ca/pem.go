package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Types of PEM blocks.
const (
	blockKey  = "PRIVATE KEY" // PKCS #8
	blockCert = "CERTIFICATE"
)

// maxBlocks is how many blocks a file may have.
const maxBlocks = 2 * (MaxAuthorities + 1)

// What is wrong with a file's blocks, wrapped in the error of the file's kind.
var (
	errBlock  = errors.New("neither a PRIVATE KEY nor a CERTIFICATE")
	errBlocks = fmt.Errorf("more than %d blocks", maxBlocks)
	errText   = errors.New("text after the last block that looks like a block")
	errPair   = errors.New("the key and the certificate are not a pair")
)

// A block is a key or a certificate, the other is nil.
type block struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// parseBlocks reads all blocks of a file. Errors never hold a key.
func parseBlocks(text []byte) ([]block, error) {
	var list []block
	for {
		b, rest := pem.Decode(text)
		if b == nil {
			break
		}
		if len(list) == maxBlocks {
			return nil, errBlocks
		}
		one, err := parseBlock(b)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", len(list)+1, err)
		}
		list, text = append(list, one), rest
	}
	if bytes.Contains(text, []byte("-----BEGIN")) {
		return nil, errText
	}
	return list, nil
}

func parseBlock(b *pem.Block) (block, error) {
	switch b.Type {
	case blockCert:
		cert, err := x509.ParseCertificate(b.Bytes)
		return block{cert: cert}, err
	case blockKey:
		any, err := x509.ParsePKCS8PrivateKey(b.Bytes)
		if err != nil {
			return block{}, errors.New("malformed key")
		}
		key, ok := any.(*ecdsa.PrivateKey)
		if !ok || key.Curve != elliptic.P256() {
			return block{}, ErrKey
		}
		return block{key: key}, nil
	}
	return block{}, fmt.Errorf("%w: %q", errBlock, b.Type)
}

// printKey appends a key as a block.
func printKey(b *strings.Builder, key *ecdsa.PrivateKey) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // every P-256 key has this form
	}
	pem.Encode(b, &pem.Block{Type: blockKey, Bytes: der})
}

// printCert appends a certificate as a block.
func printCert(b *strings.Builder, cert *x509.Certificate) {
	pem.Encode(b, &pem.Block{Type: blockCert, Bytes: cert.Raw})
}

// isPair tells whether a certificate is for a key.
func isPair(key *ecdsa.PrivateKey, cert *x509.Certificate) bool {
	return key.PublicKey.Equal(cert.PublicKey)
}

// ParseAuthority reads the text of an authority's file: for each certificate its
// key, then the certificate. ErrAuthority if it does not hold together.
func ParseAuthority(text []byte) (*Authority, error) {
	a, err := parseAuthority(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuthority, err)
	}
	return a, nil
}

func parseAuthority(text []byte) (*Authority, error) {
	blocks, err := parseBlocks(text)
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 || len(blocks)%2 != 0 {
		return nil, errors.New("not pairs of a key and a certificate")
	}
	if len(blocks)/2 > MaxAuthorities {
		return nil, ErrAuthorities
	}
	a := &Authority{}
	for i := 0; i < len(blocks); i += 2 {
		r := root{blocks[i+1].cert, blocks[i].key}
		if r.cert == nil || r.key == nil || !isPair(r.key, r.cert) {
			return nil, fmt.Errorf("certificate %d: %w", i/2+1, errPair)
		}
		cluster, err := clusterOf(r.cert)
		switch {
		case err != nil:
			return nil, fmt.Errorf("certificate %d: %w", i/2+1, err)
		case i > 0 && cluster != a.cluster:
			return nil, fmt.Errorf("clusters %s and %s", a.cluster, cluster)
		case i > 0 && r.cert.NotBefore.Before(a.list[i/2-1].cert.NotBefore):
			return nil, errors.New("the oldest certificate is not the first")
		}
		a.cluster, a.list = cluster, append(a.list, r)
	}
	return a, nil
}

// clusterOf gives the cluster that an authority's certificate may sign for.
func clusterOf(cert *x509.Certificate) (string, error) {
	if !cert.IsCA || len(cert.PermittedURIDomains) != 1 || cert.CheckSignatureFrom(cert) != nil {
		return "", errors.New("not the authority of one cluster")
	}
	return cert.PermittedURIDomains[0], CheckLabel(cert.PermittedURIDomains[0])
}

// Text gives the form that ParseAuthority reads.
func (a *Authority) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The authority of cluster %s. Who has this makes members of the cluster.\n", a.cluster)
	for _, r := range a.list {
		fmt.Fprintf(&b, "# pin %s, made %s, ends %s\n", PinOf(r.cert), stamp(made(r.cert)), stamp(r.cert.NotAfter))
		printKey(&b, r.key)
		printCert(&b, r.cert)
	}
	return b.String()
}

// RootsText gives the certificates alone, in PEM, for other programs.
func (a *Authority) RootsText() string {
	var b strings.Builder
	for _, r := range a.list {
		printCert(&b, r.cert)
	}
	return b.String()
}
