package ldb

import (
	"bytes"
	"errors"
	"testing"
)

// A sink takes down what is written, synced and closed; it fails once it has limit
// octets, if that is not 0.
type sink struct {
	got            bytes.Buffer
	limit          int
	writes, synced int // synced is octets
	closed         bool
}

var errFull = errors.New("full")

func (s *sink) Write(b []byte) (int, error) {
	if s.writes++; s.limit > 0 && s.got.Len()+len(b) > s.limit {
		return 0, errFull
	}
	return s.got.Write(b)
}

func (s *sink) Sync() error  { s.synced = s.got.Len(); return nil }
func (s *sink) Close() error { s.closed = true; return nil }

// TestTableWrites: a table's blocks are written many at a time, and all of them are
// there when it is synced.
func TestTableWrites(t *testing.T) {
	s := &sink{}
	w := newTable(s)
	var want []byte
	for i := range 1000 {
		block := bytes.Repeat([]byte{byte(i)}, 3900+i%7)
		want = append(want, block...)
		if n, err := w.Write(block); n != len(block) || err != nil {
			t.Fatalf("block %d: %d octets, %v", i, n, err)
		}
	}
	if err := w.Sync(); err != nil || s.synced != len(want) || !bytes.Equal(s.got.Bytes(), want) {
		t.Errorf("synced %d octets of %d: %v", s.synced, len(want), err)
	}
	if most := len(want)/tableBuffer + 1; s.writes > most {
		t.Errorf("%d writes, at most %d are needed", s.writes, most)
	}
}

// TestTableGivenUp: the error of a full disk is told at the latest by Sync, which then
// syncs nothing, and the file can be closed to be deleted.
func TestTableGivenUp(t *testing.T) {
	s := &sink{limit: 100}
	w := newTable(s)
	if _, err := w.Write(make([]byte, 200)); err != nil {
		t.Fatal(err)
	}
	if err := w.Sync(); !errors.Is(err, errFull) || s.synced != 0 {
		t.Errorf("the sync of what is not written: %v, %d octets", err, s.synced)
	}
	if err := w.Close(); err != nil || !s.closed {
		t.Errorf("close: %v", err)
	}
}
