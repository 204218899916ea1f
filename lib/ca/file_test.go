package ca

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/private"
)

// TestFiles: what is written is read, from files that only their owner can read.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	a := next(t, newAuthority(t, "c1", day), day.Add(time.Hour))
	id := newMember(t, a, Node, "n1", day)
	token, err := a.NewToken(Name{"c1", Node, "n2"}, nil, 0, day)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		load func(path string) (text string, err error)
	}{
		"authority": {a.Text(), func(p string) (string, error) { a, err := LoadAuthority(p); return text(a, err) }},
		"identity":  {id.Text(), func(p string) (string, error) { id, err := LoadIdentity(p); return text(id, err) }},
		"token":     {token.Text(), func(p string) (string, error) { t, err := LoadToken(p); return text(t, err) }},
	} {
		path := filepath.Join(dir, name)
		if err := private.Save(path, c.text); err != nil {
			t.Fatal(err)
		}
		checkMode(t, path)
		got, err := c.load(path)
		if diff := cmp.Diff(c.text, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if err := private.Save(path, "other"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: saved over a file: %v", name, err)
		}
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o610, 0o602} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := c.load(path); !errors.Is(err, private.ErrMode) {
				t.Errorf("%s of mode %o: %v", name, mode, err)
			}
		}
		if err := private.Replace(path, c.text); err != nil {
			t.Fatal(err)
		}
		checkMode(t, path)
		if got, err := c.load(path); err != nil || got != c.text {
			t.Errorf("%s after it was replaced: %v", name, err)
		}
	}
	if _, err := LoadIdentity(dir + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func text[T interface{ Text() string }](v T, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return v.Text(), nil
}

func checkMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%s: %v, mode %v", path, err, info.Mode())
	}
}

// TestMalformed: what is no file, and that errors do not tell keys.
func TestMalformed(t *testing.T) {
	a, b := newAuthority(t, "c1", day), newAuthority(t, "c2", day)
	n1, n2 := newMember(t, a, Node, "n1", day), newMember(t, a, Node, "n2", day)
	key := func(id Identity) string { var s strings.Builder; printKey(&s, id.key); return s.String() }
	cert := func(c *x509.Certificate) string { var s strings.Builder; printCert(&s, c); return s.String() }
	root := cert(a.list[0].cert)
	identity := func(b []byte) error { _, err := ParseIdentity(b); return err }
	authority := func(b []byte) error { _, err := ParseAuthority(b); return err }
	for _, c := range []struct {
		name, text string
		parse      func([]byte) error
		want       error
	}{
		{"empty identity", "", identity, ErrIdentity},
		{"no root", key(n1) + cert(n1.Leaf), identity, ErrIdentity},
		{"another's key", key(n2) + cert(n1.Leaf) + root, identity, ErrIdentity},
		{"another order", cert(n1.Leaf) + key(n1) + root, identity, ErrIdentity},
		{"two keys", key(n1) + cert(n1.Leaf) + root + key(n2), identity, ErrIdentity},
		{"a root that is none", key(n1) + cert(n1.Leaf) + cert(n2.Leaf), identity, ErrIdentity},
		{"a root of others", key(n1) + cert(n1.Leaf) + cert(b.list[0].cert), identity, ErrIdentity},
		{"roots of two", key(n1) + cert(n1.Leaf) + root + cert(b.list[0].cert), identity, ErrIdentity},
		{"too many roots", key(n1) + cert(n1.Leaf) + strings.Repeat(root, MaxAuthorities+1), identity, ErrIdentity},
		{"cut", n1.Text()[:len(n1.Text())-40], identity, ErrIdentity},
		{"an authority as a member", a.Text(), identity, ErrIdentity},
		{"empty authority", "# nothing\n", authority, ErrAuthority},
		{"a member as an authority", n1.Text(), authority, ErrAuthority},
		{"a member's pair", key(n1) + cert(n1.Leaf), authority, ErrAuthority},
		{"two clusters", a.Text() + b.Text(), authority, ErrAuthority},
		{"too many blocks", strings.Repeat(a.Text(), MaxAuthorities+2), authority, ErrAuthority},
		{"the newest first", next(t, a, day.Add(time.Hour)).Text() + a.Text(), authority, ErrAuthority},
	} {
		err := c.parse([]byte(c.text))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestSecretsUnprinted: no verb prints a secret.
func TestSecretsUnprinted(t *testing.T) {
	a := newAuthority(t, "c1", day)
	id := newMember(t, a, Node, "n1", day)
	token, err := a.NewToken(Name{"c1", Node, "n2"}, nil, 0, day)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(verb, id); got != "nc://c1/node/n1" {
			t.Errorf("identity as %s: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, token); got != token.String() || strings.Contains(got, "secret") {
			t.Errorf("token as %s: %s", verb, got)
		}
	}
}

// TestGolden reads the files that the first version wrote, with keys that are
// nobody's.
func TestGolden(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, err := ParseAuthority(read("authority.pem"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := ParseIdentity(read("identity.pem"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := ParseToken(string(read("token")))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"authority.pem": a.Text(), "identity.pem": id.Text(), "token": token.Text() + "\n"} {
		if diff := cmp.Diff(string(read(name)), got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	by, ok := a.find(token.CA)
	secret, err := by.tokenSecret(token)
	if !ok || err != nil || string(secret) != string(token.secret) {
		t.Errorf("the token's secret is made in another way: %v", err)
	}
	if _, err := verify(shown(id), "c1", a.Roots(), made(id.Leaf)); err != nil {
		t.Error(err)
	}
	const proof = "7bkVJpwTYrK1KpjUhfwnI4vNrxz14z5gdexlaDBX2qY="
	if got := encode(token.proof([]byte("a request"))); got != proof {
		t.Errorf("proof %s, want %s", got, proof)
	}
}
