package frame

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/chain"
)

var update = flag.Bool("update", false, "rewrite testdata/frames.txt")

func sampleHash(c byte) (h chain.Hash) { copy(h[:], bytes.Repeat([]byte{c}, len(h))); return }

func sampleRequest(c byte) (r chain.RequestID) { copy(r[:], bytes.Repeat([]byte{c}, len(r))); return }

var (
	conds = []chain.Cond{
		{Kind: chain.AtVersion, Key: []byte("a"), Version: 300},
		{Kind: chain.Exists, Key: []byte("b")},
	}
	ops = []chain.Op{
		{Kind: chain.Put, Key: []byte("a"), Value: []byte("value")},
		{Kind: chain.Delete, Key: []byte("b")},
	}
	records = []chain.Record{
		{LSN: 1 << 40, Epoch: 7, Request: sampleRequest(1), Base: 1<<40 - 2, Conds: conds, Ops: ops, Hash: sampleHash(2)},
		{LSN: 1<<40 + 1, Epoch: 7, Request: sampleRequest(3), Ops: ops[:1], Hash: sampleHash(4)},
	}
	outcomes = []chain.Outcome{
		{Verdict: chain.Applied, LSN: 1 << 40},
		{Verdict: chain.Conflict, LSN: 1<<40 + 1, Cond: 1, Version: 299},
	}
	node = chain.Member{Node: "n1", Inc: 12}
)

// samples has every message, some in two forms.
var samples = []chain.Message{
	chain.Propose{ID: 9, Request: sampleRequest(1), Base: 300, Conds: conds, Ops: ops, Forwarded: true},
	chain.Propose{ID: 9, Request: sampleRequest(1), Ops: ops[:1]},
	chain.ProposeReply{ID: 9, Status: chain.Done, Outcome: outcomes[1]},
	chain.ProposeReply{ID: 9, Status: chain.NotHead, Head: node},
	chain.Hello{Last: 301, Commit: 300},
	chain.Append{Prev: 1<<40 - 1, PrevHash: sampleHash(5), Records: records, Commit: 1<<40 - 2},
	chain.Append{Prev: 1, PrevHash: sampleHash(6), Commit: 1},
	chain.Ack{Last: 4, LastHash: sampleHash(7), Durable: 3, Commit: 2},
	chain.VersionQuery{ID: 10},
	chain.VersionReply{ID: 10, OK: true, Commit: 128},
	chain.Confirm{ID: 11},
	chain.ConfirmReply{ID: 11, Tail: true, Commit: 127},
	chain.StaleEpoch{},
	chain.Fence{ID: 12, Epoch: 6},
	chain.FenceReply{ID: 12, Epoch: 6},
	chain.SnapBegin{ID: 13, LSN: 1000, Hash: sampleHash(8)},
	chain.SnapChunk{ID: 13, Seq: 0, Items: []chain.Item{{Key: []byte("a"), Value: []byte("v"), Version: 9}},
		Requests: []chain.Remembered{{Request: sampleRequest(9), Outcome: outcomes[0]}}},
	chain.SnapChunk{ID: 13, Seq: 1},
	chain.SnapEnd{ID: 13, Chunks: 2},
	chain.SnapAck{ID: 13, Next: 2, Done: true},
	chain.Subscribe{ID: 14, After: 1000, Hash: sampleHash(8)},
	chain.FeedBatch{ID: 14, Records: records, Outcomes: outcomes},
	chain.FeedAck{ID: 14, LSN: 1001},
	chain.FeedPing{ID: 14, Ping: 3},
	chain.FeedHeartbeat{ID: 14, Ping: 3, LSN: 1001},
	chain.FeedEnd{ID: 14},
	chain.Read{ID: 15, Mode: chain.Bounded, MaxAge: time.Second, MaxLag: 5, MinLSN: 4, Keys: [][]byte{[]byte("a"), nil}},
	chain.Read{ID: 15, Mode: chain.Strong, Keys: [][]byte{[]byte("a")}},
	chain.ReadReply{ID: 15, Status: chain.Done, LSN: 9, Values: []chain.Value{{Found: true, Version: 9, Data: []byte("v")}, {}}},
	chain.ReadReply{ID: 15, Status: chain.NotServing},
	chain.TableQuery{ID: 16, Have: 900},
	chain.Table{ID: 16, Revision: 901, Sites: []chain.Site{{Node: "n1", Addr: "192.0.2.1:7153", Zone: "a/1", Live: true}, {Node: "n2"}},
		Rows: []chain.Row{{Chain: 255, Epoch: 7, Members: []chain.Member{node, {Node: "n2", Inc: 1}}, Recruit: chain.Member{Node: "n3", Inc: 4}, Restored: 3}}},
	chain.Table{ID: 16, Revision: 901},
	chain.SyncQuery{ID: 17},
	chain.SyncReply{ID: 17, Subscribers: []chain.Subscriber{{Name: "s1", LSN: 1000}, {Name: "s2", LSN: 999, Gone: time.Second}}},
	chain.Ask{ID: 18, What: "status"},
	chain.Told{ID: 18, OK: true, Text: []byte("fine")},
}

// envelope puts a message into the chain and the epoch of the golden files.
func envelope(m chain.Message) chain.Envelope {
	return chain.Envelope{Chain: 255, Epoch: 7, From: node, Body: m}
}

// frames gives every frame of version 1, by its line in the golden file.
func frames(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	add := func(name string, b []byte, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = b
	}
	hello, err := Append(nil, Header{Type: TypeHandshake}, AppendHandshake(nil, handshake))
	add("handshake", hello, err)
	ping, err := Append(nil, Header{Type: TypePing}, nil)
	add("ping", ping, err)
	bye, err := Append(nil, Header{Type: TypeBye}, AppendBye(nil, Bye{ByeFull, "full"}))
	add("bye", bye, err)
	for i, m := range samples {
		b, err := AppendMessage(nil, envelope(m))
		add(fmt.Sprintf("%02d %s", i, reflect.TypeOf(m).Name()), b, err)
	}
	return all
}

const goldenFile = "testdata/frames.txt"

// TestGolden holds the octets of every frame to those in the file: what one
// version wrote, the next one writes.
func TestGolden(t *testing.T) {
	got := frames(t)
	if *update {
		var b strings.Builder
		b.WriteString("# Every kind of frame in version 1: name, then the octets. Written by go test -update.\n")
		for _, name := range sortedKeys(got) {
			fmt.Fprintf(&b, "%s\n%s\n", name, hex.EncodeToString(got[name]))
		}
		if err := os.WriteFile(goldenFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
	want := map[string][]byte{}
	for i := 0; i+1 < len(lines); i += 2 {
		if want[lines[i]], err = hex.DecodeString(lines[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-file +now):\n%s", diff)
	}
	for i, m := range samples {
		name := fmt.Sprintf("%02d %s", i, reflect.TypeOf(m).Name())
		f, size, err := Parse(want[name])
		if err != nil || size != len(want[name]) {
			t.Fatalf("%s: %v", name, err)
		}
		e, err := ParseMessage(f, node)
		if diff := cmp.Diff(envelope(m), e); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// TestEveryMessage finds messages of package chain that are not in samples, and
// with them those that have no encoding.
func TestEveryMessage(t *testing.T) {
	have := map[string]bool{}
	for _, m := range samples {
		have[reflect.TypeOf(m).Name()] = true
	}
	n := 0
	for _, name := range []string{"../messages.go", "../cluster.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "message" {
				continue
			}
			n++
			if name := f.Recv.List[0].Type.(*ast.Ident).Name; !have[name] {
				t.Errorf("%s is not among the samples", name)
			}
		}
	}
	if n != len(have) {
		t.Errorf("%d messages in package chain, %d here", n, len(have))
	}
}
