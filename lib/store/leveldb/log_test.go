package leveldb

import (
	"errors"
	"strings"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// logState gives what the log covers now, having checked all of it.
func logState(t *testing.T, db *DB) state {
	t.Helper()
	v, err := db.view()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	st := v.snap.state
	if err := checkLog(v.snap, st, 0); err != nil {
		t.Error(err)
	}
	var octets uint64
	for p, err := range v.scan([]byte(prefixLog)) {
		if err != nil {
			t.Fatal(err)
		}
		octets += uint64(len(p.value))
	}
	if octets != st.LogBytes {
		t.Errorf("the log has %d octets, the state says %d", octets, st.LogBytes)
	}
	return st
}

func TestLogBounds(t *testing.T) {
	cases := []struct {
		name        string
		o           Options
		data        int
		least, most uint64 // changes kept after 500
	}{
		{"by number", Options{Log: 100}, 10, 100, 107},
		{"by octets", Options{LogBytes: 20_000}, 1000, 10, 20},
		{"one", Options{Log: 1}, 10, 1, 2},
		{"everything", Options{}, 10, 500, 500},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, err := OpenMemory(c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			set := storetest.Set("x", 16, rr.Data(strings.Repeat("x", c.data)))
			for version := uint64(1); version <= 500; version++ {
				if _, err := db.Commit(t.Context(), storetest.Change("a", version, set)); err != nil {
					t.Fatal(err)
				}
			}
			st := logState(t, db)
			if n := uint64(st.Position + 1 - st.LogStart); n < c.least || n > c.most {
				t.Errorf("%d changes kept, want %d to %d", n, c.least, c.most)
			}
		})
	}
}

// TestCheckLog: an entry that is missing, altered or too many is found.
func TestCheckLog(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(*DB) error
	}{
		{"missing", func(db *DB) error { return db.ldb.Delete(logKey(5), nil) }},
		{"last missing", func(db *DB) error { return db.ldb.Delete(logKey(10), nil) }},
		{"one more", func(db *DB) error { return db.ldb.Put(logKey(11), make([]byte, 20), nil) }},
		{"exchanged", func(db *DB) error {
			v, err := db.ldb.Get(logKey(6), nil)
			return errors.Join(err, db.ldb.Put(logKey(5), v, nil))
		}},
		{"empty", func(db *DB) error { return db.ldb.Put(logKey(5), nil, nil) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, err := OpenMemory(Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for version := uint64(1); version <= 10; version++ {
				if _, err := db.Commit(t.Context(), storetest.Change("a", version)); err != nil {
					t.Fatal(err)
				}
			}
			st := logState(t, db)
			if err := c.spoil(db); err != nil {
				t.Fatal(err)
			}
			if err := checkLog(db.ldb, st, 0); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("got %v", err)
			}
		})
	}
}
