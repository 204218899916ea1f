package leveldb

import (
	"path/filepath"
	"testing"

	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

func open(t testing.TB, dir string, o Options) *DB {
	t.Helper()
	db, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestStoreInFolder(t *testing.T) {
	dirs := make(map[store.Store]string)
	fresh := func(t *testing.T, o Options) store.Store {
		dir := filepath.Join(t.TempDir(), "db")
		db := open(t, dir, o)
		dirs[db] = dir
		return db
	}
	storetest.Run(t, storetest.Harness{
		Open:  func(t *testing.T) store.Store { return fresh(t, Options{}) },
		Short: func(t *testing.T) store.Store { return fresh(t, Options{Log: 16}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db := open(t, dirs[s], Options{})
			dirs[db] = dirs[s]
			return db
		},
	})
}

func TestStoreInMemory(t *testing.T) {
	fresh := func(t *testing.T, o Options) store.Store {
		db, err := OpenMemory(o)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	storetest.Run(t, storetest.Harness{
		Open:  func(t *testing.T) store.Store { return fresh(t, Options{}) },
		Short: func(t *testing.T) store.Store { return fresh(t, Options{Log: 16}) },
	})
}
