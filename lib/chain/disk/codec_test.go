package disk

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

var update = flag.Bool("update", false, "write the golden file")

// openMemory opens an empty database in memory.
func openMemory(t testing.TB, o Options) *Disk {
	t.Helper()
	d, err := openStorage("in memory", storage.NewMemStorage(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// goldenBatches have something of everything that is kept.
func goldenBatches() []replica.Batch {
	row := chain.Row{
		Chain: 258, Epoch: 300, Restored: 7,
		Members: []chain.Member{{Node: "n1", Inc: 7}, {Node: "n2", Inc: 1 << 40}},
		Recruit: chain.Member{Node: "n3", Inc: 1},
	}
	one := chain.Record{
		LSN: 1, Epoch: 300, Request: chain.RequestID{1, 2, 3}, Base: 0,
		Conds: []chain.Cond{{Kind: chain.AtVersion, Key: []byte("a/x"), Version: 129}, {Kind: chain.Exists, Key: []byte("o/y")}},
		Ops:   []chain.Op{{Kind: chain.Put, Key: []byte("a/x"), Value: []byte("value")}, {Kind: chain.Delete, Key: []byte("k/z")}},
	}
	one.Hash = one.Sum(chain.Hash{})
	two := chain.Record{LSN: 2, Epoch: 301, Request: chain.RequestID{4}, Base: 1, Ops: []chain.Op{{Kind: chain.Put}}}
	two.Hash = two.Sum(one.Hash)
	return []replica.Batch{
		{Seq: 1, Wipe: true, Meta: &replica.Meta{Inc: 7, Copying: true, Row: row}},
		{Seq: 2, Meta: &replica.Meta{Inc: 7, Row: row}, Records: []chain.Record{one, two}},
		{
			Seq: 3, Sync: true, Moved: true, State: 1, Hash: one.Hash,
			Items:   []chain.Item{{Key: []byte("k/z"), Value: []byte("gone"), Version: 1}, {Key: []byte("z\x00\xff"), Version: 1 << 33}},
			Changes: []replica.Change{{Item: chain.Item{Key: []byte("a/x"), Value: []byte("value"), Version: 1}}, {Item: chain.Item{Key: []byte("k/z")}, Delete: true}},
			Remembered: []chain.Remembered{
				{Request: one.Request, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: 1}},
				{Request: two.Request, Outcome: chain.Outcome{Verdict: chain.Conflict, LSN: 2, Cond: 1, Version: 200}},
			},
		},
	}
}

// TestGolden: what is on the disk has the form that it had when the format was
// fixed. Another form is another format.
func TestGolden(t *testing.T) {
	d := openMemory(t, Options{})
	for _, b := range goldenBatches() {
		d.Write(0x81, b)
	}
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	it := d.ldb.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		fmt.Fprintf(&got, "%x %x\n", it.Key(), it.Value())
	}
	const name = "testdata/format1.txt"
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || got.String() != string(want) {
		t.Errorf("%v; got\n%s\nwant\n%s", err, got.String(), want)
	}
}

// FuzzValues: what can be read is written in the same octets again, so nothing has
// two forms.
func FuzzValues(f *testing.F) {
	for _, b := range goldenBatches() {
		for i := range b.Records {
			f.Add(byte(0), appendRecord(nil, &b.Records[i]))
		}
		if b.Meta != nil {
			f.Add(byte(1), appendMeta(nil, b.Meta))
		}
		for i := range b.Items {
			f.Add(byte(2), appendValue(nil, &b.Items[i]))
		}
		for i := range b.Remembered {
			f.Add(byte(3), appendRemembered(nil, &b.Remembered[i]))
			f.Add(byte(4), appendOutcome(nil, b.Remembered[i].Outcome))
		}
	}
	f.Add(byte(5), appendPlace(nil, empty(0)))
	f.Add(byte(5), appendPlace(nil, place{gen: 900, oldest: 3, first: 5, last: 700, state: 699, forgot: 2}))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		if again, ok := rewrite(kind%6, b); ok && !bytes.Equal(again, b) {
			t.Errorf("kind %d: %x is written as %x", kind%6, b, again)
		}
	})
}

// rewrite reads a value and writes it again.
func rewrite(kind byte, b []byte) (again []byte, ok bool) {
	switch kind {
	case 0:
		v, ok := parseRecord(5, b)
		return appendRecord(nil, &v), ok
	case 1:
		v, ok := parseMeta(b)
		return appendMeta(nil, &v), ok
	case 2:
		v, ok := parseItem([]byte("key"), b)
		return appendValue(nil, &v), ok
	case 3:
		v, ok := parseRemembered(b)
		return appendRemembered(nil, &v), ok
	case 4:
		v, ok := parseOutcome(b)
		return appendOutcome(nil, v), ok
	}
	v, ok := parsePlace(b)
	return appendPlace(nil, v), ok
}
