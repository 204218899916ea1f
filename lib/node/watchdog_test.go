package node

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"namecast/lib/rr"
	"namecast/lib/serve"
	"namecast/lib/sock"
	"namecast/lib/store/leveldb"
	"namecast/lib/zone"
)

// watched is a node with a database, and with sockets that nobody serves yet.
func watched(t *testing.T, addrs ...string) *node {
	t.Helper()
	db, err := leveldb.Open(t.TempDir(), leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	base := rr.MustName("namecast.example")
	n := &node{base: base, db: db, dns: &serve.DNS{
		Service: &zone.Service{Base: base, Contact: base}, Store: db, Directory: db,
	}}
	for _, addr := range addrs {
		udp, tcp, err := sock.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		n.udp, n.tcp = append(n.udp, udp...), append(n.tcp, tcp...)
	}
	t.Cleanup(n.closeSockets)
	return n
}

// answering serves the node's sockets; what it returns ends that.
func (n *node) answering(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	on := serve.Sockets{UDP: n.udp, TCP: n.tcp}
	var work sync.WaitGroup
	work.Go(func() {
		if err := n.dns.Serve(ctx, on); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); work.Wait() }
	t.Cleanup(stop)
	return stop
}

func TestWorks(t *testing.T) {
	const long, short = 20 * time.Second, 600 * time.Millisecond
	t.Run("nobody answers", func(t *testing.T) {
		if watched(t, "127.0.0.1:0").works(t.Context(), short) {
			t.Error("a node that does not answer works")
		}
	})
	t.Run("answers", func(t *testing.T) {
		n := watched(t, "127.0.0.1:0")
		stop := n.answering(t)
		if !n.works(t.Context(), long) {
			t.Error("a node that answers does not work")
		}
		stop()
		if n.works(t.Context(), short) {
			t.Error("a node that has ceased to answer works")
		}
	})
	t.Run("answers at all addresses", func(t *testing.T) {
		n := watched(t, ":0")
		n.answering(t)
		if !n.works(t.Context(), long) {
			t.Error("a node that answers does not work")
		}
	})
	t.Run("answers at one of two addresses", func(t *testing.T) {
		n := watched(t, "127.0.0.1:0")
		n.answering(t)
		mute := watched(t, "127.0.0.1:0")
		n.udp = append(mute.udp, n.udp...)
		if !n.works(t.Context(), long) {
			t.Error("a node that answers at one of its addresses does not work")
		}
		n.udp = n.udp[len(mute.udp):]
	})
	t.Run("answers others", func(t *testing.T) {
		n := watched(t, "127.0.0.1:0")
		n.answering(t)
		served, mute := n.udp, watched(t, "127.0.0.1:0")
		n.udp = mute.udp
		defer func() { n.udp = served }()
		ctx, cancel := context.WithCancel(t.Context())
		var client sync.WaitGroup
		defer client.Wait()
		defer cancel()
		client.Go(func() {
			for ctx.Err() == nil {
				(&node{base: n.base}).ask(ctx, served[0].LocalAddr())
			}
		})
		if !n.works(t.Context(), long) {
			t.Error("a node that answers others does not work")
		}
	})
	t.Run("database closed", func(t *testing.T) {
		n := watched(t, "127.0.0.1:0")
		n.answering(t)
		n.db.Close()
		if n.works(t.Context(), short) {
			t.Error("a node without its database works")
		}
	})
}

// TestWatchdog sees a node that answers tell so to its supervisor.
func TestWatchdog(t *testing.T) {
	addr := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"}
	l, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Skipf("no unix sockets here: %v", err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", addr.Name)
	t.Setenv("WATCHDOG_USEC", "40000")
	t.Setenv("WATCHDOG_PID", "")
	n := watched(t, "127.0.0.1:0")
	n.answering(t)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() { n.watchdog(ctx) })
	buf := make([]byte, 100)
	for range 3 {
		l.SetReadDeadline(time.Now().Add(20 * time.Second))
		got, err := l.Read(buf)
		if err != nil || string(buf[:got]) != "WATCHDOG=1" {
			t.Fatalf("the supervisor heard %q, %v", buf[:got], err)
		}
	}
}
