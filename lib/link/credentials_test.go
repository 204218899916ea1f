package link

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain/frame"
	"namecast/lib/private"
)

// write replaces the file of credentials.
func write(t *testing.T, c *Credentials, id ca.Identity) {
	t.Helper()
	if err := private.Replace(c.path, id.Text()); err != nil {
		t.Fatal(err)
	}
}

// TestRotation: members go over to a new authority one after the other, while
// they are connected, and a peer of the old one is let go when that is gone.
func TestRotation(t *testing.T) {
	c := newCluster(t)
	n1, n2, from1, _ := two(t, c, nil)
	old := n1.config.Credentials.Identity()
	both, err := c.authority.Next(time.Now().Add(-2 * ca.Settle))
	if err != nil {
		t.Fatal(err)
	}
	c.authority = both
	write(t, n2.config.Credentials, c.identity(t, ca.Node, "n2", 0))
	from1.Close(frame.ByeShutdown, "to connect anew")
	// n1 does not know the new authority yet, and so is told of no peer.
	awaitError(t, n1.failed, ca.ErrPeer)
	half := old
	half.Roots = both.Roots()
	write(t, n1.config.Credentials, half) // as after a renewal before the new one signs
	from2 := await(t, "connection", n1.ups)
	if from2.Peer.Pin != n2.config.Credentials.Identity().Pin() {
		t.Errorf("n1 sees %+v", from2.Peer)
	}
	await(t, "connection", n2.ups)
	// The old authority is taken out at n2: n1 still shows a certificate of it.
	end := c.identity(t, ca.Node, "n2", 0)
	end.Roots = both.Roots()[1:]
	write(t, n2.config.Credentials, end)
	if err := n2.config.Credentials.Reload(); err != nil {
		t.Fatal(err)
	}
	awaitError(t, n2.downs, ca.ErrPeer)
	write(t, n1.config.Credentials, c.identity(t, ca.Node, "n1", 0))
	await(t, "connection", n2.ups)
}

// TestCertificateEnds: a connection does not outlive the certificates that it was
// made with.
func TestCertificateEnds(t *testing.T) {
	c := newCluster(t)
	quick := func(cfg *Config) { cfg.Limits.Silence = 400 * time.Millisecond }
	n1 := start(t, load(t, c.identity(t, ca.Node, "n1", 3*time.Second)), quick)
	n2 := start(t, c.credentials(t, "n2"), quick)
	n1.keeps(frame.ClassChain, "n2", n2.addr)
	await(t, "connection", n2.ups)
	awaitError(t, n2.downs, ca.ErrPeer)
	awaitError(t, n2.failed, ca.ErrPeer)
	write(t, n1.config.Credentials, c.identity(t, ca.Node, "n1", 0))
	await(t, "connection", n2.ups)
}

// TestBadFile: a file that is refused leaves in force what was there, and is told
// of once.
func TestBadFile(t *testing.T) {
	c := newCluster(t)
	path := t.TempDir() + "/identity"
	if _, err := Load(path, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	id := c.identity(t, ca.Node, "n1", 0)
	if err := private.Save(path, id.Text()); err != nil {
		t.Fatal(err)
	}
	var told []error
	creds, err := Load(path, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	if err := private.Replace(path, "nothing"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := creds.Identity(); got.Pin() != id.Pin() {
			t.Errorf("it is %s", got)
		}
	}
	if len(told) != 1 || !errors.Is(told[0], ca.ErrIdentity) {
		t.Errorf("told %v", told)
	}
	if err := creds.Reload(); !errors.Is(err, ca.ErrIdentity) {
		t.Errorf("reload: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := creds.Identity(); got.Pin() != id.Pin() {
		t.Errorf("it is %s", got)
	}
}

// A ledger in memory.
type ledger struct {
	mu    sync.Mutex
	spent map[string][sha256.Size]byte
}

func (l *ledger) Spend(_ context.Context, nonce string, request [sha256.Size]byte, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.spent[nonce]; ok && old != request {
		return ca.ErrSpent
	}
	l.spent[nonce] = request
	return nil
}

// TestJoin: one without a certificate gets one at the port of the links, links
// with it, and renews it.
func TestJoin(t *testing.T) {
	c := newCluster(t)
	issuer := &ca.Issuer{
		Authority: func() *ca.Authority { return c.authority },
		Ledger:    &ledger{spent: map[string][sha256.Size]byte{}}, Now: time.Now,
	}
	n2 := start(t, c.credentials(t, "n2"), func(cfg *Config) {
		cfg.Issue = func(ctx context.Context, conn net.Conn, peer *x509.Certificate) { issuer.Serve(ctx, conn, peer) }
	})
	token, err := c.authority.NewToken(ca.Name{Cluster: "c1", Role: ca.Node, ID: "n1"}, nil, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	joiner, err := ca.NewJoiner(token)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", n2.addr)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	id, err := joiner.Join(t.Context(), dial())
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := id.Renew(t.Context(), dial())
	if err != nil {
		t.Fatal(err)
	}
	n1 := start(t, load(t, renewed), nil)
	n1.keeps(frame.ClassChain, "n2", n2.addr)
	if p := await(t, "connection", n2.ups).Peer; p.Name.ID != "n1" || p.Pin != id.Pin() {
		t.Errorf("n2 sees %+v", p)
	}
	stranger := newCluster(t).identity(t, ca.Node, "n1", 0)
	stranger.Roots = append(stranger.Roots, c.authority.Roots()...)
	if _, err := stranger.Renew(t.Context(), dial()); err == nil {
		t.Error("a stranger's certificate was renewed")
	}
	awaitError(t, n2.failed, ca.ErrPeer)
}
