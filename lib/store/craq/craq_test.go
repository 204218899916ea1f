package craq

import (
	"path/filepath"
	"testing"

	"namecast/lib/chain/replica"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

func open(t testing.TB, dir string, c Chain, o leveldb.Options) *Store {
	t.Helper()
	s, err := Open(dir, c, Options{Service: "test", Replica: o})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// A made store and what it was made of.
type made struct {
	dir    string
	client func() Chain
}

// conform runs the conformance suite on stores of storages that fresh makes.
func conform(t *testing.T, fresh func(t *testing.T) func() Chain) {
	stores := map[store.Store]made{}
	opened := func(t *testing.T, m made, o leveldb.Options) store.Store {
		s := open(t, m.dir, m.client(), o)
		stores[s] = m
		return s
	}
	empty := func(t *testing.T, o leveldb.Options) store.Store {
		return opened(t, made{filepath.Join(t.TempDir(), "db"), fresh(t)}, o)
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

// TestStore is the conformance suite, on chains in memory.
func TestStore(t *testing.T) {
	conform(t, func(t *testing.T) func() Chain {
		c := newChains()
		return func() Chain { return c.client("a") }
	})
}

// TestStoreOfOneNode is the conformance suite, on a node of the storage.
func TestStoreOfOneNode(t *testing.T) { conformNodes(t, 1) }

// TestStoreOfThreeNodes is the conformance suite, on three nodes.
func TestStoreOfThreeNodes(t *testing.T) { conformNodes(t, 3) }

func conformNodes(t *testing.T, n int) {
	conform(t, func(t *testing.T) func() Chain {
		c := newNodes(t, n, replica.Options{})
		k := c.client()
		return func() Chain { return k }
	})
}
