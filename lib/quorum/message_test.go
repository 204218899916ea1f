package quorum

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/key"
)

var update = flag.Bool("update", false, "rewrite testdata/datagrams.txt")

var comparePrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestHeartbeatRoundTrip(t *testing.T) {
	c := newClub(t, 3)
	bare := Heartbeat{From: "c", Time: time.Unix(0, 0)}
	for _, h := range []Heartbeat{heartbeat(), bare} {
		got, err := c.OpenHeartbeat(c.signHeartbeat(t, h))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, got, comparePrefixes); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
}

func TestVoteRoundTrip(t *testing.T) {
	c := newClub(t, 3)
	for _, v := range []Vote{
		vote("b", 1, start),
		vote("c", 1<<63, start, unwell, func(v *Vote) { v.Prefix, v.Lease = p6, time.Minute }),
		vote("c", 0, start, func(v *Vote) { v.Prefix, v.Lease = netip.MustParsePrefix("0.0.0.0/0"), time.Millisecond }),
		vote("c", 0, start, func(v *Vote) { v.Prefix = netip.MustParsePrefix("2001:db8::1/128") }),
	} {
		got, err := c.OpenVote(c.signVote(t, v))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(v, got, comparePrefixes); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
}

// TestGreatest fits everything that a heartbeat can have into one datagram.
func TestGreatest(t *testing.T) {
	var text strings.Builder
	name := func(i int) string { return fmt.Sprintf("%s%02d", strings.Repeat("n", MaxName-2), i) }
	for i := range MaxNodes {
		fmt.Fprintf(&text, "node=%s key=%s watch=192.0.2.1:%d\n", name(i), publicText(secretOf(t, i)), i+1)
	}
	ns, err := ParseNodes(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	h := Heartbeat{From: name(0), Time: start}
	for i := range MaxPrefixes {
		h.Prefixes = append(h.Prefixes, PrefixState{netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x::/48", i+1)), Drained})
	}
	for _, n := range ns.Others(h.From) {
		h.Sees = append(h.Sees, n.Name)
	}
	b, err := ns.SignHeartbeat(secretOf(t, 0), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d octets", len(b))
	if len(b) > MaxDatagram {
		t.Errorf("%d octets", len(b))
	}
	got, err := ns.OpenHeartbeat(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h, got, comparePrefixes); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	h.Prefixes = append(h.Prefixes, h.Prefixes[0])
	_, err = ns.SignHeartbeat(secretOf(t, 0), h)
	wantErr(t, err, ErrMalformed)
}

// TestSeesOfAnotherList has a sender that knows more nodes.
func TestSeesOfAnotherList(t *testing.T) {
	small, large := newClub(t, 3), newClub(t, 5)
	h := heartbeat()
	h.Sees = []string{"a", "d", "e"}
	got, err := small.OpenHeartbeat(large.signHeartbeat(t, h))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a"}, got.Sees); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestSignRefuses(t *testing.T) {
	c := newClub(t, 3)
	for _, k := range []struct {
		name   string
		change func(*Heartbeat)
		want   error
	}{
		{"unknown node", func(h *Heartbeat) { h.From = "x" }, ErrUnknown},
		{"key of another", func(h *Heartbeat) { h.From = "c"; h.Sees = nil }, key.ErrMismatch},
		{"sees an unknown node", func(h *Heartbeat) { h.Sees = []string{"x"} }, ErrUnknown},
		{"sees itself", func(h *Heartbeat) { h.Sees = []string{"b"} }, ErrUnknown},
		{"no state", func(h *Heartbeat) { h.Prefixes = []PrefixState{{p4, 0}} }, ErrMalformed},
		{"unknown state", func(h *Heartbeat) { h.Prefixes = []PrefixState{{p4, 5}} }, ErrMalformed},
		{"prefix with host bits", func(h *Heartbeat) { h.Prefixes[0].Prefix = netip.MustParsePrefix("192.0.2.1/24") }, ErrMalformed},
		{"no prefix", func(h *Heartbeat) { h.Prefixes[0].Prefix = netip.Prefix{} }, ErrMalformed},
		{"before 1970", func(h *Heartbeat) { h.Time = time.Unix(-1, 0) }, ErrMalformed},
		{"no time", func(h *Heartbeat) { h.Time = time.Time{} }, ErrMalformed},
		{"after 2262", func(h *Heartbeat) { h.Time = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) }, ErrMalformed},
	} {
		t.Run("heartbeat/"+k.name, func(t *testing.T) {
			h := heartbeat()
			k.change(&h)
			_, err := c.SignHeartbeat(c.secrets["b"], h)
			wantErr(t, err, k.want)
		})
	}
	for _, k := range []struct {
		name   string
		change func(*Vote)
		want   error
	}{
		{"unknown node", func(v *Vote) { v.From = "x" }, ErrUnknown},
		{"key of another", func(v *Vote) { v.From = "c" }, key.ErrMismatch},
		{"no victim", func(v *Vote) { v.Victim = "" }, ErrMalformed},
		{"IPv4 in IPv6", func(v *Vote) { v.Prefix = netip.MustParsePrefix("::ffff:192.0.2.0/120") }, ErrMalformed},
		{"no lease", func(v *Vote) { v.Lease = 0 }, ErrLease},
		{"negative lease", func(v *Vote) { v.Lease = -time.Second }, ErrLease},
		{"long lease", func(v *Vote) { v.Lease = time.Minute + time.Millisecond }, ErrLease},
		{"no time", func(v *Vote) { v.Time = time.Time{} }, ErrMalformed},
	} {
		t.Run("vote/"+k.name, func(t *testing.T) {
			_, err := c.SignVote(c.secrets["b"], vote("b", 1, start, k.change))
			wantErr(t, err, k.want)
		})
	}
}

// resign is a datagram that its sender has signed over other octets.
func (c club) resign(t *testing.T, b []byte, context string, change func([]byte) []byte) []byte {
	t.Helper()
	b = change(bytes.Clone(b[:len(b)-key.SignatureSize]))
	sig, err := c.secrets["b"].Sign(append([]byte(context), b...))
	if err != nil {
		t.Fatal(err)
	}
	return append(b, sig...)
}

// set is a change of one octet, counted from the end if at is negative.
func set(at int, value byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b[(at+len(b))%len(b)] = value
		return b
	}
}

// TestOpenRefuses has datagrams that are signed but malformed: no reader may rely
// on the good manners of a node that is known.
func TestOpenRefuses(t *testing.T) {
	c := newClub(t, 3)
	// Where things are: a head of 30 octets for a name of one, then for the vote
	// the victim (2), the prefix (6), the lease (4) and the flags.
	v, h := c.signVote(t, vote("b", 1, start)), c.signHeartbeat(t, heartbeat())
	for _, k := range []struct {
		name   string
		b      []byte
		ctx    string
		change func([]byte) []byte
		want   error
	}{
		{"version", v, voteContext, set(2, 2), ErrMalformed},
		{"kind", v, voteContext, set(3, 'h'), ErrMalformed},
		{"no name", v, voteContext, set(4, 0), ErrMalformed},
		{"name past the end", v, voteContext, set(4, 255), ErrMalformed},
		{"bad name", v, voteContext, set(5, 'B'), ErrMalformed},
		{"unknown name", v, voteContext, set(5, 'z'), ErrUnknown},
		{"name of another", v, voteContext, set(5, 'c'), ErrSignature},
		{"time after 2262", v, voteContext, set(22, 0x80), ErrMalformed},
		{"victim is no name", v, voteContext, set(31, ' '), ErrMalformed},
		{"state in a vote", v, voteContext, set(32, 0x14), ErrMalformed},
		{"family 5", v, voteContext, set(32, 5), ErrMalformed},
		{"family 6 of 4 octets", v, voteContext, set(32, 6), ErrMalformed},
		{"33 bits", v, voteContext, set(33, 33), ErrMalformed},
		{"host bits", v, voteContext, set(37, 1), ErrMalformed},
		{"lease 0", v, voteContext, func(b []byte) []byte { clear(b[38:42]); return b }, ErrLease},
		{"lease over 60 s", v, voteContext, func(b []byte) []byte { copy(b[38:], []byte{0, 0, 0xea, 0x61}); return b }, ErrLease},
		{"lease of 49 days", v, voteContext, set(38, 0xff), ErrLease},
		{"unknown flag", v, voteContext, set(-1, 2), ErrMalformed},
		{"cut", v, voteContext, func(b []byte) []byte { return b[:len(b)-1] }, ErrMalformed},
		{"more", v, voteContext, func(b []byte) []byte { return append(b, 0) }, ErrMalformed},
		{"context of the other kind", v, heartbeatContext, set(0, 'n'), ErrSignature},
		{"no context", v, "", set(0, 'n'), ErrSignature},
		{"heartbeat: unknown flag", h, heartbeatContext, set(38, 0x81), ErrMalformed},
		{"heartbeat: 33 prefixes", h, heartbeatContext, set(39, 33), ErrMalformed},
		{"heartbeat: fewer prefixes", h, heartbeatContext, set(39, 1), ErrMalformed},
		{"heartbeat: no state", h, heartbeatContext, set(40, 0x04), ErrMalformed},
		{"heartbeat: state 5", h, heartbeatContext, set(40, 0x54), ErrMalformed},
		{"heartbeat: 64 seen", h, heartbeatContext, set(64, 64), ErrMalformed},
		{"heartbeat: one seen, two there", h, heartbeatContext, set(64, 1), ErrMalformed},
		{"heartbeat: seen twice", h, heartbeatContext, func(b []byte) []byte { copy(b[65:73], b[73:81]); return b }, ErrMalformed},
		{"heartbeat: seen out of order", h, heartbeatContext, func(b []byte) []byte {
			return append(append(bytes.Clone(b[:65]), b[73:81]...), b[65:73]...)
		}, ErrMalformed},
		{"too long", h, heartbeatContext, func(b []byte) []byte { return append(b, make([]byte, MaxDatagram)...) }, ErrMalformed},
	} {
		t.Run(k.name, func(t *testing.T) {
			b := c.resign(t, k.b, k.ctx, k.change)
			open := func() (err error) { _, err = c.OpenVote(b); return }
			if k.b[3] == 'h' {
				open = func() (err error) { _, err = c.OpenHeartbeat(b); return }
			}
			wantErr(t, open(), k.want)
		})
	}
}

// TestForged changes every octet of good datagrams, and cuts them everywhere.
func TestForged(t *testing.T) {
	c := newClub(t, 3)
	v, h := c.signVote(t, vote("b", 1, start)), c.signHeartbeat(t, heartbeat())
	openVote := func(b []byte) error { _, err := c.OpenVote(b); return err }
	openHeartbeat := func(b []byte) error { _, err := c.OpenHeartbeat(b); return err }
	for _, k := range []struct {
		b    []byte
		open func([]byte) error
	}{{v, openVote}, {h, openHeartbeat}} {
		for i := range k.b {
			forged := bytes.Clone(k.b)
			forged[i] ^= 0x10
			err := k.open(forged)
			if !errors.Is(err, ErrSignature) && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrLease) {
				t.Errorf("octet %d changed: error %v", i, err)
			}
			if err := k.open(k.b[:i]); err == nil {
				t.Errorf("cut at %d: taken", i)
			}
		}
	}
	wantErr(t, openVote(h), ErrMalformed)
	wantErr(t, openHeartbeat(v), ErrMalformed)
}

// TestGolden keeps the form on the wire.
func TestGolden(t *testing.T) {
	c := newClub(t, 3)
	var b strings.Builder
	b.WriteString("# Datagrams of nodes a, b and c, whose Ed25519 seeds are 32 octets 01, 02 and 03.\n")
	fmt.Fprintf(&b, "heartbeat %x\n", c.signHeartbeat(t, heartbeat()))
	fmt.Fprintf(&b, "vote %x\n", c.signVote(t, vote("b", 1, start)))
	fmt.Fprintf(&b, "vote %x\n", c.signVote(t, vote("c", 2, start, unwell, func(v *Vote) { v.Prefix = p6 })))
	const path = "testdata/datagrams.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestStateString(t *testing.T) {
	if s := fmt.Sprint(Announced, Drained, Withdrawn, Failing, State(0), State(9)); s != "announced drained withdrawn failing state 0 state 9" {
		t.Error(s)
	}
}
