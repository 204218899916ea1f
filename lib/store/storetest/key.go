package storetest

import (
	"sync"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
)

func rekey(account string, version uint64, key string) store.Change {
	c := Change(account, version)
	c.Head.KeyID, c.Head.Key = key, []byte("key of "+key)
	return c
}

func testRekey(t *testing.T, s store.Store) {
	a, k1, k2 := Account(1), Account(101), Account(102)
	commit(t, s, Change(a, 1))
	commit(t, s, rekey(a, 2, k1))
	commit(t, s, rekey(a, 3, k1)) // a change with the key it has
	commit(t, s, rekey(a, 4, k2))
	look(t, s, func(v store.View) {
		for _, key := range []string{a, k1, k2} {
			h, err := v.HeadByKey(key)
			if err != nil || h.Account != a || h.KeyID != k2 || h.Version != 4 {
				t.Errorf("by key %s: %+v, %v", key, h, err)
			}
		}
		_, err := v.Head(k1)
		wantErr(t, "a key is no account", store.ErrNotFound, err)
	})
}

func testKeyTaken(t *testing.T, s store.Store) {
	a, b, k1, k2 := Account(1), Account(2), Account(101), Account(102)
	commit(t, s, Change(a, 1))
	commit(t, s, Change(b, 1))
	commit(t, s, rekey(a, 2, k1))
	commit(t, s, rekey(a, 3, k2))
	cases := []struct {
		name string
		c    store.Change
	}{
		{"another's name", rekey(b, 2, a)},
		{"another's dead key", rekey(b, 2, k1)},
		{"another's present key", rekey(b, 2, k2)},
		{"own dead key", rekey(a, 4, k1)},
		{"own first key", rekey(a, 4, a)},
		{"new account under a dead key", Change(k1, 1)},
		{"new account under a present key", Change(k2, 1)},
	}
	for _, c := range cases {
		_, err := s.Commit(t.Context(), c.c)
		wantErr(t, c.name, store.ErrKeyTaken, err)
	}
}

// testKeyRace: commits that wait together see each other.
func testKeyRace(t *testing.T, s store.Store) {
	const writers, rounds = 8, 10
	for n := range writers {
		commit(t, s, Change(Account(n), 1))
	}
	versions := make([]uint64, writers)
	for round := range rounds {
		key := Account(1000 + round)
		var won sync.Map
		var wg sync.WaitGroup
		for n := range writers {
			wg.Go(func() {
				_, err := s.Commit(t.Context(), rekey(Account(n), versions[n]+2, key))
				if err == nil {
					won.Store(n, true)
				} else {
					wantErr(t, "loser", store.ErrKeyTaken, err)
				}
			})
		}
		wg.Go(func() {
			if _, err := s.Commit(t.Context(), Change(key, 1)); err == nil {
				won.Store(-1, true)
			} else {
				wantErr(t, "new account", store.ErrKeyTaken, err)
			}
		})
		wg.Wait()
		count := 0
		won.Range(func(n, _ any) bool {
			if count++; n.(int) >= 0 {
				versions[n.(int)]++
			}
			return true
		})
		if count != 1 {
			t.Fatalf("round %d: %d have the key", round, count)
		}
	}
}

func testClaims(t *testing.T, s store.Store) {
	d, a, b := rr.MustName("example.com"), Account(1), Account(2)
	set := func(from uint64, c store.Claim) error {
		_, err := s.SetClaim(t.Context(), d, from, c)
		return err
	}
	first := store.Claim{Version: 1, Account: a}
	second := store.Claim{Version: 2, Account: b, Previous: a}
	wantErr(t, "from version 1 of nothing", store.Conflict{}, set(1, second))
	if err := set(0, first); err != nil {
		t.Fatal(err)
	}
	old := view(t, s)
	defer old.Release()
	wantErr(t, "first again", store.Conflict{Version: 1}, set(0, first))
	if err := set(1, second); err != nil {
		t.Fatal(err)
	}
	look(t, s, func(v store.View) {
		got, err := v.Claim(d)
		if err != nil || got != second {
			t.Errorf("claim now: %+v, %v", got, err)
		}
		if got, err = old.Claim(d); err != nil || got != first {
			t.Errorf("claim in an older view: %+v, %v", got, err)
		}
		for _, other := range []string{"com", "www.example.com", "example.net"} {
			if c, err := v.Claim(rr.MustName(other)); err != nil || c != (store.Claim{}) {
				t.Errorf("%s: %+v, %v", other, c, err)
			}
		}
	})
	wantErr(t, "version", store.ErrBadChange, set(2, store.Claim{Version: 2, Account: a}))
	wantErr(t, "account", store.ErrBadChange, set(2, store.Claim{Version: 3}))
	_, err := s.SetClaim(t.Context(), rr.MustName("Example.org"), 0, first)
	wantErr(t, "upper case", store.ErrBadChange, err)
}
