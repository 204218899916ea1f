package craq

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/chain"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

var update = flag.Bool("update", false, "write the golden file anew")

// changeOf is a change with all that a change can have.
func changeOf() store.Change {
	c := storetest.Change(storetest.Account(1), 7, storetest.Set("Www.a", 1, "aaaa"), storetest.Set("@", 16, "\x01t"))
	c.Head.KeyID = storetest.Account(2)
	c.Head.Domains = []store.Domain{{Name: rr.MustName("example.com"), Contact: rr.MustName("Me.example"), TTL: 60}}
	c.Delete = []store.SetKey{
		{Owner: rr.MustName("low"), Type: 1}, {Owner: rr.MustName("UP"), Type: 16}, {Owner: rr.MustName("uP"), Type: 1},
	}
	return c
}

func record(t testing.TB, ops []chain.Op, err error) *chain.Record {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return &chain.Record{LSN: 9, Hash: chain.Hash{1, 2}, Ops: ops}
}

// TestRecord: what a record carries comes out as it went in.
func TestRecord(t *testing.T) {
	want := changeOf()
	ops, err := changeOps(&want, true)
	got, err := readRecord(3, record(t, ops, err))
	if err != nil {
		t.Fatal(err)
	}
	expect := leveldb.Followed{
		Chain: 3, Place: leveldb.Place{LSN: 9, Hash: [16]byte{1, 2}}, Change: &want, Keys: []string{storetest.Account(2)},
	}
	if d := cmp.Diff(expect, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestFormat: keys, values and chains are those of the golden file, which all
// versions of the program share.
func TestFormat(t *testing.T) {
	c := changeOf()
	ops, err := changeOps(&c, true)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value []byte) { ops = append(ops, chain.Op{Kind: chain.Put, Key: key, Value: value}) }
	domain := rr.MustName("example.com")
	put(reserveKey("abc"), []byte(storetest.Account(1)))
	put(claimKey(domain), store.AppendClaim(nil, store.Claim{Version: 2, Account: "abc", Previous: "def"}))
	put([]byte(keyRestore), mark{backup: [32]byte{7}}.append(nil))
	put([]byte(keyRestore), mark{backup: [32]byte{7}, done: true, start: 300}.append(nil))
	var b strings.Builder
	for _, op := range ops {
		fmt.Fprintf(&b, "%d %q %x\n", op.Kind, op.Key, op.Value)
	}
	for _, name := range []string{"abc", storetest.Account(1), string(domain)} {
		fmt.Fprintf(&b, "chain of %q: %d\n", name, chainOf(name))
	}
	path := filepath.Join("testdata", "format.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(golden), b.String()); d != "" {
		t.Errorf("(-golden +now):\n%s", d)
	}
}

// FuzzRecord: octets from the chain are refused or read, and what is read is
// what a database takes.
func FuzzRecord(f *testing.F) {
	c := changeOf()
	ops, err := changeOps(&c, true)
	for _, op := range record(f, ops, err).Ops {
		f.Add(op.Key, op.Value, false)
		f.Add(op.Key, op.Value, true)
	}
	f.Add(claimKey(rr.MustName("example.com")), store.AppendClaim(nil, store.Claim{Version: 2, Account: "abc"}), false)
	f.Add([]byte(keyRestore), mark{done: true, start: 300}.append(nil), false)
	f.Fuzz(func(t *testing.T, key, value []byte, del bool) {
		op := chain.Op{Kind: chain.Put, Key: key, Value: value}
		if del {
			op = chain.Op{Kind: chain.Delete, Key: key}
		}
		got, err := readRecord(0, &chain.Record{LSN: 1, Ops: []chain.Op{op}})
		if err != nil {
			return
		}
		if c := got.Change; c != nil && c.Head.Version > 0 {
			if err := c.Check(); err != nil {
				t.Errorf("a change that no store takes: %v", err)
			}
		}
		for _, n := range got.Notes {
			if n.Value == nil {
				continue
			}
			if m, err := parseMark(n.Value); err != nil || !bytes.Equal(m.append(nil), value) && m.done {
				t.Errorf("a mark that does not come out as it went in: %x, %v", value, err)
			}
		}
	})
}
