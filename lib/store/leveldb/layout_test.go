package leveldb

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares every entry that a known history leaves with a file. A
// difference means that databases in use would no longer be understood.
func TestGolden(t *testing.T) {
	db, err := OpenMemory(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	goldenHistory(t, db)
	v, err := db.view()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	var got strings.Builder
	for p, err := range v.scan(nil) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%q\n\t%x\n", p.key, p.value)
	}
	name := filepath.Join("testdata", "format1.txt")
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}

func goldenHistory(t *testing.T, db *DB) {
	t.Helper()
	a, domain := storetest.Account(1), rr.MustName("example.com")
	first := storetest.Change(a, 1,
		storetest.Set("@", 1, "\x7f\x00\x00\x01"), storetest.Set("Www", 1, "\x7f\x00\x00\x01", "\x7f\x00\x00\x02"),
		storetest.Set(`a.\000b\001.*`, 16, "\x04text"), storetest.Set("gone", 65280, ""))
	second := storetest.Change(a, 2)
	second.Head.KeyID = storetest.Account(2)
	second.Head.Domains = []store.Domain{{Name: domain, Contact: rr.MustName("host.example"), TTL: 3600}}
	second.Delete = []store.SetKey{{Owner: rr.MustName("gone"), Type: 65280}}
	for _, c := range []store.Change{first, second} {
		if _, err := db.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for version := range uint64(2) {
		c := store.Claim{Version: version + 1, Account: a, Previous: strings.Repeat("b", int(version))}
		if _, err := db.SetClaim(t.Context(), domain, version, c); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSetKeyOrder(t *testing.T) {
	// Each stands before the next.
	owners := []string{
		"@", `\000`, `\000\000`, `\001`, `\001\000`, `\002`, "a", "z.a", "a.z.a", "b.z.a", "a-b", "aa", "b", "*.b", `\255`,
	}
	var last []byte
	for _, o := range owners {
		for _, typ := range []rr.Type{1, 16, 256} {
			key := appendSetKey(nil, "x", rr.MustName(o), typ)
			if bytes.Compare(last, key) >= 0 {
				t.Errorf("%s %s does not stand after what is before it: %q, %q", o, typ, last, key)
			}
			last = key
		}
	}
}

func FuzzSetKey(f *testing.F) {
	for _, o := range []string{"@", "www", `\000\001.a`, "*.b.c"} {
		f.Add(appendSetKey(nil, "x", rr.MustName(o), 1))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		account, owner, typ, err := parseSetKey(key)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%q: %v", key, err)
			}
			return
		}
		if again := appendSetKey(nil, account, owner, typ); !bytes.Equal(key, again) {
			t.Errorf("%q is read as %q %q %d, which is %q", key, account, string(owner), typ, again)
		}
	})
}

// FuzzTree: one name's keys have another name's prefix exactly if it is at or
// under it.
func FuzzTree(f *testing.F) {
	f.Add("\x01a\x01b", "\x01b")
	f.Add("\x01\x00", "\x01\x01")
	f.Add("\x02\x00\x01\x01b", "\x01B")
	f.Fuzz(func(t *testing.T, x, y string) {
		a, b := rr.Name(x), rr.Name(y)
		if a.Check() != nil || b.Check() != nil {
			return
		}
		key, node := appendSetKey(nil, "x", a, 1), appendNode(nil, "x", b)
		if got := bytes.HasPrefix(key, node); got != a.Under(b) {
			t.Errorf("%s under %s: %v by the names, %v by the keys", a, b, a.Under(b), got)
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add(state{LogStart: 1}.append(nil))
	f.Add(state{Position: 1 << 40, Chain: chain{1, 2}, LogStart: 300, LogBytes: 1 << 20}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, err := parseState(b)
		if err == nil && !bytes.Equal(b, st.append(nil)) {
			t.Errorf("%x is read as %+v", b, st)
		}
		if err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Error(err)
		}
	})
}
