// Package storetest holds what every store.Store must do, as tests that each
// implementation runs.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Harness makes the stores that are tested.
type Harness struct {
	// Open makes an empty store; the suite closes it.
	Open func(t *testing.T) store.Store
	// Reopen closes a store and opens it again; nil for one that keeps nothing.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Short makes an empty store whose feed reaches back 16 changes or a few
	// more; nil if that cannot be chosen.
	Short func(t *testing.T) store.Store
}

// limit is how long the suite waits for what must happen.
const limit = 60 * time.Second

// Run tests a store against the contract.
func Run(t *testing.T, h Harness) {
	run := func(name string, f func(*testing.T, store.Store)) {
		t.Run(name, func(t *testing.T) {
			s := h.Open(t)
			t.Cleanup(func() { s.Close() })
			f(t, s)
		})
	}
	run("empty", testEmpty)
	run("versions", testVersions)
	run("one commit a version", testRace)
	run("many accounts at once", testMany)
	run("put replace delete", testPutDelete)
	run("all or nothing", testAllOrNothing)
	run("refused changes", testBadChange)
	run("head fields", testHeadFields)
	run("rekey", testRekey)
	run("key taken", testKeyTaken)
	run("one key for two accounts at once", testKeyRace)
	run("claims", testClaims)
	run("views stand still", testIsolation)
	run("node existence", testNode)
	run("odd labels", testOddLabels)
	run("order of sets", testSetsOrder)
	run("accounts do not mix", testNeighbours)
	run("against a model", testModel)
	run("feed", testFeed)
	run("feed of the future", testFeedFuture)
	run("feed heartbeat", testHeartbeat)
	run("feed to a slow reader", testSlowReader)
	run("cancelled commit", testCancelled)
	run("close while busy", testCloseBusy)
	run("closed", testClosed)
	testBackup(t, h)
	if h.Short != nil {
		t.Run("feed too old", func(t *testing.T) { testTooOld(t, h.Short(t)) })
	}
	if h.Reopen != nil {
		t.Run("reopen", func(t *testing.T) { testReopen(t, h) })
	}
}

// Account gives an account name of the form that Ed25519 keys have.
func Account(n int) string {
	s := fmt.Sprintf("%o", n)
	return strings.Repeat("a", 32-len(s)) + strings.Map(func(c rune) rune { return c - '0' + 'b' }, s)
}

// Head gives a plausible head of an account at a version.
func Head(account string, version uint64) store.Head {
	h := store.Head{
		Account: account, Version: version, Created: 1_700_000_000, KeyID: account,
		Key: []byte("key of " + account), NextSeq: int64(version) + 1, Records: int(version), Bytes: 100,
	}
	h.LastHash[0], h.LastHash[31] = byte(version), 0xff
	return h
}

// Change gives a change that takes the account to a version and puts sets.
func Change(account string, version uint64, put ...rr.Set) store.Change {
	return store.Change{Head: Head(account, version), From: version - 1, Put: put}
}

// Set gives an RRset at the owner, in presentation form, with text as data.
func Set(owner string, t rr.Type, data ...rr.Data) rr.Set {
	return rr.Set{Owner: rr.MustName(owner), Type: t, TTL: 300, Data: data}
}

func commit(t *testing.T, s store.Store, c store.Change) store.Position {
	t.Helper()
	p, err := s.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("commit %s version %d: %v", c.Head.Account, c.Head.Version, err)
	}
	return p
}

func view(t *testing.T, s store.Store) store.View {
	t.Helper()
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// look calls f with a view of now.
func look(t *testing.T, s store.Store, f func(store.View)) {
	t.Helper()
	v := view(t, s)
	defer v.Release()
	f(v)
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for x, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// wantErr checks err against a sentinel or a Conflict.
func wantErr(t *testing.T, what string, want, err error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// dump gives everything that views show.
func dump(t *testing.T, v store.View, domains ...rr.Name) []any {
	t.Helper()
	var out []any
	for _, h := range collect(t, v.Accounts()) {
		out = append(out, h)
		for _, s := range collect(t, v.Sets(h.Account, "")) {
			out = append(out, s)
		}
	}
	for _, d := range domains {
		c, err := v.Claim(d)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// within gives a context that ends with the test or at the limit.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
