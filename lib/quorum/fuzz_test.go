package quorum

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"namecast/lib/key"
)

// goldens are the datagrams of testdata.
func goldens(f *testing.F, kind string) (all [][]byte) {
	f.Helper()
	text, err := os.ReadFile("testdata/datagrams.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if digits, ok := strings.CutPrefix(line, kind+" "); ok {
			b, err := hex.DecodeString(strings.TrimSpace(digits))
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}

// unsigned is a datagram without its signature, which a fuzzer cannot make.
func unsigned(b []byte) []byte { return b[:max(0, len(b)-key.SignatureSize)] }

// FuzzOpenVote checks that what is read has one form: written again it is the same
// octets. Signatures are left out but for that nothing forged is taken.
func FuzzOpenVote(f *testing.F) {
	for _, b := range goldens(f, "vote") {
		f.Add(b)
	}
	c := newClub(f, 3)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := readVote(b)
		if err != nil {
			if _, err := c.OpenVote(b); err == nil {
				t.Fatal("opened, though it cannot be read")
			}
			return
		}
		again, err := appendVote(nil, v)
		if err != nil || !bytes.Equal(again, unsigned(b)) {
			t.Fatalf("%v: %x\nwritten again %x", err, unsigned(b), again)
		}
		if opened, err := c.OpenVote(b); err == nil && !bytes.Equal(c.signVote(t, opened), b) {
			t.Fatalf("forged: %x", b)
		}
	})
}

// FuzzOpenHeartbeat is the same of heartbeats; of the nodes seen, those are
// compared that are known.
func FuzzOpenHeartbeat(f *testing.F) {
	for _, b := range goldens(f, "heartbeat") {
		f.Add(b)
	}
	c := newClub(f, 3)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ids, err := readHeartbeat(b)
		if err != nil {
			if _, err := c.OpenHeartbeat(b); err == nil {
				t.Fatal("opened, though it cannot be read")
			}
			return
		}
		h.Sees = c.names(ids, h.From)
		again, err := c.appendHeartbeat(nil, h)
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Sees) == len(ids) && !bytes.Equal(again, unsigned(b)) {
			t.Fatalf("%x\nwritten again %x", unsigned(b), again)
		}
		if opened, err := c.OpenHeartbeat(b); err == nil && !bytes.Equal(c.signHeartbeat(t, opened), b) {
			t.Fatalf("forged: %x", b)
		}
	})
}

// FuzzParseNodes checks that every list that is taken keeps its promises.
func FuzzParseNodes(f *testing.F) {
	k := publicText(secretOf(f, 0))
	f.Add("node=a key=" + k + " watch=192.0.2.1:8154 bgp=192.0.2.1:8155 dns=192.0.2.1:53\n")
	f.Add("node=a key=" + k + " watch='[fe80::1%eth0]:8154' # two\nnode=b-2._ key=" + publicText(secretOf(f, 1)) + " watch=[::1]:1\n")
	f.Fuzz(func(t *testing.T, text string) {
		ns, err := ParseNodes(strings.NewReader(text))
		if err != nil {
			return
		}
		if ns.Len() < 1 || ns.Len() > MaxNodes || ns.Quorum() > ns.Len() || 2*ns.Quorum() <= ns.Len() {
			t.Fatalf("%d nodes, quorum %d", ns.Len(), ns.Quorum())
		}
		for _, n := range ns.All() {
			if got, ok := ns.Get(n.Name); !ok || got != n || !isName(n.Name) || n.Key.IsZero() || !n.Watch.IsValid() {
				t.Fatalf("node %+v, got %+v", n, got)
			}
		}
	})
}
