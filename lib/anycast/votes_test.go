package anycast

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/lib/key"
	"namecast/lib/quorum"
)

// votesAt is on an address of loopback that no other test has.
const votesAt = "127.37.85.1:8155"

// A jury is the nodes a, b and c, of which a is on trial, and how they are heard.
type jury struct {
	*testing.T
	nodes   quorum.Nodes
	secrets map[string]*key.Secret
	conn    net.Conn
	boot    uint64
	seq     uint64

	commands io.Writer
	states   chan string
	logged   chan string
}

// newJury starts nc-bgp with a configuration of two prefixes and a neighbour that
// does not answer, and announces both.
func newJury(t *testing.T) *jury {
	t.Helper()
	j := &jury{T: t, secrets: map[string]*key.Secret{}, boot: uint64(time.Now().UnixNano()),
		states: make(chan string, 1000), logged: make(chan string, 1000)}
	list := j.list()
	var err error
	if j.nodes, err = quorum.ParseNodes(strings.NewReader(list)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := "local as=65001 id=192.0.2.1 name=a nodes=nodes votes=" + votesAt + "\n" +
		"neighbor=127.37.85.9 as=65000 port=1 next-hop6=2001:db8::9\nprefix=192.0.2.0/24\nprefix=2001:db8:53::/48\n"
	for name, text := range map[string]string{"nodes": list, "bgp.conf": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j.start(filepath.Join(dir, "bgp.conf"))
	if j.conn, err = net.Dial("udp", votesAt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.conn.Close() })
	j.say("announce 192.0.2.0/24\nannounce 2001:db8:53::/48\n")
	j.state("route 192.0.2.0/24 announced")
	j.state("route 2001:db8:53::/48 announced")
	return j
}

// list makes the keys and the list of nodes. Node x is in no list.
func (j *jury) list() string {
	var text strings.Builder
	for i, name := range []string{"a", "b", "c", "x"} {
		s, err := key.Generate(bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 32)))
		if err != nil {
			j.Fatal(err)
		}
		j.secrets[name] = s
		if name != "x" {
			fmt.Fprintf(&text, "node=%s key=%s watch=192.0.2.%d:8154\n", name, base64.StdEncoding.EncodeToString(s.Public().Bytes()[1:]), i+1)
		}
	}
	return text.String()
}

// start runs nc-bgp until the end of the test.
func (j *jury) start(conf string) {
	in, commands := io.Pipe()
	out, states := io.Pipe()
	j.commands = commands
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(lineTo(j.logged), &slog.HandlerOptions{Level: slog.LevelDebug}))
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, Config{File: conf, In: in, Out: states, Log: log})
		ended <- err
		in.CloseWithError(fmt.Errorf("nc-bgp has ended: %w", err))
		states.Close()
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			j.states <- s.Text()
		}
	}()
	j.Cleanup(func() {
		cancel()
		commands.Close()
		if err := <-ended; err != nil {
			j.Errorf("the end: %v", err)
		}
		<-read
	})
}

// lineTo is a writer that hands on each line, and drops it if nobody wants more.
type lineTo chan string

func (c lineTo) Write(b []byte) (int, error) {
	select {
	case c <- string(b):
	default:
	}
	return len(b), nil
}

func (j *jury) say(lines string) {
	j.Helper()
	if _, err := io.WriteString(j.commands, lines); err != nil {
		j.Fatal(err)
	}
}

// await returns the next of lines with all the words in it, and fails the test if
// there is first one with the word forbidden.
func (j *jury) await(lines <-chan string, forbidden string, words ...string) string {
	j.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case line := <-lines:
			if forbidden != "" && strings.Contains(line, forbidden) {
				j.Fatalf("%q while waiting for %q", line, words)
			}
			found := true
			for _, w := range words {
				found = found && strings.Contains(line, w)
			}
			if found {
				return line
			}
		case <-limit:
			j.Fatalf("no line with %q", words)
		}
	}
}

// state waits for a state; there must be no order before, unless it is one.
func (j *jury) state(words ...string) string {
	j.Helper()
	forbidden := "order "
	if strings.HasPrefix(words[0], forbidden) {
		forbidden = ""
	}
	return j.await(j.states, forbidden, words...)
}

// vote signs a vote against a, as its changes say.
func (j *jury) vote(from string, changes ...func(*quorum.Vote)) []byte {
	j.Helper()
	j.seq++
	v := quorum.Vote{From: from, Boot: j.boot, Seq: j.seq, Time: time.Now(), Victim: "a",
		Prefix: netip.MustParsePrefix("192.0.2.0/24"), Lease: 3 * time.Second, Well: true}
	for _, change := range changes {
		change(&v)
	}
	b, err := j.nodes.SignVote(j.secrets[from], v)
	if err != nil {
		j.Fatal(err)
	}
	return b
}

// send sends a datagram and waits until the log says what became of it.
func (j *jury) send(datagram []byte, words ...string) {
	j.Helper()
	if _, err := j.conn.Write(datagram); err != nil {
		j.Fatal(err)
	}
	j.await(j.logged, "", words...)
}

// stranger signs as a node that is in a list of its own only.
func (j *jury) stranger() []byte {
	j.Helper()
	nodes, err := quorum.ParseNodes(strings.NewReader("node=x watch=192.0.2.9:1 key=" + base64.StdEncoding.EncodeToString(j.secrets["x"].Public().Bytes()[1:])))
	if err != nil {
		j.Fatal(err)
	}
	b, err := nodes.SignVote(j.secrets["x"], quorum.Vote{From: "x", Boot: 1, Seq: 1, Time: time.Now(), Victim: "a",
		Prefix: netip.MustParsePrefix("192.0.2.0/24"), Lease: time.Second, Well: true})
	if err != nil {
		j.Fatal(err)
	}
	return b
}

// TestVotes sends a running nc-bgp what must have no effect, each with the one good
// vote of b in force, then what must, and lets the order lapse.
func TestVotes(t *testing.T) {
	j := newJury(t)
	j.send(j.vote("b", func(v *quorum.Vote) { v.Lease = time.Minute }), "msg=vote ", "from=b")
	good := j.vote("c")
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	moved := j.vote("b")
	moved[5] = 'c' // the name in a datagram of b
	for _, c := range []struct {
		name     string
		datagram []byte
		want     string
	}{
		{"empty", nil, "malformed"},
		{"noise", []byte("announce 192.0.2.0/24"), "malformed"},
		{"too long", append(bytes.Clone(good), make([]byte, 2000)...), "malformed"},
		{"forged", forged, "bad signature"},
		{"in the name of another", moved, "bad signature"},
		{"stranger", j.stranger(), "unknown node"},
		{"own", j.vote("a"), "vote of the victim itself"},
		{"of the same node again", j.vote("b"), "msg=vote "},
		{"wrong victim", j.vote("c", func(v *quorum.Vote) { v.Victim = "b" }), "vote against another node"},
		{"prefix that is not ours", j.vote("c", func(v *quorum.Vote) { v.Prefix = netip.MustParsePrefix("198.51.100.0/24") }), "not a prefix of this node"},
		{"other prefix", j.vote("c", func(v *quorum.Vote) { v.Prefix = netip.MustParsePrefix("2001:db8:53::/48") }), "msg=vote "},
		{"expired", j.vote("c", func(v *quorum.Vote) { v.Time = v.Time.Add(-4 * time.Second) }), "expired"},
		{"old", j.vote("c", func(v *quorum.Vote) { v.Time, v.Lease = v.Time.Add(-40*time.Second), time.Minute }), "too far off"},
		{"of the future", j.vote("c", func(v *quorum.Vote) { v.Time = v.Time.Add(40 * time.Second) }), "too far off"},
	} {
		j.send(c.datagram, c.want)
		t.Logf("%s: %s", c.name, c.want)
	}
	j.say("status\n")
	j.state("route 192.0.2.0/24 announced")
	j.state("ok 3")

	j.send(j.vote("c"), "msg=vote ", "from=c")
	if line := j.state("order 192.0.2.0/24 withdrawn", " b,c"); strings.Contains(line, "2001") {
		t.Errorf("%q", line)
	}
	j.await(j.logged, "", "withdrawn by order of other nodes")
	j.say("announce 192.0.2.0/24\nstatus\n")
	j.await(j.states, "192.0.2.0/24 announced", "route 192.0.2.0/24 withdrawn")
	j.await(j.states, "192.0.2.0/24 announced", "ok 5")
	j.await(j.states, "192.0.2.0/24 announced", "order 192.0.2.0/24 ended")
	j.state("route 192.0.2.0/24 announced")
}

// TestVotesReplayed sends the datagrams of an order again, while it is in force and
// when it has lapsed: it ends when it would have, and does not come back.
func TestVotesReplayed(t *testing.T) {
	j := newJury(t)
	b := j.vote("b", func(v *quorum.Vote) { v.Lease = 2 * time.Second })
	c := j.vote("c", func(v *quorum.Vote) { v.Lease = 2 * time.Second })
	began := time.Now()
	j.send(b, "msg=vote ", "from=b")
	j.send(c, "msg=vote ", "from=c")
	j.state("order 192.0.2.0/24 withdrawn", " b,c")
	j.send(b, "vote refused", "replayed")
	j.send(c, "vote refused", "replayed")
	j.state("order 192.0.2.0/24 ended")
	if took := time.Since(began); took < 2*time.Second-10*time.Millisecond || took > 10*time.Second {
		t.Errorf("ended after %v", took)
	}
	j.send(b, "vote refused", "expired")
	j.send(c, "vote refused", "expired")
	j.say("status\n")
	j.state("route 192.0.2.0/24 announced")
	j.state("ok 3")
}
