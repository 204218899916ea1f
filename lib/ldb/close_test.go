package ldb

import (
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// TestClose: what was written is there after either way to close.
func TestClose(t *testing.T) {
	files := storage.NewMemStorage()
	for n, failed := range []bool{false, true, false} {
		db, _, err := Open(files, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Put([]byte{byte(n)}, []byte("here"), nil); err != nil {
			t.Fatal(err)
		}
		for before := range n + 1 {
			if v, err := db.Get([]byte{byte(before)}, nil); err != nil || string(v) != "here" {
				t.Errorf("round %d: %d is %q, %v", n, before, v, err)
			}
		}
		if err := Close(db, failed); err != nil {
			t.Fatal(err)
		}
	}
}
