package ldb

import (
	"bytes"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/journal"
)

// record gives n octets that no other n gives.
func record(n int) []byte { return bytes.Repeat([]byte{byte(n), byte(n >> 8), 7}, n/3+1)[:n] }

var recordSizes = []int{0, 1, 100, blockSize - 300, 2 * blockSize, 5, blockSize - 40, 90_000, 3}

// libraryJournal gives what the library's own writer makes of some records.
func libraryJournal(t testing.TB, sizes []int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := journal.NewWriter(&b)
	for _, n := range sizes {
		r, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write(record(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestScanJournal(t *testing.T) {
	b := libraryJournal(t, recordSizes)
	var got []int
	end, how := scanJournal(b, func(rec []byte) {
		if !bytes.Equal(rec, record(len(rec))) {
			t.Errorf("record of %d octets is altered", len(rec))
		}
		got = append(got, len(rec))
	})
	if how != whole || end != len(b) || len(got) != len(recordSizes) {
		t.Errorf("%d records, end %d of %d, ending %d", len(got), end, len(b), how)
	}
}

// TestScanEndings: what is cut off is torn, what is altered is broken, wherever
// it is.
func TestScanEndings(t *testing.T) {
	b := libraryJournal(t, recordSizes)
	ignore := func([]byte) {}
	for size := 0; size < len(b); size += 397 {
		end, how := scanJournal(b[:size], ignore)
		if how == broken || end > size {
			t.Fatalf("cut to %d octets: ending %d at %d", size, how, end)
		}
		if _, how := scanJournal(b[:end], ignore); how != whole {
			t.Fatalf("cut to %d octets: not whole up to %d", size, end)
		}
	}
	for at := 0; at < len(b); at += 211 {
		b[at] ^= 0x10
		if _, how := scanJournal(b, ignore); how == torn {
			t.Errorf("octet %d of %d altered: taken for a cut", at, len(b))
		}
		b[at] ^= 0x10
	}
}

func FuzzScanJournal(f *testing.F) {
	f.Add(libraryJournal(f, []int{3, 100}))
	f.Add(libraryJournal(f, []int{blockSize, 5}))
	f.Add(make([]byte, 600))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		end, how := scanJournal(b, func([]byte) { n++ })
		if end < 0 || end > len(b) {
			t.Fatalf("end %d of %d", end, len(b))
		}
		again := 0
		if end2, how2 := scanJournal(b[:end], func([]byte) { again++ }); end2 != end || how2 != whole || again != n {
			t.Errorf("ending %d at %d; cut there: ending %d at %d", how, end, how2, end2)
		}
	})
}

func FuzzJournalNumber(f *testing.F) {
	f.Add([]byte("\x01\x04test\x02\x0d\x03\x0e\x04\x10"))
	f.Add([]byte("\x07\x00\x05\x90\x4e\x01a\x01b\x09\x00\x06\x00\x05\x05\x01\x01c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// A record that says more names the same journal or another, not none.
		_, ok := journalNumber(b)
		n, ok2 := journalNumber(append(b[:len(b):len(b)], fieldJournal, 77))
		if ok && (!ok2 || n != 77) {
			t.Errorf("%x and journal 77: %d, %v", b, n, ok2)
		}
	})
}
