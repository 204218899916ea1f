package leveldb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"namecast/lib/ldb/ldbtest"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// A sample is a database whose contents follow from its position: change i is
// the next of account i%sampleAccounts and leaves i in two RRsets.
const (
	sampleAccounts = 20
	sampleChanges  = 300
)

// sampleOptions make tables early, so that there is some of every file.
var sampleOptions = Options{WriteBuffer: 48 << 10}

func sampleChange(i int) store.Change {
	a, version := storetest.Account(i%sampleAccounts), uint64(i/sampleAccounts)+1
	text := rr.Data(fmt.Sprintf("%d %s", i, strings.Repeat("x", i%97)))
	return storetest.Change(a, version, storetest.Set("www", 16, text), storetest.Set("a.b", 16, text))
}

// sampleFolder makes the database, closes it and gives its files.
func sampleFolder(t *testing.T) map[string][]byte {
	dir := filepath.Join(t.TempDir(), "sample")
	for part := range 3 {
		db := open(t, dir, sampleOptions)
		for i := part * sampleChanges / 3; i < (part+1)*sampleChanges/3; i++ {
			if _, err := db.Commit(t.Context(), sampleChange(i)); err != nil {
				t.Fatal(err)
			}
		}
		db.fail(errors.New("so that the end writes nothing, and leaves the journal"))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return ldbtest.ReadFolder(t, dir)
}

// contents opens the folder, checks that it holds exactly the changes up to its
// position, and gives the position. An error is a refusal, at opening or at
// reading; wrong contents fail the test.
func contents(t *testing.T, dir string) (int, error) {
	t.Helper()
	db, err := Open(dir, sampleOptions)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	v, err := db.View()
	if err != nil {
		return 0, err
	}
	defer v.Release()
	at := int(v.Position())
	for n := range sampleAccounts {
		last := at - 1 - (at-1-n+sampleAccounts)%sampleAccounts // the account's last change
		if err := sampleAccount(t, v, n, last); err != nil {
			return 0, err
		}
	}
	if at == 0 {
		return 0, nil
	}
	if err := checkLog(v.(*view).snap, v.(*view).snap.state, 0); err != nil {
		return at, db.readError(err)
	}
	return at, nil
}

func sampleAccount(t *testing.T, v store.View, n, last int) error {
	t.Helper()
	h, err := v.Head(storetest.Account(n))
	if last < 0 && errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if errors.Is(err, store.ErrNotFound) {
		t.Errorf("account %d is missing", n)
		return nil
	}
	if err != nil {
		return err
	}
	want := sampleChange(last)
	if h.Version != want.Head.Version {
		t.Errorf("account %d is at version %d, want %d", n, h.Version, want.Head.Version)
	}
	for _, set := range want.Put {
		got, _, err := v.Node(h.Account, set.Owner)
		if err != nil {
			return err
		}
		if len(got) != 1 || got[0].Data[0] != set.Data[0] {
			t.Errorf("account %d %s: got %v, want %v", n, set.Owner, got, set)
		}
	}
	return nil
}

// TestFlippedBits flips one bit at a time all over the database: it either
// opens with everything or refuses, and never leaves something out.
func TestFlippedBits(t *testing.T) {
	files := sampleFolder(t)
	kinds := make(map[string]int)
	refused, fine := make(map[string]int), make(map[string]int)
	for name, b := range files {
		kinds[filepath.Ext(name)]++
		step := max(1, len(b)/50)
		for at := 0; at < len(b); at++ {
			// All of the end, where a record looks as if it were cut off.
			if at%step != 0 && at < len(b)-40 {
				continue
			}
			b[at] ^= 1 << (at % 8)
			dir := ldbtest.WriteFolder(t, files)
			b[at] ^= 1 << (at % 8)
			got, err := contents(t, dir)
			switch {
			case err == nil && got != sampleChanges:
				t.Errorf("%s octet %d of %d: opens at position %d of %d", name, at, len(b), got, sampleChanges)
			case err == nil:
				fine[name]++
			case !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrFormat):
				t.Errorf("%s octet %d of %d: refused with %v", name, at, len(b), err)
			default:
				refused[name]++
			}
			os.RemoveAll(dir)
		}
	}
	t.Logf("flips refused %v, harmless %v", refused, fine)
	if kinds[".ldb"] == 0 || kinds[".log"] == 0 || len(refused) == 0 {
		t.Errorf("too little was tested: %v", kinds)
	}
}

// TestMissingFile takes one file away at a time.
func TestMissingFile(t *testing.T) {
	files := sampleFolder(t)
	for name, b := range files {
		delete(files, name)
		dir := ldbtest.WriteFolder(t, files)
		files[name] = b
		got, err := contents(t, dir)
		if err == nil && got != sampleChanges || err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Errorf("without %s: position %d, %v", name, got, err)
		}
	}
}

// TestTornTail cuts the newest journal off at many places, as a power cut may:
// the database opens with everything up to some change.
func TestTornTail(t *testing.T) {
	files := sampleFolder(t)
	name := ldbtest.Newest(files, ".log")
	b := files[name]
	least := sampleChanges
	for size := len(b); size >= 0; size -= 1 + len(b)/40 {
		files[name] = b[:size]
		got := cutOpens(t, files, fmt.Sprintf("%s cut to %d of %d octets", name, size, len(b)))
		if got > least || got < least-10 {
			t.Errorf("%s cut to %d octets: position %d after %d", name, size, got, least)
		}
		least = got
		// The file may have grown before all of its sectors came.
		sectors := size / 512 * 512
		files[name] = append(b[:sectors:sectors], make([]byte, 300)...)
		cutOpens(t, files, fmt.Sprintf("%s cut to %d of %d octets and zeros", name, sectors, len(b)))
	}
	if least == sampleChanges {
		t.Errorf("all cuts left position %d", least)
	}
}

// cutOpens opens a folder of the files and gives the position; a refusal is a failure.
func cutOpens(t *testing.T, files map[string][]byte, what string) int {
	t.Helper()
	dir := ldbtest.WriteFolder(t, files)
	defer os.RemoveAll(dir)
	got, err := contents(t, dir)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	again, err := contents(t, dir)
	if again != got || err != nil {
		t.Errorf("%s: position %d, then %d, %v", what, got, again, err)
	}
	return got
}

// TestTornManifest: half a record more is nothing; a record less is not silently
// accepted, because what it said has happened.
func TestTornManifest(t *testing.T) {
	files := sampleFolder(t)
	name := ldbtest.Newest(files, "MANIFEST")
	b := files[name]
	files[name] = append(b[:len(b):len(b)], "abcd\x40\x00\x01half a record"...)
	if got := cutOpens(t, files, "half a record more"); got != sampleChanges {
		t.Errorf("half a record more: position %d", got)
	}
	for size := 0; size < len(b); size += 3 {
		files[name] = b[:size]
		dir := ldbtest.WriteFolder(t, files)
		got, err := contents(t, dir)
		if err == nil && got != sampleChanges || err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Errorf("cut to %d of %d octets: position %d, %v", size, len(b), got, err)
		}
		os.RemoveAll(dir)
	}
}

// TestCutInOlderJournal: only the newest journal can have been under way.
func TestCutInOlderJournal(t *testing.T) {
	files := sampleFolder(t)
	name := ldbtest.Newest(files, ".log")
	b := files[name]
	files[name] = b[:len(b)-5]
	files["900000.log"] = nil
	if _, err := contents(t, ldbtest.WriteFolder(t, files)); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}
