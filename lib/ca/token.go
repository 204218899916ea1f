package ca

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"namecast/lib/ndb"
)

// TokenLife is how long a token is good where nothing else is asked for, and
// MaxTokenLife the most that can be.
const (
	TokenLife    = time.Hour
	MaxTokenLife = 7 * 24 * time.Hour
)

// ErrToken: the text is not a token, or the token is not good.
var ErrToken = errors.New("bad join token")

// Contexts keep what is made for one purpose apart from what is for another.
const (
	tokenContext = "namecast join token v1"
	proofContext = "namecast join proof v1\x00"
	issueContext = "namecast issue v1\x00"
)

// A Token lets who has it join as a member, once. It prints without its secret.
type Token struct {
	Name    Name
	Hosts   []string // that the certificate will be for
	CA      Pin      // of the authority's key
	Expires time.Time
	Nonce   string // tells tokens apart: 26 characters
	secret  []byte
}

// NewToken makes a token for a member, good for so long from now on; 0 is
// TokenLife. ErrName, ErrHost, or ErrToken if it would be good for longer than
// MaxTokenLife.
func (a *Authority) NewToken(name Name, hosts []string, life time.Duration, now time.Time) (Token, error) {
	if life == 0 {
		life = TokenLife
	}
	by := a.signer(now)
	t := Token{Name: name, Hosts: hosts, CA: PinOf(by.cert), Nonce: rand.Text()}
	t.Expires = now.Add(life).UTC().Truncate(time.Second)
	if life < 0 || life > MaxTokenLife {
		return Token{}, fmt.Errorf("%w: good for %s, want at most %s", ErrToken, life, MaxTokenLife)
	}
	if name.Cluster != a.cluster {
		return Token{}, fmt.Errorf("%w: the cluster is %s", ErrName, a.cluster)
	}
	if err := t.check(); err != nil {
		return Token{}, err
	}
	var err error
	t.secret, err = by.tokenSecret(t)
	return t, err
}

// check holds the parts of a token to their forms.
func (t Token) check() error {
	if len(t.Nonce) != len("ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return fmt.Errorf("%w: a nonce of %d octets", ErrToken, len(t.Nonce))
	}
	if len(t.Hosts) > MaxHosts {
		return fmt.Errorf("%w: more than %d", ErrHost, MaxHosts)
	}
	for _, h := range t.Hosts {
		if err := checkHost(h); err != nil && !isAddress(h) {
			return err
		}
	}
	return t.Name.check()
}

// tokenSecret makes a token's secret from the key of the authority.
func (r root) tokenSecret(t Token) ([]byte, error) {
	scalar, err := r.key.Bytes()
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, scalar, nil, tokenContext, sha256.Size)
	if err != nil {
		return nil, err
	}
	return mac(key, t.String()), nil
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// proof shows that who has asked for a certificate has the token.
func (t Token) proof(csr []byte) []byte { return mac(t.secret, proofContext, string(csr)) }

// String gives the token without its secret; with it nobody joins.
func (t Token) String() string { return t.record().String() }

// Format implements fmt.Formatter: no verb prints the secret.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// Text gives the line that ParseToken reads, without its newline.
func (t Token) Text() string {
	return append(t.record(), ndb.Attr{Name: "!secret", Value: encode(t.secret)}).String()
}

func (t Token) record() ndb.Record {
	r := ndb.Record{
		{Name: "join"},
		{Name: "cluster", Value: t.Name.Cluster},
		{Name: "role", Value: string(t.Name.Role)},
		{Name: "id", Value: t.Name.ID},
	}
	for _, h := range t.Hosts {
		r = append(r, ndb.Attr{Name: "host", Value: h})
	}
	return append(r,
		ndb.Attr{Name: "ca", Value: t.CA.String()},
		ndb.Attr{Name: "expires", Value: stamp(t.Expires)},
		ndb.Attr{Name: "nonce", Value: t.Nonce})
}

// ParseToken reads one line, with comments and empty lines around it. ErrToken if
// it is no token. Whether it is good only an issuer knows.
func ParseToken(text string) (Token, error) {
	lines, err := ndb.Parse(strings.NewReader(text))
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if len(lines) != 1 {
		return Token{}, fmt.Errorf("%w: %d lines, want one", ErrToken, len(lines))
	}
	t, rest, err := parseToken(lines[0].Record)
	if err != nil {
		return Token{}, err
	}
	if len(rest) != 1 || rest[0].Name != "!secret" {
		return Token{}, fmt.Errorf("%w: no !secret= at its end", ErrToken)
	}
	if t.secret, err = base64.StdEncoding.DecodeString(rest[0].Value); err != nil || len(t.secret) != sha256.Size {
		return Token{}, fmt.Errorf("%w: !secret= is not base64 of %d octets", ErrToken, sha256.Size)
	}
	return t, nil
}

// parseToken reads the words of a token up to its secret, and gives back what
// follows them. Errors never hold the secret.
func parseToken(r ndb.Record) (t Token, rest ndb.Record, err error) {
	take := func(name string) (value string) {
		if len(r) > 0 && r[0].Name == name {
			value, r = r[0].Value, r[1:]
		} else if err == nil {
			err = fmt.Errorf("%w: no %s in its place", ErrToken, name)
		}
		return value
	}
	take("join")
	t.Name = Name{take("cluster"), Role(take("role")), take("id")}
	for len(r) > 0 && r[0].Name == "host" {
		t.Hosts = append(t.Hosts, take("host"))
	}
	pin, expires := take("ca"), take("expires")
	t.Nonce = take("nonce")
	if err != nil {
		return Token{}, nil, err
	}
	if t.CA, err = parsePin(pin); err != nil {
		return Token{}, nil, fmt.Errorf("%w: ca=: %w", ErrToken, err)
	}
	if t.Expires, err = time.Parse(time.RFC3339, expires); err != nil || stamp(t.Expires) != expires {
		return Token{}, nil, fmt.Errorf("%w: expires= is not a time as 2006-01-02T15:04:05Z", ErrToken)
	}
	if err := t.check(); err != nil {
		return Token{}, nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return t, r, nil
}

func parsePin(s string) (p Pin, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != len(p) || encode(b) != s {
		return p, fmt.Errorf("not base64 of %d octets", len(p))
	}
	return Pin(b), nil
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
