package quorum

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"namecast/lib/key"
)

var (
	p4    = netip.MustParsePrefix("192.0.2.0/24")
	p6    = netip.MustParsePrefix("2001:db8:53::/48")
	start = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
)

// A club is nodes "a", "b" and so on with their secrets.
type club struct {
	Nodes
	secrets map[string]*key.Secret
}

// secretOf makes the key of the i-th node.
func secretOf(t testing.TB, i int) *key.Secret {
	t.Helper()
	s, err := key.Generate(bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publicText(s *key.Secret) string {
	return base64.StdEncoding.EncodeToString(s.Public().Bytes()[1:])
}

// nameOf is "a" to "z", then "a1" and so on.
func nameOf(i int) string {
	if i < 26 {
		return string(rune('a' + i))
	}
	return fmt.Sprintf("%c%d", 'a'+i%26, i/26)
}

func newClub(t testing.TB, n int) club {
	t.Helper()
	c := club{secrets: make(map[string]*key.Secret)}
	var text strings.Builder
	for i := range n {
		s := secretOf(t, i)
		c.secrets[nameOf(i)] = s
		fmt.Fprintf(&text, "node=%s key=%s watch=192.0.2.%d:8154 bgp=192.0.2.%d:8155\n", nameOf(i), publicText(s), i+1, i+1)
	}
	var err error
	if c.Nodes, err = ParseNodes(strings.NewReader(text.String())); err != nil {
		t.Fatal(err)
	}
	return c
}

// vote is one that counts, but for what the changes do to it.
func vote(from string, seq uint64, at time.Time, changes ...func(*Vote)) Vote {
	v := Vote{From: from, Boot: 7, Seq: seq, Time: at, Victim: "a", Prefix: p4, Lease: 20 * time.Second, Well: true}
	for _, change := range changes {
		change(&v)
	}
	return v
}

func unwell(v *Vote) { v.Well = false }

func (c club) signVote(t testing.TB, v Vote) []byte {
	t.Helper()
	b, err := c.SignVote(c.secrets[v.From], v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c club) signHeartbeat(t testing.TB, h Heartbeat) []byte {
	t.Helper()
	b, err := c.SignHeartbeat(c.secrets[h.From], h)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func heartbeat() Heartbeat {
	return Heartbeat{
		From: "b", Boot: 7, Seq: 9, Time: start, Config: [8]byte{1, 2, 3, 4, 5, 6, 7, 8},
		Prefixes: []PrefixState{{p4, Announced}, {p6, Failing}}, Well: true, Sees: []string{"a", "c"},
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (got == nil) != (want == nil) {
		t.Errorf("error %v, want %v", got, want)
	}
}
