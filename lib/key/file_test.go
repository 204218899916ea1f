package key

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// One key in all its files: OpenSSL's and Java's forms of it, and their DER.
func TestReadForms(t *testing.T) {
	tests := []struct {
		name          string
		secret        string   // a file of the secret key
		others        []string // other files of the same key
		proto         string
		bits          int
		secretInOther bool
	}{
		{name: "openssl ed25519", secret: "openssl_ed25519.pem", others: []string{"openssl_ed25519_public.pem"}, proto: "ed25519", bits: 256},
		{name: "openssl dsa1024", secret: "openssl_dsa1024.pem", others: []string{"openssl_dsa1024_public.pem", "openssl_dsa1024_traditional.pem", "openssl_dsa1024_parameters.pem", "openssl_dsa1024_both.pem"}, proto: "dsa", bits: 1024},
		{name: "openssl dsa2048", secret: "openssl_dsa2048_224.pem", proto: "dsa", bits: 2048},
		{name: "java ed25519", secret: "java_ed25519.pem", others: []string{"java_ed25519_public.pem"}, proto: "ed25519", bits: 256},
		{name: "java dsa1024", secret: "java_dsa1024.pem", others: []string{"java_dsa1024_public.pem"}, proto: "dsa", bits: 1024},
		{name: "java dsa2048", secret: "java_dsa2048.pem", others: []string{"java_dsa2048_public.pem"}, proto: "dsa", bits: 2048},
		{name: "java dsa3072", secret: "java_dsa3072.pem", others: []string{"java_dsa3072_public.pem"}, proto: "dsa", bits: 3072},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, tt.secret)
			if f.Secret == nil || f.Public.Algorithm().String() != tt.proto || f.Public.Bits() != tt.bits {
				t.Fatalf("read as %v of %d bits", f, f.Public.Bits())
			}
			for _, name := range append(tt.others, tt.secret) {
				other := load(t, name)
				if d := cmp.Diff(f.PublicLine(), other.PublicLine()); d != "" {
					t.Errorf("%s: %s", name, d)
				}
				if secret := !strings.Contains(name, "_public"); (other.Secret != nil) != secret {
					t.Errorf("%s: secret %v, want %v", name, other.Secret != nil, secret)
				}
				if strings.Contains(name, "_parameters") {
					continue // its first block is no key
				}
				raw, err := Read(bytes.NewReader(unpem(t, testdata(t, name))))
				if err != nil {
					t.Fatalf("%s as DER: %v", name, err)
				}
				if d := cmp.Diff(f.PublicLine(), raw.PublicLine()); d != "" {
					t.Errorf("%s as DER: %s", name, d)
				}
			}
		})
	}
}

func TestReadPEMWithOtherText(t *testing.T) {
	text := append([]byte("\xef\xbb\xbf\r\nBag Attributes\r\n"), bytes.ReplaceAll(testdata(t, "openssl_ed25519.pem"), []byte("\n"), []byte("\r\n"))...)
	f, err := Read(bytes.NewReader(text))
	if err != nil || f.Account != load(t, "openssl_ed25519.pem").Account {
		t.Errorf("read %v, error %v", f, err)
	}
}

// The key line of all zeros, by hand.
const zeroLine = "key proto=ed25519 account=c7dcynszuhzph2x4xtwbv224vqndw667 service=namecast.example server=127.0.0.1:8153 " +
	"public=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik= !token=t !secret=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func TestLine(t *testing.T) {
	s := testKey(t)
	f := File{Secret: s, Public: s.Public(), Account: s.Public().Account(), Service: "namecast.example", Server: "127.0.0.1:8153", Token: "t"}
	if d := cmp.Diff(zeroLine, f.Line()); d != "" {
		t.Error(d)
	}
	public, _, _ := strings.Cut(zeroLine, " !token")
	if d := cmp.Diff(public, f.PublicLine()); d != "" {
		t.Error(d)
	}
	want := "# created: 2026-01-02T15:04:05Z\n# account: " + f.Account + "\n" + zeroLine + "\n"
	zone := time.FixedZone("", 3600)
	if d := cmp.Diff(want, string(f.Text(time.Date(2026, 1, 2, 16, 4, 5, 0, zone)))); d != "" {
		t.Error(d)
	}
}

func TestReadLine(t *testing.T) {
	const (
		public = "public=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="
		secret = "!secret=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		own    = "c7dcynszuhzph2x4xtwbv224vqndw667"
		old    = "a9993e364706816aba3e25717850c26c9cd0d89d"
	)
	tests := []struct {
		name, in string
		want     File
	}{
		{name: "all of it", in: "# c\n\n" + zeroLine, want: File{Account: own, Service: "namecast.example", Server: "127.0.0.1:8153", Token: "t"}},
		{name: "the secret alone", in: "key proto=ed25519 " + secret, want: File{Account: own}},
		{name: "the public key alone", in: "key proto=ed25519 " + public + " # mine", want: File{Account: own}},
		{name: "the account of an older key", in: "key proto=ed25519 account=" + old + " " + public, want: File{Account: old}},
		{name: "a server that names its service", in: "key proto=ed25519 server=Namecast.Example " + public, want: File{Account: own, Service: "namecast.example", Server: "Namecast.Example:8153"}},
		{name: "a server with its service", in: "key proto=ed25519 server=a.example@[::1]:1 " + public, want: File{Account: own, Service: "a.example", Server: "[::1]:1"}},
		{name: "a service that the server does not name", in: "key proto=ed25519 service=B.example. server=a.example:1 " + public, want: File{Account: own, Service: "b.example", Server: "a.example:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got.Public != testKey(t).Public() || (got.Secret != nil) != strings.Contains(tt.in, "!secret=") {
				t.Errorf("read %v", got)
			}
			got.Secret, got.Public = nil, Public{}
			if got != tt.want {
				t.Errorf("read %q %q %q %q, want %q %q %q %q", got.Account, got.Service, got.Server, got.Token,
					tt.want.Account, tt.want.Service, tt.want.Server, tt.want.Token)
			}
		})
	}
}

func TestLineRoundTrip(t *testing.T) {
	for _, name := range []string{"openssl_ed25519.pem", "openssl_dsa1024.pem", "openssl_dsa2048_224.pem", "java_dsa3072_public.pem"} {
		t.Run(name, func(t *testing.T) {
			f := load(t, name)
			f.Service, f.Token = "a.example", "it's a # token"
			again, err := Read(bytes.NewReader(f.Text(time.Time{})))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(f.Line(), again.Line()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	line := func(words string) []byte { return []byte("# c\nkey " + words + "\n") }
	pem := testdata(t, "openssl_dsa1024.pem")
	ed := unpem(t, testdata(t, "openssl_ed25519.pem"))
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	tests := []struct {
		name string
		in   []byte
		want error
		text string
	}{
		{name: "nothing", want: ErrNoKey, text: "no key in it: it is empty"},
		{name: "white space", in: []byte(" \n\n"), want: ErrNoKey, text: "no key in it: it is empty"},
		{name: "comments", in: []byte("# key\n"), want: ErrNoKey, text: "no key in it: it has only comments"},
		{name: "too long", in: bytes.Repeat([]byte("#\n"), MaxFile), want: ErrNoKey, text: "no key in it: it is longer than 65536 octets"},
		{name: "prose", in: []byte("Dear Sir,\n"), want: ErrNoKey, text: "line 1: no key in it: the line does not start with the word key"},
		{name: "binary", in: []byte("\x7fELF\x00"), want: ErrNoKey, text: "no key in it: line 1: not plain UTF-8 text"},
		{name: "two keys", in: []byte(zeroLine + "\n" + zeroLine), want: ErrMalformed, text: "line 2: malformed key: more than one key"},
		{name: "line cut in the secret", in: []byte(zeroLine[:len(zeroLine)-9]), want: ErrMalformed, text: "line 1: !secret=: malformed key: not base64"},
		{name: "line cut in the public key", in: line("proto=ed25519 public=O2onvM62"), want: ErrMalformed, text: "line 2: public=: malformed key: an Ed25519 key of 6 octets, want 32"},
		{name: "no proto", in: line("public=AA=="), want: ErrMalformed, text: "line 2: malformed key: proto= is missing"},
		{name: "other proto", in: line("proto=rsa size=8 ek=7 n=8F"), want: ErrMalformed, text: `line 2: malformed key: unknown attribute "size"`},
		{name: "other proto alone", in: line("proto=rsa"), want: ErrAlgorithm, text: "line 2: proto=rsa, not Ed25519 or DSA"},
		{name: "no numbers", in: line("proto=dsa"), want: ErrMalformed, text: "line 2: malformed key: neither public= nor !secret="},
		{name: "attribute twice", in: line("proto=dsa public=AA== public=AA=="), want: ErrMalformed, text: "line 2: malformed key: public= twice"},
		{name: "not a pair", in: line("proto=ed25519 public=" + other + " !secret=" + other), want: ErrMismatch, text: "line 2: the secret and the public key are not a pair"},
		{name: "ed25519 as dsa", in: line("proto=dsa !secret=" + base64.StdEncoding.EncodeToString(ed)), want: ErrMalformed, text: "line 2: !secret=: malformed key: not a DSA key"},
		{name: "bad account", in: line("proto=ed25519 account=www public=" + other), want: ErrMalformed, text: `line 2: malformed key: bad account name "www"`},
		{name: "bad service", in: line("proto=ed25519 service=a..b public=" + other), want: ErrMalformed, text: `line 2: malformed key: service=: bad domain name "a..b"`},
		{name: "bad server", in: line("proto=ed25519 server=a:b public=" + other), want: ErrMalformed, text: `line 2: malformed key: bad server "a:b": not [service@]host[:port]`},
		{name: "PEM cut short", in: pem[:300], want: ErrMalformed, text: "PEM: malformed key: cut short or damaged"},
		{name: "PEM with a bad character", in: bytes.Replace(pem, []byte("M"), []byte("?"), 3), want: ErrMalformed, text: "PEM: malformed key: cut short or damaged"},
		{name: "two PEM keys", in: append(bytes.Clone(pem), testdata(t, "openssl_ed25519.pem")...), want: ErrMalformed, text: "malformed key: more than one key"},
		{name: "parameters alone", in: pemBlock("DSA PARAMETERS", nil), want: ErrNoKey, text: "no key in it"},
		{name: "PEM of another type", in: pemBlock("PGP MESSAGE", nil), want: ErrNoKey, text: `no key in it: a PEM block of type "PGP MESSAGE"`},
		{name: "DER cut short", in: ed[:len(ed)-1], want: ErrMalformed, text: "DER: malformed key: cut short or damaged"},
		{name: "DER cut short with its length mended", in: pemBlock("PRIVATE KEY", element(tagSequence, ed[2:len(ed)-5])), want: ErrMalformed, text: "PKCS#8: malformed key: cut short or damaged"},
		{name: "DER of nothing", in: []byte{tagSequence, 0}, want: ErrMalformed, text: "DER: malformed key: cut short or damaged"},
		{name: "text that starts like DER", in: []byte("0 zero"), want: ErrMalformed, text: "DER: malformed key: cut short or damaged"},
		{name: "an OpenSSH public key", in: []byte("ssh-ed25519 AAAA me"), want: ErrNoKey, text: "no key in it: an OpenSSH key file, and not PKCS#8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refuses(t, tt.in, tt.want, tt.text) })
	}
}

// pemBlock makes a PEM block of octets of DER.
func pemBlock(kind string, b []byte) []byte {
	return []byte("-----BEGIN " + kind + "-----\n" + base64.StdEncoding.EncodeToString(b) + "\n-----END " + kind + "-----\n")
}

// refuses checks that in is no key, and what is said of it.
func refuses(t *testing.T, in []byte, want error, text string) {
	t.Helper()
	f, err := Read(bytes.NewReader(in))
	if err == nil {
		t.Fatalf("read %v", f)
	}
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	if d := cmp.Diff(text, err.Error()); d != "" {
		t.Error(d)
	}
}

// Keys of others, each refused by its name, as PEM and as DER.
func TestReadRefusesForeignKeys(t *testing.T) {
	const wanted = "not Ed25519 or DSA"
	tests := []struct {
		file string
		want error
		text string
	}{
		{"rsa.pem", ErrAlgorithm, "an RSA key, " + wanted},
		{"rsa_traditional.pem", ErrAlgorithm, "an RSA key, " + wanted},
		{"rsa_public.pem", ErrAlgorithm, "an RSA key, " + wanted},
		{"ec.pem", ErrAlgorithm, "an elliptic curve key, " + wanted},
		{"ec_traditional.pem", ErrAlgorithm, "an elliptic curve key, " + wanted},
		{"x25519.pem", ErrAlgorithm, "an X25519 key, " + wanted},
		{"encrypted_pkcs8.pem", ErrEncrypted, `the key is encrypted: decrypt it first, as with "openssl pkey -in FILE"`},
		{"encrypted_traditional.pem", ErrEncrypted, `the key is encrypted: decrypt it first, as with "openssl pkey -in FILE"`},
		{"certificate.pem", ErrNoKey, "no key in it: a certificate, and not a key"},
		{"openssh.pem", ErrNoKey, "no key in it: an OpenSSH key file, and not PKCS#8"},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			text := testdata(t, "refused/"+tt.file)
			refuses(t, text, tt.want, tt.text)
			switch tt.file {
			case "ec_traditional.pem", "encrypted_traditional.pem", "certificate.pem", "openssh.pem":
				return // their first block is no DER of a key
			}
			refuses(t, unpem(t, text), tt.want, tt.text)
		})
	}
}

func TestReadPKCS8Version2(t *testing.T) {
	s := testKey(t)
	key := element(tagOctetString, s.octets())
	make2 := func(public []byte) []byte {
		return element(tagSequence, integerElement([]byte{1}), element(tagSequence, element(tagOID, oidEd25519)),
			element(tagOctetString, key), element(tagContext0), element(tagContext1, []byte{0}, public))
	}
	f, err := Read(bytes.NewReader(make2(s.public.Bytes()[1:])))
	if err != nil || f.Public != s.public {
		t.Errorf("read %v, error %v", f, err)
	}
	refuses(t, make2(bytes.Repeat([]byte{1}, 32)), ErrMismatch, ErrMismatch.Error())
}

// A DSA secret whose numbers do not belong together is found when it is read.
func TestReadRefusesBadDSASecrets(t *testing.T) {
	good := load(t, "openssl_dsa1024.pem").Secret.dsa
	traditional := func(n dsaNumbers) []byte {
		return element(tagSequence, integerElement(nil), integerElement(n.p), integerElement(n.q), integerElement(n.g), integerElement(n.y), integerElement(n.x))
	}
	tests := []struct {
		name   string
		change func(*dsaNumbers)
		want   error
		text   string
	}{
		{"x zero", func(n *dsaNumbers) { n.x = nil }, ErrMalformed, "malformed key: the DSA secret is out of range"},
		{"x = q", func(n *dsaNumbers) { n.x = n.q }, ErrMalformed, "malformed key: the DSA secret is out of range"},
		{"another g", func(n *dsaNumbers) { n.g = []byte{2} }, ErrMalformed, "malformed key: the DSA generator does not fit the subgroup"},
		{"another y", func(n *dsaNumbers) { n.y = n.g }, ErrMismatch, "the secret and the public key are not a pair"},
		{"p too long", func(n *dsaNumbers) { n.p = bytes.Repeat([]byte{0xff}, 1000) }, ErrKeySize, "key size not allowed: DSA with a modulus of 8000 bits, not 512 to 3072"},
		{"q too short", func(n *dsaNumbers) { n.q = bytes.Repeat([]byte{0xff}, 19) }, ErrKeySize, "key size not allowed: DSA with a subgroup of 152 bits, not 160, 224 or 256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := good
			tt.change(&n)
			refuses(t, traditional(n), tt.want, tt.text)
			if tt.name != "another y" { // PKCS#8 has none
				refuses(t, n.pkcs8(), tt.want, tt.text)
			}
		})
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Read(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
