package health

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/key"
	"namecast/lib/quorum"
	"namecast/lib/watch"
)

// A cast is nodes a, b and v on loopback: their list, their keys, and where v
// would hear votes.
type cast struct {
	dir    string
	nodes  quorum.Nodes
	votes  *net.UDPConn
	secret map[string]*key.Secret
}

// newCast makes the nodes. Of v there is nothing but a socket for votes.
func newCast(t *testing.T) *cast {
	t.Helper()
	c := &cast{dir: shortDir(t), secret: map[string]*key.Secret{}}
	answers := serveZone(t)
	var err error
	if c.votes, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.votes.Close() })
	var list strings.Builder
	for i, name := range []string{"a", "b", "v"} {
		secret, err := key.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.secret[name] = secret
		if err := (key.File{Secret: secret, Public: secret.Public()}).Save(filepath.Join(c.dir, name+".key"), time.Now()); err != nil {
			t.Fatal(err)
		}
		server, bgp := answers[min(i, 1)], freeAddr(t)
		if name == "v" {
			server, bgp = freeAddr(t), netip.MustParseAddrPort(c.votes.LocalAddr().String())
		}
		public := base64.StdEncoding.EncodeToString(secret.Public().Bytes()[1:])
		fmt.Fprintf(&list, "node=%s key=%s watch=%v bgp=%v dns=%v\n", name, public, freeAddr(t), bgp, server)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "nodes"), []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if c.nodes, err = quorum.ParseNodes(strings.NewReader(list.String())); err != nil {
		t.Fatal(err)
	}
	return c
}

// serveZone runs two servers that answer any SOA question.
func serveZone(t *testing.T) (at []netip.AddrPort) {
	t.Helper()
	for range 2 {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		up, down := make(chan struct{}), make(chan struct{})
		s := &dns.Server{PacketConn: c, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			r := new(dns.Msg)
			r.SetReply(m)
			r.Authoritative = true
			soa, err := dns.NewRR(m.Question[0].Name + " 60 IN SOA ns. h. 1 2 3 4 5")
			if err == nil {
				r.Answer = append(r.Answer, soa)
			}
			w.WriteMsg(r)
		})}
		go func() { defer close(down); s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() { s.Shutdown(); <-down })
		at = append(at, netip.MustParseAddrPort(c.LocalAddr().String()))
	}
	return at
}

// conf is the configuration of one of the nodes.
func (c *cast) conf(name string) string {
	return strings.Replace(wellNode, "node=a\n", fmt.Sprintf("node=%s nodes=%s/nodes key=%s/%s.key\n", name, c.dir, c.dir, name), 1) +
		"outside=dns name=d.example\n"
}

// TestVotes: two nodes hear each other and announce; the third says that it is well
// and does not answer, and the votes that come to it are an order.
func TestVotes(t *testing.T) {
	c := newCast(t)
	a, b := start(t, c.conf("a"), nil), start(t, c.conf("b"), nil)
	a.says("192.0.2.0/24 is announced")
	b.says("192.0.2.0/24 is announced")
	a.says("192.0.2.0/24 announced") // what b says of itself
	c.beatAsV(t)
	ballot, err := quorum.NewBallot(c.nodes, "v", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, quorum.MaxDatagram)
	c.votes.SetReadDeadline(time.Now().Add(20 * time.Second))
	for len(ballot.InForce(time.Now())) == 0 {
		n, err := c.votes.Read(buf)
		if err != nil {
			t.Fatalf("no order: %v\na:\n%s\nb:\n%s", err, a.status(), b.status())
		}
		vote, err := c.nodes.OpenVote(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		if err := ballot.Add(vote, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if o := ballot.InForce(time.Now())[0]; fmt.Sprint(o.By) != "[a b]" {
		t.Errorf("%+v", o)
	}
	a.says("vote against 192.0.2.0/24 there")
}

// TestOnlyWatches: a node that announces nothing still hears and asks the others.
func TestOnlyWatches(t *testing.T) {
	c := newCast(t)
	conf := fmt.Sprintf("node=a nodes=%s/nodes key=%s/a.key\noutside=dns name=d.example\n", c.dir, c.dir) + fast
	a := start(t, conf, nil)
	a.says("This node announces nothing and only watches others.")
	a.says("1 of 1 names right") // b's server, from outside
	c.beatAsV(t)
	a.says("192.0.2.0/24 announced")
	if err := PrintStatus(t.Context(), a.Dir, io.Discard); err != nil {
		t.Errorf("status: %v", err)
	}
}

// TestHeard sees what is taken of what comes: each heartbeat once, and none that is
// changed, of this node itself, or of another time.
func TestHeard(t *testing.T) {
	c := newCast(t)
	var window quorum.Window
	ps := &peers{notes: newNotes(slog.New(slog.DiscardHandler))}
	ps.circle.Store(&circle{name: "a", key: c.secret["a"], nodes: c.nodes})
	now := time.Now()
	beat := func(from string, seq uint64, at time.Time) []byte {
		b, err := c.nodes.SignHeartbeat(c.secret[from], quorum.Heartbeat{From: from, Boot: 1, Seq: seq, Time: at, Well: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good, own, old := beat("b", 1, now), beat("a", 1, now), beat("b", 2, now.Add(-time.Hour))
	forged := append([]byte(nil), beat("b", 3, now)...)
	forged[len(forged)-1] ^= 1
	if ev, err := ps.open(good, &window, now); err != nil || ev.(watch.Heard).Peer != "b" {
		t.Errorf("a good one: %v, %v", ev, err)
	}
	for name, c := range map[string]struct {
		datagram []byte
		want     error
	}{
		"again": {good, quorum.ErrReplay}, "own": {own, quorum.ErrReplay}, "old": {old, quorum.ErrSkew},
		"forged": {forged, quorum.ErrSignature}, "empty": {nil, quorum.ErrMalformed},
	} {
		if _, err := ps.open(c.datagram, &window, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// beatAsV sends the heartbeats of v, whose watcher works and whose server does not
// answer, until the test ends. Each goes out whole and cut off.
func (c *cast) beatAsV(t *testing.T) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ps := &peers{conn: conn}
	end := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() {
		every := time.NewTicker(100 * time.Millisecond)
		defer every.Stop()
		for seq := uint64(1); ; seq++ {
			datagram, err := c.nodes.SignHeartbeat(c.secret["v"], quorum.Heartbeat{From: "v", Boot: 1, Seq: seq, Time: time.Now(), Well: true,
				Prefixes: []quorum.PrefixState{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), State: quorum.Announced}}})
			if err != nil {
				t.Error(err)
				return
			}
			for _, n := range c.nodes.Others("v") {
				ps.write(datagram, n.Watch)
				ps.write(datagram[:len(datagram)-1], n.Watch)
			}
			select {
			case <-end:
				return
			case <-every.C:
			}
		}
	})
	t.Cleanup(func() { close(end); beats.Wait(); conn.Close() })
}
