package zone

import (
	"errors"
	"iter"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// TestOwners serves a domain for whom its object and the account agree on.
func TestOwners(t *testing.T) {
	const text = "account " + alice + "\nwww 300 A 192.0.2.1\ndomain example.com a.example.com 300\n" +
		"account " + bob + "\nwww 300 A 192.0.2.2\n"
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	list := changes(t, text)
	commit := func(c store.Change) {
		t.Helper()
		if _, err := db.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(from uint64, c store.Claim) {
		t.Helper()
		if _, err := db.SetClaim(t.Context(), rr.MustName("example.com"), from, c); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when, want string) {
		t.Helper()
		v, err := db.View()
		if err != nil {
			t.Fatal(err)
		}
		defer v.Release()
		m, err := answer(testService(), v, ask("www.example.com.", dns.TypeA), true)
		got := dns.RcodeToString[m.Rcode]
		if len(m.Answer) > 0 {
			got = m.Answer[0].(*dns.A).A.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", when, got, err, want)
		}
	}
	commit(list[0])
	check("listed but not claimed", "REFUSED")
	claim(0, store.Claim{Version: 1, Account: alice})
	check("claimed and listed", "192.0.2.1")
	commit(list[1])
	claim(1, store.Claim{Version: 2, Account: bob, Previous: alice})
	check("claimed by the next, not listed yet", "192.0.2.1")
	next := list[1]
	next.From, next.Head.Version, next.Put = 1, 2, nil
	next.Head.Domains = list[0].Head.Domains
	commit(next)
	check("listed by both", "192.0.2.2")
}

// A broken view fails in every call.
type broken struct{}

var errBroken = errors.New("broken")

func (broken) Position() store.Position                     { return 1 }
func (broken) Head(string) (store.Head, error)              { return store.Head{}, errBroken }
func (broken) HeadByKey(string) (store.Head, error)         { return store.Head{}, errBroken }
func (broken) Node(string, rr.Name) ([]rr.Set, bool, error) { return nil, false, errBroken }
func (broken) Claim(rr.Name) (store.Claim, error)           { return store.Claim{}, errBroken }
func (broken) Accounts() iter.Seq2[store.Head, error]       { return nil }
func (broken) Release()                                     {}
func (broken) Sets(string, rr.Name) iter.Seq2[rr.Set, error] {
	return func(yield func(rr.Set, error) bool) { yield(rr.Set{}, errBroken) }
}

func TestStoreFails(t *testing.T) {
	s := testService()
	m, err := answer(s, broken{}, ask("www.example.com.", dns.TypeA), true)
	if m.Rcode != dns.RcodeServerFailure || !errors.Is(err, errBroken) || len(m.Answer) > 0 {
		t.Errorf("a broken view: %s, %v", text(m), err)
	}
	m, err = answer(s, nil, ask("www.example.com.", dns.TypeA), true)
	if m.Rcode != dns.RcodeServerFailure || err != nil {
		t.Errorf("no view: %s, %v", text(m), err)
	}
	m, _ = answer(s, broken{}, ask("namecast.example.", dns.TypeSOA), true)
	if m.Rcode != dns.RcodeSuccess {
		t.Errorf("what needs no account: %s", text(m))
	}
}
