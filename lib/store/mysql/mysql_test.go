package mysql

import (
	"path/filepath"
	"testing"

	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

func openStore(t testing.TB, dir string, a Address, o leveldb.Options) *Store {
	t.Helper()
	s, err := Open(dir, Options{Address: a, Service: testService(), Replica: o})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStore is the conformance suite.
func TestStore(t *testing.T) {
	type made struct {
		dir string
		at  Address
	}
	stores := map[store.Store]made{}
	opened := func(t *testing.T, m made, o leveldb.Options) store.Store {
		s := openStore(t, m.dir, m.at, o)
		stores[s] = m
		return s
	}
	empty := func(t *testing.T, o leveldb.Options) store.Store {
		return opened(t, made{filepath.Join(t.TempDir(), "db"), theServer(t).database(t)}, o)
	}
	storetest.Run(t, storetest.Harness{
		Open:  func(t *testing.T) store.Store { return empty(t, leveldb.Options{}) },
		Short: func(t *testing.T) store.Store { return empty(t, leveldb.Options{Log: 16}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return opened(t, stores[s], leveldb.Options{})
		},
	})
}
