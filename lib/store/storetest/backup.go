package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
)

var domains = []rr.Name{rr.MustName("example.com"), rr.MustName("example.net")}

// fill puts a little of everything into a store.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	for n := range 20 {
		commit(t, s, Change(Account(n), 1,
			Set("@", 1, "aaaa", "bbbb"), Set("Www", 28, "0123456789abcdef"), Set(`\000.b.c`, 16, "\x01t")))
	}
	commit(t, s, rekey(Account(3), 2, Account(103)))
	commit(t, s, rekey(Account(3), 3, Account(104)))
	for i, d := range domains {
		if _, err := s.SetClaim(t.Context(), d, 0, store.Claim{Version: 1, Account: Account(i)}); err != nil {
			t.Fatal(err)
		}
	}
	c := Change(Account(0), 2)
	c.Head.Domains = []store.Domain{{Name: domains[0], Contact: rr.MustName("me.example"), TTL: 60}}
	commit(t, s, c)
}

// checkFill checks what only fill's rekeys and claims show.
func checkFill(t *testing.T, s store.Store) {
	t.Helper()
	look(t, s, func(v store.View) {
		h, err := v.HeadByKey(Account(103))
		if err != nil || h.Account != Account(3) {
			t.Errorf("dead key: %+v, %v", h, err)
		}
		if c, err := v.Claim(domains[1]); err != nil || c.Account != Account(1) {
			t.Errorf("claim without a head: %+v, %v", c, err)
		}
	})
	_, err := s.Commit(t.Context(), Change(Account(104), 1))
	wantErr(t, "account under a brought key", store.ErrKeyTaken, err)
	_, err = s.SetClaim(t.Context(), domains[0], 0, store.Claim{Version: 1, Account: Account(5)})
	wantErr(t, "claim again", store.Conflict{Version: 1}, err)
}

func testBackup(t *testing.T, h Harness) {
	src := h.Open(t)
	defer src.Close()
	fill(t, src)
	var stream bytes.Buffer
	if err := src.Backup(t.Context(), &stream); err != nil {
		t.Fatal(err)
	}
	t.Run("backup while writing", func(t *testing.T) { testBackupBusy(t, h) })
	t.Run("restore", func(t *testing.T) { testRestore(t, h, src, stream.Bytes()) })
	t.Run("restore into what is not empty", func(t *testing.T) {
		err := src.Restore(t.Context(), bytes.NewReader(stream.Bytes()))
		wantErr(t, "restore", store.ErrNotEmpty, err)
	})
	t.Run("restore damaged", func(t *testing.T) { testRestoreDamaged(t, h, stream.Bytes()) })
	t.Run("backup cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantErr(t, "backup", context.Canceled, src.Backup(ctx, &bytes.Buffer{}))
	})
	t.Run("backup to a full disk", func(t *testing.T) {
		wantErr(t, "backup", errFull, src.Backup(t.Context(), fullDisk{}))
	})
}

var errFull = errors.New("full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func testRestore(t *testing.T, h Harness, src store.Store, stream []byte) {
	s := h.Open(t)
	defer func() { s.Close() }()
	if err := s.Restore(t.Context(), bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	var want []any
	var from, to store.Position
	look(t, src, func(v store.View) { want, from = dump(t, v, domains...), v.Position() })
	look(t, s, func(v store.View) {
		diff(t, "restored", want, dump(t, v, domains...))
		to = v.Position()
	})
	if to < from {
		t.Errorf("position went back from %d to %d", from, to)
	}
	checkFill(t, s)
	if h.Reopen != nil {
		s = h.Reopen(t, s)
		look(t, s, func(v store.View) { diff(t, "restored and reopened", want, dump(t, v, domains...)) })
		checkFill(t, s)
	}
	if p := commit(t, s, Change(Account(0), 3)); p != to+1 {
		t.Errorf("the first commit after position %d has %d", to, p)
	}
	diff(t, "feed", to+1, follow(t, s, to, 1)[0].Position)
	for _, err := range s.Feed(within(t), from-1) {
		wantErr(t, "feed from before the backup", store.ErrTooOld, err)
	}
	for range 2 { // the second finds what the first wrote
		err := s.Restore(t.Context(), bytes.NewReader(stream))
		wantErr(t, "restore again", store.ErrNotEmpty, err)
	}
}

// testRestoreDamaged cuts the stream off and alters it all over: nothing may
// come of it, and the store takes the whole one afterwards.
func testRestoreDamaged(t *testing.T, h Harness, stream []byte) {
	s := h.Open(t)
	defer func() { s.Close() }()
	try := func(what string, at int, b []byte) {
		t.Helper()
		err := s.Restore(t.Context(), bytes.NewReader(b))
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrFormat) {
			t.Errorf("%s at octet %d of %d: %v", what, at, len(stream), err)
		}
		look(t, s, func(v store.View) {
			if v.Position() != 0 || len(dump(t, v)) > 0 {
				t.Fatalf("%s at octet %d left something", what, at)
			}
		})
	}
	for at := 0; at < len(stream); at += 1 + len(stream)/40 {
		try("cut off", at, stream[:at])
		altered := bytes.Clone(stream)
		altered[at] ^= 1 << (at % 8)
		try("altered", at, altered)
	}
	try("cut off", len(stream)-1, stream[:len(stream)-1])
	try("longer", len(stream), append(bytes.Clone(stream), 0))
	try("twice", len(stream), append(bytes.Clone(stream), stream...))
	if h.Reopen != nil {
		s = h.Reopen(t, s)
	}
	if err := s.Restore(t.Context(), bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	checkFill(t, s)
}

// testBackupBusy: a backup is of one position, whatever is written meanwhile.
func testBackupBusy(t *testing.T, h Harness) {
	src, dst := h.Open(t), h.Open(t)
	defer src.Close()
	defer dst.Close()
	a := Account(1)
	put := func(version uint64) store.Change {
		// Large enough that the backup is written in pieces.
		data := rr.Data(bytes.Repeat([]byte{byte(version)}, 50_000))
		return Change(a, version, Set("x", 16, data), Set("y", 16, data), Set("z", 16, data))
	}
	commit(t, src, put(1))
	w := &writeBetween{write: func(version uint64) { commit(t, src, put(version)) }, version: 1}
	if err := src.Backup(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if err := dst.Restore(t.Context(), &w.Buffer); err != nil {
		t.Fatal(err)
	}
	if w.version < 3 {
		t.Errorf("the backup was written in %d pieces", w.version-1)
	}
	look(t, dst, func(v store.View) {
		h, err := v.Head(a)
		if err != nil || h.Version != 1 {
			t.Errorf("head %+v, %v", h, err)
		}
		for _, s := range collect(t, v.Sets(a, "")) {
			if s.Data[0][0] != 1 {
				t.Errorf("%s is of version %d", s.Owner, s.Data[0][0])
			}
		}
	})
}

// writeBetween commits at each write of the backup.
type writeBetween struct {
	bytes.Buffer
	write   func(uint64)
	version uint64
}

func (w *writeBetween) Write(p []byte) (int, error) {
	w.version++
	w.write(w.version)
	return w.Buffer.Write(p)
}

func testReopen(t *testing.T, h Harness) {
	s := h.Open(t)
	defer func() { s.Close() }()
	fill(t, s)
	var want []any
	var at store.Position
	look(t, s, func(v store.View) { want, at = dump(t, v, domains...), v.Position() })
	for range 3 {
		s = h.Reopen(t, s)
		look(t, s, func(v store.View) {
			diff(t, "reopened", want, dump(t, v, domains...))
			diff(t, "position", at, v.Position())
		})
		checkFill(t, s)
		if n := len(follow(t, s, 0, int(at))); n != int(at) {
			t.Errorf("%d events", n)
		}
	}
	if p := commit(t, s, Change(Account(0), 3)); p != at+1 {
		t.Errorf("the first commit after position %d has %d", at, p)
	}
}
