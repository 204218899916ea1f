package ca

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// A ledger in memory, that fails when it is told to.
type ledger struct {
	mu    sync.Mutex
	spent map[string][sha256.Size]byte
	fail  error
}

func (l *ledger) Spend(_ context.Context, nonce string, request [sha256.Size]byte, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	if old, ok := l.spent[nonce]; ok && old != request {
		return ErrSpent
	}
	l.spent[nonce] = request
	return nil
}

// A cluster is one node that issues.
type cluster struct {
	t         *testing.T
	authority *Authority
	node      Identity
	ledger    *ledger
	admit     func(context.Context, Name, Pin) error
	now       func() time.Time
	life      time.Duration
	reply     func(string) string // forges replies
}

func newCluster(t *testing.T, name string) *cluster {
	a := newAuthority(t, name, time.Now().Add(-100*24*time.Hour))
	return &cluster{
		t: t, authority: a, node: newMember(t, a, Node, "n1", time.Now()),
		ledger: &ledger{spent: map[string][sha256.Size]byte{}},
		now:    time.Now, reply: func(s string) string { return s },
	}
}

// connect gives both ends of a connection.
func connect(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return here, there
}

// dial connects to the node.
func (c *cluster) dial() net.Conn {
	here, there := connect(c.t)
	issuer := &Issuer{Authority: func() *Authority { return c.authority }, Ledger: c.ledger, Admit: c.admit, Life: c.life, Now: c.now}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		secure := tls.Server(there, &tls.Config{
			Certificates: []tls.Certificate{*c.node.Certificate()},
			ClientAuth:   tls.RequestClientCert, NextProtos: []string{Protocol},
		})
		if secure.Handshake() != nil {
			return
		}
		var peer *x509.Certificate
		if certs := secure.ConnectionState().PeerCertificates; len(certs) > 0 {
			peer = certs[0]
		}
		issuer.Serve(c.t.Context(), forger{secure, c.reply}, peer)
	}()
	c.t.Cleanup(func() { here.Close(); <-done })
	return here
}

// A forger changes what the issuer says.
type forger struct {
	net.Conn
	change func(string) string
}

func (f forger) Write(b []byte) (int, error) {
	if _, err := io.WriteString(f.Conn, f.change(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *cluster) token(id string) Token {
	c.t.Helper()
	t, err := c.authority.NewToken(Name{c.authority.Cluster(), Node, id}, []string{"192.0.2.4"}, 0, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	return t
}

func (c *cluster) joiner(token Token) *Joiner {
	c.t.Helper()
	j, err := NewJoiner(token)
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// TestJoin: with a token, once, and again only for the one that has it already.
func TestJoin(t *testing.T) {
	c := newCluster(t, "c1")
	token, err := ParseToken(" # from the operator\n" + c.token("n4").Text() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	j := c.joiner(token)
	for range 2 {
		id, err := j.Join(t.Context(), c.dial())
		if err != nil {
			t.Fatal(err)
		}
		if id.Name != token.Name || hosts(id.Leaf)[0] != "192.0.2.4" || len(id.Roots) != 1 {
			t.Errorf("joined as %s with %q", id, hosts(id.Leaf))
		}
		if _, err := c.node.Verify(shown(id), time.Now()); err != nil {
			t.Error(err)
		}
		if _, err := ParseIdentity([]byte(id.Text())); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.joiner(token).Join(t.Context(), c.dial()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), ErrSpent.Error()) {
		t.Errorf("a second one with the token: %v", err)
	}
}

// TestJoinRefused: by the issuer.
func TestJoinRefused(t *testing.T) {
	c := newCluster(t, "c1")
	c.admit = func(_ context.Context, n Name, _ Pin) error {
		if n.ID == "gone" {
			return errors.New("it was removed")
		}
		return nil
	}
	change := func(f func(*Token)) Token {
		token := c.token("n4")
		f(&token)
		return token
	}
	for _, x := range []struct {
		name  string
		token Token
		why   string
	}{
		{"another id", change(func(t *Token) { t.Name.ID = "n1" }), "the proof is wrong"},
		{"another role", change(func(t *Token) { t.Name.Role = Client }), "the proof is wrong"},
		{"other hosts", change(func(t *Token) { t.Hosts[0] = "192.0.2.1" }), "the proof is wrong"},
		{"fewer hosts", change(func(t *Token) { t.Hosts = nil }), "the proof is wrong"},
		{"another time", change(func(t *Token) { t.Expires = t.Expires.Add(time.Second) }), "the proof is wrong"},
		{"another nonce", change(func(t *Token) { t.Nonce = strings.Repeat("A", 26) }), "the proof is wrong"},
		{"another secret", change(func(t *Token) { t.secret = make([]byte, 32) }), "the proof is wrong"},
		{"one that is not admitted", c.token("gone"), "it was removed"},
	} {
		_, err := c.joiner(x.token).Join(t.Context(), c.dial())
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), x.why) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	if len(c.ledger.spent) > 0 {
		t.Errorf("tokens were spent on nothing: %v", c.ledger.spent)
	}
	token := c.token("n5")
	c.now = func() time.Time { return token.Expires }
	if _, err := c.joiner(token).Join(t.Context(), c.dial()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("too late: %v", err)
	}
	c.now, c.ledger.fail = time.Now, errors.New("no leader")
	j := c.joiner(token)
	if _, err := j.Join(t.Context(), c.dial()); !errors.Is(err, ErrLater) {
		t.Errorf("without a ledger: %v", err)
	}
	c.ledger.fail = nil
	if _, err := j.Join(t.Context(), c.dial()); err != nil {
		t.Errorf("later: %v", err)
	}
}

// TestJoinElsewhere: the joiner refuses what is not a node of its cluster before
// it says anything.
func TestJoinElsewhere(t *testing.T) {
	c := newCluster(t, "c1")
	twin := newCluster(t, "c1")
	client := newCluster(t, "c1")
	client.authority = c.authority
	client.node = newMember(t, c.authority, Client, "n1", time.Now())
	ended := newCluster(t, "c1")
	ended.authority = c.authority
	ended.node = newMember(t, c.authority, Node, "n1", time.Now().Add(-40*24*time.Hour))
	// A stranger that shows the right authority behind a certificate of its own.
	liar := newCluster(t, "c1")
	liar.node.Roots = append(liar.node.Roots, c.authority.Roots()...)
	for name, other := range map[string]*cluster{
		"another cluster": newCluster(t, "c2"), "one of the same name": twin,
		"a client": client, "one whose certificate has ended": ended, "a liar": liar,
	} {
		heard := false
		other.reply = func(s string) string { heard = true; return s }
		if _, err := c.joiner(c.token("n4")).Join(t.Context(), other.dial()); !errors.Is(err, ErrPeer) {
			t.Errorf("%s: %v", name, err)
		}
		if heard {
			t.Errorf("%s was asked", name)
		}
	}
}

// TestForgedReplies: a member that is no issuer cannot bring its own authority
// into a new member.
func TestForgedReplies(t *testing.T) {
	c := newCluster(t, "c1")
	mine := newAuthority(t, "c1", time.Now())
	var before string
	for name, forge := range map[string]func(string) string{
		"nothing":      func(string) string { return "\n" },
		"no words":     func(string) string { return "yes\n" },
		"no signature": func(s string) string { return s[:strings.Index(s, " sig=")] + "\n" },
		"another root": func(s string) string {
			return strings.Replace(s, " sig=", " root="+encode(mine.list[0].cert.Raw)+" sig=", 1)
		},
		"a cut signature": func(s string) string { return s[:len(s)-9] + "\n" },
		"an old reply": func(s string) string {
			if before == "" {
				before = s
			}
			return before
		},
		"two lines": func(s string) string { return s + s },
		"no end":    func(s string) string { return strings.Repeat("a", maxReply+1) },
	} {
		c.reply = forge
		j := c.joiner(c.token("n4"))
		if name == "an old reply" {
			if _, err := j.Join(t.Context(), c.dial()); err != nil {
				t.Errorf("%s, the first time: %v", name, err)
			}
			j = c.joiner(c.token("n4"))
		}
		if id, err := j.Join(t.Context(), c.dial()); err == nil {
			t.Errorf("%s: joined as %s", name, id)
		}
	}
}

// TestWait: whoever says nothing does not hold the other side for longer than it
// wants to wait.
func TestWait(t *testing.T) {
	c := newCluster(t, "c1")
	for name, call := range map[string]func(context.Context, net.Conn) error{
		"join": func(ctx context.Context, n net.Conn) error {
			_, err := c.joiner(c.token("n4")).Join(ctx, n)
			return err
		},
		"renew": func(ctx context.Context, n net.Conn) error { _, err := c.node.Renew(ctx, n); return err },
		"serve": func(ctx context.Context, n net.Conn) error { return (&Issuer{}).Serve(ctx, n, nil) },
	} {
		here, there := connect(t)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := call(ctx, here); err == nil {
			t.Errorf("%s: no error", name)
		}
		cancel()
		there.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, there); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is open", name)
		}
		there.Close()
	}
}
