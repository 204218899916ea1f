package store_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/rr"
	"namecast/lib/store"
)

var (
	head = store.Head{
		Account: "abc", Version: 3, Created: -1, KeyID: "def", Key: []byte{0, 255}, NextSeq: math.MaxInt64,
		LastHash: [32]byte{31: 9}, Records: 2, Bytes: 300,
		Domains: []store.Domain{{Name: rr.MustName("example.com"), Contact: rr.MustName("Me.example"), TTL: math.MaxUint32}},
	}
	set   = rr.Set{Owner: rr.MustName(`A\000.b`), Type: 65535, TTL: rr.MaxTTL, Data: []rr.Data{"", "x", "\x00"}}
	claim = store.Claim{Version: math.MaxUint64, Account: "abc", Previous: "def"}
	event = store.Event{Change: &store.Change{
		Head: head, From: 2, Put: []rr.Set{set}, Delete: []store.SetKey{{Owner: rr.MustName("x"), Type: 1}},
	}}
	claimEvent = store.Event{Domain: rr.MustName("example.com"), Claim: &claim}
)

// check reads what was written and compares; a prefix and a longer one must be
// refused.
func check[T any](t *testing.T, name string, want T, b []byte, parse func([]byte) (T, error)) {
	t.Helper()
	got, err := parse(b)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
	for n := range b {
		if _, err := parse(b[:n]); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s cut to %d of %d octets: %v", name, n, len(b), err)
		}
	}
	if _, err := parse(append(b[:len(b):len(b)], 0)); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%s with an octet more: %v", name, err)
	}
}

func parseRecords(owner rr.Name, typ rr.Type) func([]byte) (rr.Set, error) {
	return func(b []byte) (rr.Set, error) { return store.ParseRecords(b, owner, typ) }
}

func TestEncodings(t *testing.T) {
	check(t, "head", head, store.AppendHead(nil, head), store.ParseHead)
	first := store.Head{Account: "abc", KeyID: "abc", Version: 1}
	check(t, "first head", first, store.AppendHead(nil, first), store.ParseHead)
	check(t, "set", set, store.AppendSet(nil, set), store.ParseSet)
	check(t, "records", set, store.AppendRecords(nil, set), parseRecords(set.Owner.Lower(), set.Type))
	lower := set
	lower.Owner = set.Owner.Lower()
	check(t, "records, lower case", lower, store.AppendRecords(nil, lower), parseRecords(lower.Owner, set.Type))
	check(t, "claim", claim, store.AppendClaim(nil, claim), store.ParseClaim)
	check(t, "change", event, store.AppendEvent(nil, event), store.ParseEvent)
	check(t, "claim event", claimEvent, store.AppendEvent(nil, claimEvent), store.ParseEvent)
}

// FuzzParse: no octets bring a parser down, and what one takes has no other
// encoding.
func FuzzParse(f *testing.F) {
	f.Add(store.AppendHead(nil, head))
	f.Add(store.AppendSet(nil, set))
	f.Add(store.AppendClaim(nil, claim))
	f.Add(store.AppendEvent(nil, event))
	f.Add(store.AppendEvent(nil, claimEvent))
	f.Add(store.AppendRecords(nil, set))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(name string, again []byte, err error) {
			if err == nil && !bytes.Equal(b, again) {
				t.Errorf("%s: %x is read as %x", name, b, again)
			}
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s: %v", name, err)
			}
		}
		h, err := store.ParseHead(b)
		same("head", store.AppendHead(nil, h), err)
		s, err := store.ParseSet(b)
		same("set", store.AppendSet(nil, s), err)
		c, err := store.ParseClaim(b)
		same("claim", store.AppendClaim(nil, c), err)
		s, err = store.ParseRecords(b, set.Owner.Lower(), set.Type)
		same("records", store.AppendRecords(nil, s), err)
		if e, err := store.ParseEvent(b); err == nil {
			same("event", store.AppendEvent(nil, e), nil)
		}
	})
}
