package storetest

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
)

func testEmpty(t *testing.T, s store.Store) {
	look(t, s, func(v store.View) {
		if v.Position() != 0 {
			t.Errorf("position %d, want 0", v.Position())
		}
		_, err := v.Head("nobody")
		wantErr(t, "Head", store.ErrNotFound, err)
		_, err = v.HeadByKey("nobody")
		wantErr(t, "HeadByKey", store.ErrNotFound, err)
		sets, exists, err := v.Node("nobody", "")
		if sets != nil || exists || err != nil {
			t.Errorf("Node: %v %v %v", sets, exists, err)
		}
		c, err := v.Claim(rr.MustName("example.com"))
		if c != (store.Claim{}) || err != nil {
			t.Errorf("Claim: %v %v", c, err)
		}
		diff(t, "everything", []any(nil), dump(t, v))
	})
}

func testVersions(t *testing.T, s store.Store) {
	a := Account(1)
	_, err := s.Commit(t.Context(), Change(a, 3))
	wantErr(t, "from version 2 of nothing", store.Conflict{Version: 0}, err)
	for version := uint64(1); version <= 3; version++ {
		if p := commit(t, s, Change(a, version)); p != store.Position(version) {
			t.Errorf("version %d has position %d", version, p)
		}
	}
	for _, version := range []uint64{1, 2, 3, 5} {
		_, err := s.Commit(t.Context(), Change(a, version))
		wantErr(t, "wrong version", store.Conflict{Version: 3}, err)
	}
	look(t, s, func(v store.View) {
		if v.Position() != 3 {
			t.Errorf("position %d after refusals, want 3", v.Position())
		}
	})
}

// testRace: of the commits on one version exactly one wins.
func testRace(t *testing.T, s store.Store) {
	const writers, rounds = 8, 20
	a := Account(1)
	for version := uint64(1); version <= rounds; version++ {
		var won sync.Map
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				_, err := s.Commit(t.Context(), Change(a, version, Set("who", 16, rr.Data([]byte{byte(w)}))))
				if err == nil {
					won.Store(w, true)
				} else {
					wantErr(t, "loser", store.Conflict{Version: version}, err)
				}
			})
		}
		wg.Wait()
		var winners []int
		won.Range(func(w, _ any) bool { winners = append(winners, w.(int)); return true })
		if len(winners) != 1 {
			t.Fatalf("version %d: winners %v", version, winners)
		}
		look(t, s, func(v store.View) {
			sets, _, err := v.Node(a, rr.MustName("who"))
			if err != nil || len(sets) != 1 || sets[0].Data[0][0] != byte(winners[0]) {
				t.Errorf("version %d: %d won but the records are %v, %v", version, winners[0], sets, err)
			}
		})
	}
}

// testMany: commits of many accounts together, each in order; positions are all
// different and without a gap.
func testMany(t *testing.T, s store.Store) {
	const accounts, versions = 16, 10
	positions := make(chan store.Position, accounts*versions)
	var wg sync.WaitGroup
	for n := range accounts {
		wg.Go(func() {
			for version := uint64(1); version <= versions; version++ {
				p, err := s.Commit(t.Context(), Change(Account(n), version))
				if err != nil {
					t.Errorf("account %d version %d: %v", n, version, err)
				}
				look(t, s, func(v store.View) {
					if v.Position() < p {
						t.Errorf("a view at %d after a commit at %d", v.Position(), p)
					}
				})
				positions <- p
			}
		})
	}
	wg.Wait()
	close(positions)
	seen := make(map[store.Position]bool)
	for p := range positions {
		seen[p] = true
	}
	for p := store.Position(1); p <= accounts*versions; p++ {
		if !seen[p] {
			t.Errorf("no commit has position %d", p)
		}
	}
}

func testPutDelete(t *testing.T, s store.Store) {
	a, x := Account(1), rr.MustName("x")
	commit(t, s, Change(a, 1, Set("X", 1, "aaaa", "bbbb"), Set("x", 16, "\x01t"), Set("y", 1, "cccc")))
	step := func(what string, c store.Change, want ...rr.Set) {
		t.Helper()
		commit(t, s, c)
		look(t, s, func(v store.View) { diff(t, what, want, collect(t, v.Sets(a, ""))) })
	}
	text, y := Set("x", 16, "\x01t"), Set("y", 1, "cccc")
	step("replace, in another case", Change(a, 2, Set("x", 1, "dddd")), Set("x", 1, "dddd"), text, y)
	c := Change(a, 3)
	c.Delete = []store.SetKey{{Owner: rr.MustName("X"), Type: 1}, {Owner: x, Type: 99}, {Owner: rr.MustName("none"), Type: 1}}
	step("delete, also what is not there", c, text, y)
	c = Change(a, 4, Set("z", 1, "eeee"))
	c.Delete = []store.SetKey{{Owner: x, Type: 16}}
	step("delete and put", c, y, Set("z", 1, "eeee"))
}

// testAllOrNothing: what is refused leaves nothing.
func testAllOrNothing(t *testing.T, s store.Store) {
	a := Account(1)
	commit(t, s, Change(a, 1, Set("x", 1, "aaaa")))
	var before []any
	look(t, s, func(v store.View) { before = dump(t, v) })
	stale := Change(a, 1, Set("x", 1, "bbbb"), Set("y", 1, "cccc"))
	stale.Delete = []store.SetKey{{Owner: rr.MustName("x"), Type: 16}}
	_, err := s.Commit(t.Context(), stale)
	wantErr(t, "stale", store.Conflict{Version: 1}, err)
	taken := Change(Account(2), 1, Set("z", 1, "dddd"))
	taken.Head.KeyID = a
	_, err = s.Commit(t.Context(), taken)
	wantErr(t, "taken", store.ErrKeyTaken, err)
	look(t, s, func(v store.View) {
		diff(t, "after refusals", before, dump(t, v))
		if _, exists, _ := v.Node(Account(2), rr.MustName("z")); exists {
			t.Error("a refused account has records")
		}
	})
}

func testBadChange(t *testing.T, s store.Store) {
	a := Account(1)
	cases := []struct {
		name  string
		spoil func(*store.Change)
	}{
		{"version that does not follow", func(c *store.Change) { c.Head.Version = 7 }},
		{"no account", func(c *store.Change) { c.Head.Account = "" }},
		{"account in upper case", func(c *store.Change) { c.Head.Account = "Alice" }},
		{"account with a zero octet", func(c *store.Change) { c.Head.Account = "al\x00ice" }},
		{"no key name", func(c *store.Change) { c.Head.KeyID = "" }},
		{"empty set", func(c *store.Change) { c.Put[0].Data = nil }},
		{"TTL above 2^31-1", func(c *store.Change) { c.Put[0].TTL = 1 << 31 }},
		{"owner cut off", func(c *store.Change) { c.Put[0].Owner = "\x05abc" }},
		{"set twice", func(c *store.Change) { c.Put = append(c.Put, Set("X", 1, "bbbb")) }},
		{"put and deleted", func(c *store.Change) { c.Delete = []store.SetKey{{Owner: rr.MustName("X"), Type: 1}} }},
		{"data of 65,536 octets", func(c *store.Change) { c.Put[0].Data = []rr.Data{rr.Data(make([]byte, 65536))} }},
		{"domain in upper case", func(c *store.Change) { c.Head.Domains = []store.Domain{{Name: rr.MustName("A.example")}} }},
	}
	for _, c := range cases {
		bad := Change(a, 1, Set("x", 1, "aaaa"))
		c.spoil(&bad)
		_, err := s.Commit(t.Context(), bad)
		wantErr(t, c.name, store.ErrBadChange, err)
	}
	commit(t, s, Change(a, 1, Set("x", 1, "aaaa")))
}

func testHeadFields(t *testing.T, s store.Store) {
	h := Head(Account(1), 1)
	h.Created, h.NextSeq, h.Records, h.Bytes = -1, 1<<62, 1<<30, math.MaxInt
	h.Key = []byte("\x00\xff")
	h.Domains = []store.Domain{
		{Name: rr.MustName("z.example"), Contact: rr.MustName("Host.master.example"), TTL: 1<<32 - 1},
		{Name: rr.MustName("a.example")},
	}
	commit(t, s, store.Change{Head: h})
	look(t, s, func(v store.View) {
		got, err := v.Head(h.Account)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "head", h, got)
		got, err = v.HeadByKey(h.KeyID)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "head by key", h, got)
		diff(t, "heads", []store.Head{h}, collect(t, v.Accounts()))
	})
}

// testCancelled: a commit whose context is over does nothing and says so.
func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Commit(ctx, Change(Account(1), 1))
	wantErr(t, "commit", store.ErrUnavailable, err)
	wantErr(t, "commit", context.Canceled, err)
	look(t, s, func(v store.View) {
		if v.Position() != 0 {
			t.Errorf("position %d", v.Position())
		}
	})
}

// testCloseBusy: Close in the middle of everything; each commit is either there
// or refused as unavailable.
func testCloseBusy(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	begun := make(chan bool, 1)
	for n := range 8 {
		wg.Go(func() {
			for version := uint64(1); ; version++ {
				if _, err := s.Commit(t.Context(), Change(Account(n), version, Set("x", 1, "aaaa"))); err != nil {
					wantErr(t, "commit", store.ErrUnavailable, err)
					return
				}
				select {
				case begun <- true:
				default:
				}
				if err := readOne(s, Account(n)); err != nil {
					wantErr(t, "view", store.ErrUnavailable, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for _, err := range s.Feed(t.Context(), 0) {
			if err != nil {
				wantErr(t, "feed", store.ErrUnavailable, err)
			}
		}
	})
	<-begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func readOne(s store.Store, account string) error {
	v, err := s.View()
	if err != nil {
		return err
	}
	defer v.Release()
	_, exists, err := v.Node(account, rr.MustName("x"))
	if err == nil && !exists {
		err = errors.New("own write is not there")
	}
	return err
}

func testClosed(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit(t.Context(), Change(Account(1), 1))
	wantErr(t, "Commit", store.ErrUnavailable, err)
	_, err = s.SetClaim(t.Context(), rr.MustName("example.com"), 0, store.Claim{Version: 1, Account: Account(1)})
	wantErr(t, "SetClaim", store.ErrUnavailable, err)
	_, err = s.View()
	wantErr(t, "View", store.ErrUnavailable, err)
	for _, err := range s.Feed(t.Context(), 0) {
		wantErr(t, "Feed", store.ErrUnavailable, err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
