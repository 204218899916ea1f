package leveldb

import (
	"slices"
	"testing"

	"namecast/lib/store/storetest"
)

// TestIdleIteratorsAreRenewed: views share iterators, but not one for ever while
// nothing is written.
func TestIdleIteratorsAreRenewed(t *testing.T) {
	db, err := OpenMemory(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := commitNext(t, db, 1, 1); err != nil {
		t.Fatal(err)
	}
	read := func() {
		v, err := db.View()
		if err != nil {
			t.Fatal(err)
		}
		defer v.Release()
		if sets, _, err := v.Node(storetest.Account(1), "\x01x"); err != nil || len(sets) != 1 {
			t.Fatal(sets, err)
		}
	}
	read()
	read()
	first := slices.Clone(db.current.idle)
	if len(first) != 1 {
		t.Fatalf("%d idle iterators after two reads", len(first))
	}
	for range idleUses {
		read()
	}
	if slices.Contains(db.current.idle, first[0]) {
		t.Errorf("the first iterator is still in use after %d reads", idleUses)
	}
}
