package ca

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// day is when the clusters of the tests are made.
var day = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newAuthority(t testing.TB, cluster string, now time.Time) *Authority {
	t.Helper()
	a, err := New(cluster, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func next(t testing.TB, a *Authority, now time.Time) *Authority {
	t.Helper()
	a, err := a.Next(now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newMember(t testing.TB, a *Authority, role Role, id string, now time.Time) Identity {
	t.Helper()
	m, err := a.NewIdentity(Request{Name: Name{a.Cluster(), role, id}}, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shown(id Identity) []*x509.Certificate { return []*x509.Certificate{id.Leaf} }

// TestMembers: who believes whom, and when.
func TestMembers(t *testing.T) {
	a, b := newAuthority(t, "c1", day), newAuthority(t, "c2", day)
	twin := newAuthority(t, "c1", day) // of the same name, with another key
	n1 := newMember(t, a, Node, "n1", day)
	for _, c := range []struct {
		name string
		peer Identity
		at   time.Time
		want Name
	}{
		{"a node", newMember(t, a, Node, "n2", day), day, Name{"c1", Node, "n2"}},
		{"a client", newMember(t, a, Client, "n2", day), day, Name{"c1", Client, "n2"}},
		{"a clock behind", n1, day.Add(-59 * time.Minute), Name{"c1", Node, "n1"}},
		{"a clock too far behind", n1, day.Add(-61 * time.Minute), Name{}},
		{"the last second", n1, day.Add(Life), Name{"c1", Node, "n1"}},
		{"a second later", n1, day.Add(Life + time.Second), Name{}},
		{"another cluster", newMember(t, b, Node, "n1", day), day, Name{}},
		{"another authority", newMember(t, twin, Node, "n1", day), day, Name{}},
	} {
		got, err := n1.Verify(shown(c.peer), c.at)
		if got != c.want || (c.want == Name{}) != errors.Is(err, ErrPeer) {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}
	if _, err := n1.Verify(nil, day); !errors.Is(err, ErrPeer) {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := n1.Verify(a.Roots(), day); !errors.Is(err, ErrPeer) {
		t.Errorf("the authority itself: %v", err)
	}
}

// TestForeignNames: whoever has the authority's key cannot make what is not of
// its cluster, and a certificate says one thing only.
func TestForeignNames(t *testing.T) {
	a := newAuthority(t, "c1", day)
	n1 := newMember(t, a, Node, "n1", day)
	uri := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, uris := range map[string][]*url.URL{
		"another cluster": {uri("nc://c2/node/n1")},
		"none":            nil,
		"two":             {uri("nc://c1/node/n1"), uri("nc://c1/node/n2")},
		"another scheme":  {uri("https://c1/node/n1")},
		"a user":          {uri("nc://me@c1/node/n1")},
		"a port":          {uri("nc://c1:1/node/n1")},
		"a query":         {uri("nc://c1/node/n1?n2")},
		"an escape":       {uri("nc://c1/node/n%31")},
		"upper case":      {uri("nc://c1/node/N1")},
		"another role":    {uri("nc://c1/king/n1")},
		"longer":          {uri("nc://c1/node/n1/n2")},
	} {
		template := *n1.Leaf
		template.URIs, template.SerialNumber = uris, nil
		der, err := x509.CreateCertificate(rand.Reader, &template, a.list[0].cert, n1.key.Public(), a.list[0].key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		if got, err := n1.Verify([]*x509.Certificate{cert}, day); !errors.Is(err, ErrPeer) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	a := newAuthority(t, "c1", day)
	good := Request{Name: Name{"c1", Node, "n1"}}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Request)
		at     time.Time
		want   error
	}{
		{"nothing", func(*Request) {}, day, nil},
		{"another cluster", func(r *Request) { r.Name.Cluster = "c2" }, day, ErrName},
		{"no id", func(r *Request) { r.Name.ID = "" }, day, ErrName},
		{"an id with a slash", func(r *Request) { r.Name.ID = "a/b" }, day, ErrName},
		{"no role", func(r *Request) { r.Name.Role = "" }, day, ErrName},
		{"a bad host", func(r *Request) { r.Hosts = []string{"*.example"} }, day, ErrHost},
		{"a malformed address", func(r *Request) { r.Hosts = []string{"192.0.2.256"} }, day, ErrHost},
		{"too many hosts", func(r *Request) { r.Hosts = make([]string, MaxHosts+1) }, day, ErrHost},
		{"a P-384 key", func(r *Request) { r.Public = p384.Public() }, day, ErrKey},
		{"an Ed25519 key", func(r *Request) { r.Public = edwards }, day, ErrKey},
		{"after the authority", func(*Request) {}, day.Add(AuthorityLife), ErrExpired},
		{"before the authority", func(*Request) {}, day.Add(-2 * time.Hour), ErrExpired},
		{"a negative life", func(r *Request) { r.Life = -1 }, day, ErrExpired},
	} {
		r := good
		r.Public = p256.Public()
		c.change(&r)
		if _, err := a.Issue(r, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	late, err := a.Issue(Request{Name: good.Name, Public: p256.Public(), Life: 2 * AuthorityLife}, day.Add(time.Hour))
	if err != nil || !late.NotAfter.Equal(a.list[0].cert.NotAfter) {
		t.Errorf("a long life: %v, until %s", err, late.NotAfter)
	}
}

// TestOverlap: a new authority takes over from an old one, and nobody is ever
// without a peer who trusts it.
func TestOverlap(t *testing.T) {
	a := newAuthority(t, "c1", day)
	old := newMember(t, a, Node, "n1", day)
	b := next(t, a, day.Add(time.Hour))
	at := day.Add(time.Hour + Settle - time.Second)
	renewed := newMember(t, b, Node, "n2", at)
	if renewed.issuer() != 0 || len(renewed.Roots) != 2 {
		t.Errorf("before it has settled: signed by %d of %d", renewed.issuer(), len(renewed.Roots))
	}
	at = at.Add(time.Second)
	after := newMember(t, b, Node, "n3", at)
	if after.issuer() != 1 {
		t.Error("the new authority has settled and does not sign")
	}
	for _, pair := range [][2]Identity{{renewed, after}, {after, renewed}, {renewed, old}, {after, old}, {old, renewed}} {
		if _, err := pair[0].Verify(shown(pair[1]), at); err != nil {
			t.Errorf("%s does not believe %s: %v", pair[0], pair[1], err)
		}
	}
	// The old one is taken out: the end of the file is a file.
	text := b.Text()
	last := strings.LastIndex(text, "# pin ")
	c, err := ParseAuthority([]byte(text[last:]))
	if err != nil {
		t.Fatal(err)
	}
	end := newMember(t, c, Node, "n4", at)
	if _, err := end.Verify(shown(old), at); !errors.Is(err, ErrPeer) {
		t.Errorf("a certificate of the authority that is gone: %v", err)
	}
	if _, err := end.Verify(shown(after), at); err != nil {
		t.Error(err)
	}
	for range MaxAuthorities - 2 {
		b = next(t, b, at)
	}
	if _, err := b.Next(at); !errors.Is(err, ErrAuthorities) {
		t.Errorf("one too many: %v", err)
	}
}

func TestLabels(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, s := range []string{"a", "n1", "a-b", "0", long} {
		if err := CheckLabel(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "A", "a.b", "-a", "a-", "a b", "ä", long + "a", "a/b", "a\x00"} {
		if err := CheckLabel(s); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestHosts: what a certificate is given for hosts, it has, and renewals keep.
func TestHosts(t *testing.T) {
	a := newAuthority(t, "c1", day)
	want := []string{"n1.example.net", "localhost", "192.0.2.1", "2001:db8::1"}
	id, err := a.NewIdentity(Request{Name: Name{"c1", Node, "n1"}, Hosts: want}, day)
	if err != nil {
		t.Fatal(err)
	}
	if got := hosts(id.Leaf); !slices.Equal(got, want) {
		t.Errorf("hosts %q, want %q", got, want)
	}
	for _, h := range want {
		if err := id.Leaf.VerifyHostname(h); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenSSL lets another implementation verify the certificates.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	now := time.Now()
	a, b := newAuthority(t, "c1", now), newAuthority(t, "c2", now)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	id := newMember(t, a, Node, "n1", now)
	roots, other := write("roots", a.RootsText()), write("other", b.RootsText())
	_, leaf, _ := strings.Cut(id.Text(), "# made")
	path := write("leaf", leaf)
	verify := func(roots string, more ...string) (string, error) {
		args := append([]string{"verify", "-x509_strict", "-CAfile", roots}, more...)
		out, err := exec.Command("openssl", append(args, path)...).CombinedOutput()
		return string(out), err
	}
	for _, purpose := range []string{"sslserver", "sslclient"} {
		if out, err := verify(roots, "-purpose", purpose); err != nil {
			t.Errorf("%s: %v\n%s", purpose, err, out)
		}
	}
	if out, err := verify(other); err == nil {
		t.Errorf("under another authority:\n%s", out)
	}
	out, err := exec.Command("openssl", "x509", "-noout", "-text", "-in", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "URI:nc://c1/node/n1") || !strings.Contains(string(out), "CN = node") && !strings.Contains(string(out), "CN=node") {
		t.Errorf("%v\n%s", err, out)
	}
}
