// Package crash kills nc-serve again and again while updates run, and checks
// that nothing that was acknowledged is lost and nothing is there by half.
//
// It speaks the update protocol itself, at the level of octets, so that it
// depends on no code of the tree: the packets come from nc-sign, and of a reply
// it reads the three numbers it needs at the places that the specification
// gives.
package crash

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/tools"
)

var kills = flag.Int("kills", 200, "how often to kill the node")

const accounts = 4

// perKill is how many packets an account has ready for each life of the node.
const perKill = 40

// TestKill is the promise that a reply means "on the disk".
func TestKill(t *testing.T) {
	if testing.Short() {
		*kills = 20
	}
	bin := tools.Build(t)
	dir := t.TempDir()
	node := &node{t: t, bin: bin, dir: dir}
	var clients []*client
	for i := range accounts {
		clients = append(clients, newClient(t, bin, dir, i, *kills*perKill))
	}
	began := time.Now()
	var slowest time.Duration
	for range *kills {
		start := time.Now()
		node.start()
		slowest = max(slowest, time.Since(start))
		for _, c := range clients {
			c.check(node.dns)
		}
		var all sync.WaitGroup
		stop := make(chan struct{})
		for _, c := range clients {
			all.Go(func() { c.run(node.nup, stop) })
		}
		time.Sleep(time.Duration(1+rand.IntN(60)) * time.Millisecond) // the moment of the kill is the test's subject
		node.kill()
		close(stop)
		all.Wait()
	}
	node.start()
	total := 0
	for _, c := range clients {
		c.check(node.dns)
		c.checkAll(node.dns)
		total += c.acked
	}
	node.kill()
	if total < *kills {
		t.Errorf("only %d updates were acknowledged over %d lives", total, *kills)
	}
	t.Logf("%d kills in %v, %d updates acknowledged, none lost, none by half; slowest start %v",
		*kills, time.Since(began).Round(time.Second), total, slowest.Round(time.Millisecond))
}

// A node is the nc-serve that is killed.
type node struct {
	t        *testing.T
	bin, dir string
	daemon   *tools.Daemon
	dns, nup string
}

func (n *node) start() {
	n.t.Helper()
	cmd := exec.Command(filepath.Join(n.bin, "nc-serve"), "-domain", "namecast.example", "-ns", "ns1.namecast.example=127.0.0.1",
		"-dns", "127.0.0.1:0", "-nup", "127.0.0.1:0", "-db", filepath.Join(n.dir, "db"), "-max-records", "0", "-max-bytes", "0",
		"-rate-source", "none", "-rate-account", "none", "-rrl", "none")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var err error
	if n.daemon, err = tools.Start(cmd); err != nil {
		n.t.Fatalf("%v\n%s", err, stderr.String())
	}
	n.dns, n.nup = n.daemon.Words["dns"], n.daemon.Words["nup"]
}

func (n *node) kill() { n.daemon.Kill() }

// A client has an account and a row of packets for it. Packet i sets the TXT
// records of "a" and "b" to i and adds one at "u<i>": three records that are
// there together or not at all.
type client struct {
	t       *testing.T
	account string
	packets [][]byte
	acked   int // packets whose reply came
}

func newClient(t *testing.T, bin, dir string, id, count int) *client {
	t.Helper()
	env := append(os.Environ(), "NAMECAST_KEY="+filepath.Join(dir, fmt.Sprintf("%d.key", id)),
		"NAMECAST_SERVER=namecast.example@127.0.0.1")
	run := func(stdin, tool string, args ...string) []byte {
		cmd := exec.Command(filepath.Join(bin, tool), args...)
		cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", tool, err)
		}
		return out
	}
	path := filepath.Join(dir, fmt.Sprintf("%d.key", id))
	keyText := run("", "nc-keygen")
	if err := os.WriteFile(path, keyText, 0o600); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(string(run(string(keyText), "nc-keygen", "-hash")))
	var text strings.Builder
	for i := range count {
		// Of one width, so that all packets have one length.
		fmt.Fprintf(&text, "replace a 60 TXT %08d\nreplace b 60 TXT %08d\nadd u%08d 60 TXT %08d\nsend\n", i, i, i, i)
	}
	stream := run(text.String(), "nc-sign", "-seq", "0")
	if len(stream)%count != 0 {
		t.Fatalf("%d octets are not %d packets of one length", len(stream), count)
	}
	c := &client{t: t, account: name}
	for size := len(stream) / count; len(stream) > 0; stream = stream[size:] {
		c.packets = append(c.packets, stream[:size])
	}
	return c
}

// run sends packets, each until its reply comes, until stop.
func (c *client) run(server string, stop chan struct{}) {
	conn, err := net.Dial("udp", server)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer conn.Close()
	buf := make([]byte, 65536)
	for c.acked < len(c.packets) {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := conn.Write(c.packets[c.acked]); err != nil {
			continue // the node is dead; stop is near
		}
		conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := conn.Read(buf)
		if err != nil {
			continue
		}
		if err := c.reply(buf[:n]); err != nil {
			c.t.Errorf("packet %d: %v", c.acked, err)
			return
		}
	}
}

// reply reads a version 1 reply: magic 8, version 2, key length 2, key, sequence
// 8, next 8, count 2, status 2.
func (c *client) reply(b []byte) error {
	if len(b) < 12 || string(b[:8]) != "Namecast" {
		return errors.New("not a reply")
	}
	rest := b[12+int(binary.BigEndian.Uint16(b[10:])):]
	seq, status := binary.BigEndian.Uint64(rest), binary.BigEndian.Uint16(rest[18:])
	switch {
	case int(seq) < c.acked:
		return nil // a late copy of an earlier reply
	case status != 0:
		return fmt.Errorf("status %d, next %d", status, binary.BigEndian.Uint64(rest[8:]))
	}
	c.acked++
	return nil
}

// check asks for the records of the last packet: it is the last acknowledged
// one, or the next, whose reply was lost.
func (c *client) check(server string) {
	c.t.Helper()
	a, b := c.ask(server, "a"), c.ask(server, "b")
	last, next := "", fmt.Sprintf("%08d", c.acked)
	if c.acked > 0 {
		last = fmt.Sprintf("%08d", c.acked-1)
	}
	if a != b || a != last && a != next {
		c.t.Fatalf("account %s: a is %q and b is %q, acknowledged is %q", c.account, a, b, last)
	}
	if a != "" && c.ask(server, "u"+a) != a {
		c.t.Fatalf("account %s: packet %s is there by half", c.account, a)
	}
}

// checkAll asks for the record of every acknowledged packet.
func (c *client) checkAll(server string) {
	c.t.Helper()
	for i := range c.acked {
		want := fmt.Sprintf("%08d", i)
		if got := c.ask(server, "u"+want); got != want {
			c.t.Fatalf("account %s: packet %d of %d is lost: %q", c.account, i, c.acked, got)
		}
	}
}

// ask gives the text of a TXT record, "" if there is none.
func (c *client) ask(server, owner string) string {
	c.t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(owner+"."+c.account+".namecast.example.", dns.TypeTXT)
	r, err := dns.Exchange(q, server)
	if err != nil {
		c.t.Fatalf("ask for %s: %v", owner, err)
	}
	if len(r.Answer) != 1 {
		return ""
	}
	return strings.Join(r.Answer[0].(*dns.TXT).Txt, "")
}
