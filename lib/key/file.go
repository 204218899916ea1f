package key

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"namecast/lib/ndb"
	"namecast/lib/private"
)

// MaxFile is the longest key file that is read, in octets.
const MaxFile = 64 << 10

// A File is what a key file holds: one key and where it is used. As text it is
// one line of package ndb with comments above:
//
//	# created: 2026-01-02T15:04:05Z
//	# account: mfrggzdfmztwq2lkmfrggzdfmztwq2lk
//	key proto=ed25519 account=... service=namecast.example server=192.0.2.1:8153 public=... !token=... !secret=...
//
// An attribute that starts with '!' is secret; without them the line is the
// public key's. The values of public and !secret are base64: for ed25519 the 32
// octets of each, for dsa the X.509 SubjectPublicKeyInfo and the PKCS#8.
type File struct {
	Secret *Secret // nil in a public key's file
	Public Public
	// Service is the installation's base domain, in lower case; it may be empty.
	Service string
	// Server is host:port of the update server; it may be empty.
	Server string
	// Account is the account's name. It is not the key's own after a rekey.
	Account string
	// Token is the admission token, which a closed service asks for; it may be empty.
	Token string
}

// Read reads one key from r: a key line as File has it, PEM of OpenSSL or Java
// (PKCS#8, "DSA PRIVATE KEY", "PUBLIC KEY"), or the DER within such PEM. Of a
// secret key's file the public key is checked to be its own. The errors are
// ErrNoKey, ErrMalformed, ErrKeySize, ErrAlgorithm, ErrEncrypted, ErrMismatch
// and what r gives.
func Read(r io.Reader) (File, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return File{}, private.Cause(err)
	}
	text := bytes.TrimSpace(b)
	switch {
	case len(b) > MaxFile:
		return File{}, fmt.Errorf("%w: it is longer than %d octets", ErrNoKey, MaxFile)
	case len(text) == 0:
		return File{}, fmt.Errorf("%w: it is empty", ErrNoKey)
	case b[0] == tagSequence:
		return readDER(b)
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return readPEM(text)
	case bytes.HasPrefix(text, []byte("ssh-")):
		return File{}, fmt.Errorf("%w: an OpenSSH key file, and not PKCS#8", ErrNoKey)
	}
	return readText(text)
}

// readText reads the one key line of a text.
func readText(text []byte) (File, error) {
	lines, err := ndb.Parse(bytes.NewReader(text))
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	if len(lines) == 0 {
		return File{}, fmt.Errorf("%w: it has only comments", ErrNoKey)
	}
	if len(lines) > 1 {
		return File{}, fmt.Errorf("line %d: %w: more than one key", lines[1].Number, ErrMalformed)
	}
	f, err := readRecord(lines[0].Record)
	if err != nil {
		return File{}, fmt.Errorf("line %d: %w", lines[0].Number, err)
	}
	return f, nil
}

// attributes are the words of a key line. A word that is not among them is an
// error and not passed over: it would be lost when the line is written again,
// and is most likely a slip.
var attributes = []string{"key", "proto", "account", "service", "server", "public", "!token", "!secret"}

// readRecord reads a key line.
func readRecord(r ndb.Record) (f File, err error) {
	if r[0] != (ndb.Attr{Name: "key"}) {
		return f, fmt.Errorf("%w: the line does not start with the word key", ErrNoKey)
	}
	values := make(map[string]string, len(attributes))
	for _, name := range attributes {
		values[name], _ = r.Get(name)
		if len(r.All(name)) > 1 {
			return f, fmt.Errorf("%w: %s= twice", ErrMalformed, name)
		}
	}
	for _, a := range r {
		if _, known := values[a.Name]; !known {
			return f, fmt.Errorf("%w: unknown attribute %q", ErrMalformed, a.Name)
		}
	}
	if f, err = readNumbers(values["proto"], values["public"], values["!secret"]); err != nil {
		return f, err
	}
	f.Token = values["!token"]
	return f.place(values["account"], values["service"], values["server"])
}

// readNumbers reads the key itself: its secret, its public key, or both, which
// must be a pair.
func readNumbers(proto, public, secret string) (f File, err error) {
	switch proto {
	case Ed25519.String(), DSA.String():
	case "":
		return f, fmt.Errorf("%w: proto= is missing", ErrMalformed)
	default:
		return f, fmt.Errorf("proto=%s, %w", proto, ErrAlgorithm)
	}
	if public == "" && secret == "" {
		return f, fmt.Errorf("%w: neither public= nor !secret=", ErrMalformed)
	}
	if secret != "" {
		if f.Secret, err = readSecret(proto, secret); err != nil {
			return f, fmt.Errorf("!secret=: %w", err)
		}
		f.Public = f.Secret.public
	}
	if public == "" {
		return f, nil
	}
	p, err := readPublic(proto, public)
	if err != nil {
		return f, fmt.Errorf("public=: %w", err)
	}
	if f.Secret != nil && f.Public != p {
		return f, ErrMismatch
	}
	f.Public = p
	return f, nil
}

// readPublic reads the value of public=.
func readPublic(proto, value string) (Public, error) {
	b, err := decode(value)
	if err != nil {
		return Public{}, err
	}
	if proto == Ed25519.String() {
		return ed25519Public(b)
	}
	return ParsePublic(0, b)
}

// readSecret reads the value of !secret=.
func readSecret(proto, value string) (*Secret, error) {
	b, err := decode(value)
	if err != nil {
		return nil, err
	}
	if proto == Ed25519.String() {
		return ed25519Secret(b)
	}
	s, err := readPKCS8(b)
	if err == nil && s.public.algorithm != DSA {
		return nil, fmt.Errorf("%w: not a DSA key", ErrMalformed)
	}
	return s, err
}

// decode reads base64 that has one form only.
func decode(value string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrMalformed)
	}
	return b, nil
}

// place fills in where the key is used.
func (f File) place(account, service, server string) (File, error) {
	f.Account = account
	if account == "" {
		f.Account = f.Public.Account()
	} else if !IsAccount(account) {
		return f, fmt.Errorf("%w: bad account name %q", ErrMalformed, account)
	}
	if service != "" {
		name, err := ParseService(service)
		if err != nil {
			return f, fmt.Errorf("%w: service=: %w", ErrMalformed, err)
		}
		f.Service = name
	}
	if server == "" {
		return f, nil
	}
	named, hostport, err := ParseServer(server)
	if err != nil {
		return f, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	f.Server = hostport
	if f.Service == "" {
		f.Service = named
	}
	return f, nil
}

// record gives the key line's words.
func (f File) record() ndb.Record {
	public := []byte(f.Public.octets)
	if f.Public.algorithm == Ed25519 {
		public = public[1:]
	}
	r := ndb.Record{{Name: "key"}, {Name: "proto", Value: f.Public.algorithm.String()}}
	add := func(name, value string) {
		if value != "" {
			r = append(r, ndb.Attr{Name: name, Value: value})
		}
	}
	add("account", f.Account)
	add("service", f.Service)
	add("server", f.Server)
	add("public", base64.StdEncoding.EncodeToString(public))
	add("!token", f.Token)
	if f.Secret != nil {
		add("!secret", base64.StdEncoding.EncodeToString(f.Secret.octets()))
	}
	return r
}

// Line gives the key line, without a newline, with its secrets.
func (f File) Line() string { return f.record().String() }

// PublicLine gives the key line without its secret attributes.
func (f File) PublicLine() string {
	var public ndb.Record
	for _, a := range f.record() {
		if !strings.HasPrefix(a.Name, "!") {
			public = append(public, a)
		}
	}
	return public.String()
}

// Format implements fmt.Formatter: a file prints as its public line, under every
// verb, so that no log line gives its secrets away.
func (f File) Format(w fmt.State, verb rune) { io.WriteString(w, f.PublicLine()) }

// Text gives the whole key file: comments with the time and the account, and the
// line with its secrets.
func (f File) Text(created time.Time) []byte {
	return fmt.Appendf(nil, "# created: %s\n# account: %s\n%s\n",
		created.UTC().Format(time.RFC3339), f.Account, f.Line())
}

// Write writes Text in one piece.
func (f File) Write(w io.Writer, created time.Time) error {
	_, err := w.Write(f.Text(created))
	return err
}
