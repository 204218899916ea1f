package store_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/rr"
	"namecast/lib/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// contents is a store's contents without a store.
type contents struct{ store.View }

func list[T any](items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range items {
			if !yield(x, nil) {
				return
			}
		}
	}
}

var (
	second = store.Head{Account: "xyz", Version: 1, KeyID: "xyz"}
	key    = store.AccountKey{KeyID: "def", Account: "abc"}
	domain = store.DomainClaim{Domain: rr.MustName("example.com"), Claim: claim}
)

func (contents) Position() store.Position                    { return 1234 }
func (contents) Accounts() iter.Seq2[store.Head, error]      { return list(head, second) }
func (contents) Claims() iter.Seq2[store.DomainClaim, error] { return list(domain) }
func (contents) Keys() iter.Seq2[store.AccountKey, error]    { return list(key) }
func (contents) Sets(a string, _ rr.Name) iter.Seq2[rr.Set, error] {
	if a == head.Account {
		return list(set)
	}
	return list[rr.Set]()
}

func backup(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := store.WriteBackup(t.Context(), contents{}, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readBackup gives everything in a stream.
func readBackup(r io.Reader) (p store.Position, items []store.Item, err error) {
	b, err := store.OpenBackup(r)
	if err != nil {
		return 0, nil, err
	}
	for item, err := range b.Items() {
		if err != nil {
			return 0, nil, err
		}
		items = append(items, item)
	}
	return b.Position(), items, nil
}

func TestBackup(t *testing.T) {
	stream := backup(t)
	name := filepath.Join("testdata", "backup1")
	if *update {
		if err := os.WriteFile(name, stream, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, stream) {
		t.Errorf("the stream differs from %s:\n%x\n%x", name, golden, stream)
	}
	want := []store.Item{
		{Head: &head}, {Set: &set, Account: "abc"}, {Head: &second}, {Key: &key}, {Claim: &domain},
	}
	p, items, err := readBackup(iotest.OneByteReader(bytes.NewReader(golden)))
	if err != nil || p != 1234 {
		t.Errorf("position %d, %v", p, err)
	}
	if d := cmp.Diff(want, items); d != "" {
		t.Errorf("items (-want +got):\n%s", d)
	}
}

// TestBackupDamage: every cut and every altered octet is found.
func TestBackupDamage(t *testing.T) {
	stream := backup(t)
	for at := range stream {
		if _, _, err := readBackup(bytes.NewReader(stream[:at])); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("cut to %d of %d octets: %v", at, len(stream), err)
		}
		for bit := range 8 {
			stream[at] ^= 1 << bit
			_, _, err := readBackup(bytes.NewReader(stream))
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrFormat) {
				t.Errorf("bit %d of octet %d of %d altered: %v", bit, at, len(stream), err)
			}
			stream[at] ^= 1 << bit
		}
	}
}

func TestBackupErrors(t *testing.T) {
	stream := string(backup(t))
	broken := errors.New("broken pipe")
	cases := []struct {
		name, text string
		r          io.Reader
		want       error
	}{
		{"nothing", "entry 1 at octet 0: cut off", strings.NewReader(""), store.ErrDamaged},
		{"something else", `it does not begin with "namecast backup "`, strings.NewReader("PK\x03\x04 zip"), store.ErrDamaged},
		{"newer", `it has format "2", this program reads "1"`, strings.NewReader("namecast backup 2\nxyz"), store.ErrFormat},
		{"cut off", "cut off", strings.NewReader(stream[:len(stream)-1]), store.ErrDamaged},
		{"longer", "more octets after the end", strings.NewReader(stream + "x"), store.ErrDamaged},
		{"length without octets", "impossible length", strings.NewReader("namecast backup 1\np\xff\xff\xff\xff\x7f"), store.ErrDamaged},
		{"reader", "broken pipe", iotest.ErrReader(broken), broken},
		{"reader, later", "broken pipe", io.MultiReader(strings.NewReader(stream[:40]), iotest.ErrReader(broken)), broken},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := readBackup(c.r)
			if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "read backup: ") || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzBackup(f *testing.F) {
	stream := backup(f)
	f.Add(stream)
	f.Add(stream[:len(stream)/2])
	f.Add([]byte("namecast backup 1\np\x01\x00\xaa\xaa\xaa\xaa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, err := readBackup(bytes.NewReader(b))
		if err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrFormat) {
			t.Error(err)
		}
	})
}
