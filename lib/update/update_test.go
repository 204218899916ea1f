package update

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/claim"
	"namecast/lib/key"
	"namecast/lib/limit"
	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/zone"
)

var base = rr.MustName("namecast.example")

// home is where the tests' datagrams come from.
var home = netip.MustParseAddrPort("192.0.2.7:4000")

// A proverFunc is a Prover.
type proverFunc func(domain rr.Name, account string) error

func (f proverFunc) Prove(_ context.Context, domain rr.Name, account string) error {
	return f(domain, account)
}

// newServer makes a server over an empty store; change may set the Config.
func newServer(t *testing.T, change func(*Config)) *Server {
	t.Helper()
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := config(db)
	if change != nil {
		change(&c)
	}
	return New(c)
}

func config(db store.Store) Config {
	return Config{Store: db, Base: base, Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

// An owner is a key that signs updates.
type owner struct {
	t   testing.TB
	key *key.Secret
}

func newOwner(t testing.TB) owner {
	k, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return owner{t, k}
}

// packet signs an update text as one request; change may set its fields.
func (o owner) packet(seq int64, text string, change func(*nup.Request)) []byte {
	o.t.Helper()
	r := &nup.Request{Service: base, Seq: seq, Padding: 300}
	if text != "" {
		u, err := nup.ParseText(strings.NewReader(text), o.key.Public().Version(), nil)
		if err != nil {
			o.t.Fatal(err)
		}
		r.Elements = u.Groups[0]
	}
	if change != nil {
		change(r)
	}
	b, err := nup.Sign(r, o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

// ask hands a datagram to the server and reads its reply; nil is silence.
func ask(t *testing.T, s *Server, packet []byte) *nup.Reply {
	t.Helper()
	b := s.Handle(t.Context(), packet, home)
	if b == nil {
		return nil
	}
	if len(b) > len(packet) {
		t.Errorf("a reply of %d octets to a request of %d", len(b), len(packet))
	}
	r, err := nup.ParseReply(b)
	if err != nil {
		t.Fatalf("reply: %v", err)
	}
	return r
}

// want checks a reply's status and next sequence number.
func want(t *testing.T, what string, r *nup.Reply, status nup.Status, next int64) {
	t.Helper()
	if r == nil {
		t.Fatalf("%s: no reply", what)
	}
	if r.Status != status || r.Next != next {
		t.Errorf("%s: %v, next %d; want %v, next %d (%s)", what, r.Status, r.Next, status, next, r.Text)
	}
}

func TestUpdate(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	want(t, "query of an unknown key", ask(t, s, o.packet(0, "", nil)), nup.StatusNoElements, 0)
	if s.Count.Created.Load() != 0 {
		t.Error("a query made an account")
	}
	first := o.packet(0, "add www 300 A 192.0.2.1", nil)
	r := ask(t, s, first)
	want(t, "first", r, nup.StatusOK, 1)
	if r.From != home || r.Account != o.key.Public().Account() {
		t.Errorf("reply tells from %v, account %q", r.From, r.Account)
	}
	want(t, "second", ask(t, s, o.packet(1, "add www 300 A 192.0.2.2", nil)), nup.StatusOK, 2)
	want(t, "query", ask(t, s, o.packet(0, "", nil)), nup.StatusNoElements, 2)
	want(t, "old packet replayed", ask(t, s, first), nup.StatusWrongSequence, 2)
	want(t, "from the future", ask(t, s, o.packet(9, "delete www", nil)), nup.StatusWrongSequence, 2)
	want(t, "no elements", ask(t, s, o.packet(2, "", nil)), nup.StatusNoElements, 2)
	want(t, "refused element", ask(t, s, o.packet(2, "add www 300 CNAME a.", nil)), nup.StatusInvalidElement, 2)
	want(t, "after a refusal", ask(t, s, o.packet(2, "delete www", nil)), nup.StatusOK, 3)
}

// TestRetry checks that the same bytes again get the same reply, and change
// nothing, also after the records were changed by hand in between.
func TestRetry(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	p := o.packet(0, "require absent www\nadd www 300 A 192.0.2.1", nil)
	first := s.Handle(t.Context(), p, home)
	again := s.Handle(t.Context(), p, home)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("replies differ:\n%s", diff)
	}
	if a, r := s.Count.Accepted.Load(), s.Count.Replayed.Load(); a != 1 || r != 1 {
		t.Errorf("accepted %d, replayed %d", a, r)
	}
}

func TestForgery(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	p := o.packet(0, "add www 300 A 192.0.2.1", nil)
	p[len(p)-1] ^= 1
	want(t, "bad signature", ask(t, s, p), nup.StatusBadSignature, 0)
	other := o.packet(0, "add www 300 A 192.0.2.1", func(r *nup.Request) { r.Service = rr.MustName("other.example") })
	want(t, "other service", ask(t, s, other), nup.StatusOtherService, 0)
	want(t, "octets after the packet", ask(t, s, append(o.packet(0, "add www 1 TXT x", nil), 0)), nup.StatusMalformed, 0)
	if r := ask(t, s, []byte("hello, is this a name server?")); r != nil {
		t.Errorf("a reply to what is no packet: %v", r)
	}
	v2 := append([]byte(nil), p...)
	v2[9] = 2
	r := ask(t, s, v2)
	want(t, "version 2", r, nup.StatusUnsupported, 0)
	if r.Version != 0 {
		t.Errorf("the reply to version 2 has version %d", r.Version)
	}
	if s.Count.Created.Load() != 0 {
		t.Error("one of these made an account")
	}
}

// TestRace lets many updates with the same sequence number run at once:
// exactly one of each number is applied, the others learn the right number.
func TestRace(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	const rounds, racers = 20, 8
	for seq := range int64(rounds) {
		var all sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range racers {
			p := o.packet(seq, fmt.Sprintf("add r%d-%d 300 TXT x", seq, i), nil)
			all.Go(func() {
				r := ask(t, s, p)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case r.Status == nup.StatusOK:
					won++
				case r.Status != nup.StatusWrongSequence || r.Next != seq+1:
					t.Errorf("seq %d: %v, next %d", seq, r.Status, r.Next)
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Fatalf("seq %d: %d updates were accepted", seq, won)
		}
	}
	if h, err := s.head(o.key.Public().Account()); err != nil || h.Records != rounds || h.NextSeq != rounds {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestRekey(t *testing.T) {
	s, old, next := newServer(t, nil), newOwner(t), newOwner(t)
	name := old.key.Public().Account()
	ask(t, s, old.packet(0, "add www 300 A 192.0.2.1", nil))
	rekey := func(r *nup.Request) {
		r.Elements = []nup.Element{{Op: nup.OpRekey, NewKey: next.key.Public().Bytes(), NewSecret: next.key}}
	}
	move := old.packet(1, "", rekey)
	want(t, "rekey", ask(t, s, move), nup.StatusOK, 2)
	want(t, "rekey, sent again", ask(t, s, move), nup.StatusOK, 2)
	want(t, "the old key", ask(t, s, old.packet(2, "delete www", nil)), nup.StatusKeyReplaced, 0)
	r := ask(t, s, next.packet(2, "add mail 300 A 192.0.2.2", nil))
	want(t, "the new key", r, nup.StatusOK, 3)
	if r.Account != name {
		t.Errorf("the account is now %q, want %q", r.Account, name)
	}
	third := newOwner(t)
	ask(t, s, third.packet(0, "add x 1 TXT x", nil))
	taken := next.packet(3, "", func(r *nup.Request) {
		r.Elements = []nup.Element{{Op: nup.OpRekey, NewKey: third.key.Public().Bytes(), NewSecret: third.key}}
	})
	want(t, "rekey to another account's key", ask(t, s, taken), nup.StatusInvalidElement, 3)
	back := next.packet(3, "", func(r *nup.Request) {
		r.Elements = []nup.Element{{Op: nup.OpRekey, NewKey: old.key.Public().Bytes(), NewSecret: old.key}}
	})
	want(t, "rekey back to the dead key", ask(t, s, back), nup.StatusInvalidElement, 3)
}

func TestValidate(t *testing.T) {
	mine, hers := newOwner(t), newOwner(t)
	var result error
	s := newServer(t, func(c *Config) {
		c.Prover = proverFunc(func(rr.Name, string) error { return result })
		c.Granted = func(d rr.Name, a string) bool {
			return d == rr.MustName("granted.test") && a == mine.key.Public().Account()
		}
	})
	seq := int64(0)
	for _, c := range []struct {
		err  error
		code nup.Code
	}{
		{claim.ErrMissing, nup.CodeProofMissing},
		{claim.ErrTarget, nup.CodeProofTarget},
		{claim.ErrTimeout, nup.CodeProofTimeout},
		{claim.ErrDisagree, nup.CodeProofDisagree},
		{claim.ErrBogus, nup.CodeProofBogus},
		{claim.ErrDomain, nup.CodeDomainRefused},
		{errors.New("something new"), nup.CodeProofTimeout},
		{nil, nup.CodeOK},
	} {
		result = c.err
		r := ask(t, s, mine.packet(seq, "validate example.test h@example.test 60", nil))
		if r.Codes[0] != c.code {
			t.Errorf("%v: code %v, want %v", c.err, r.Codes[0], c.code)
		}
		seq = r.Next
	}
	result = claim.ErrMissing
	want(t, "granted", ask(t, s, mine.packet(seq, "validate granted.test h@example.test 60", nil)), nup.StatusOK, seq+1)
	want(t, "again, without a proof", ask(t, s, mine.packet(seq+1, "validate example.test new@example.test 90", nil)), nup.StatusOK, seq+2)
	want(t, "not hers", ask(t, s, hers.packet(0, "validate example.test h@example.test 60", nil)), nup.StatusInvalidElement, 0)
	result = nil
	want(t, "hers now", ask(t, s, hers.packet(0, "validate example.test h@example.test 60", nil)), nup.StatusOK, 1)
	v, err := s.Store.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	got, err := v.Claim(rr.MustName("example.test"))
	w := store.Claim{Version: 2, Account: hers.key.Public().Account(), Previous: mine.key.Public().Account()}
	if diff := cmp.Diff(w, got); diff != "" || err != nil {
		t.Errorf("claim (-want +got):\n%s%v", diff, err)
	}
}

func TestAdmission(t *testing.T) {
	o := newOwner(t)
	name, pub := o.key.Public().Account(), o.key.Public().Bytes()
	secret := []byte("0123456789abcdef0123456789abcdef")
	plain := o.packet(0, "add a 1 TXT x", nil)
	with := func(f func(*nup.Request)) []byte { return o.packet(0, "add a 1 TXT x", f) }
	for _, c := range []struct {
		name   string
		rule   Admission
		packet []byte
		want   nup.Status
	}{
		{"open", Admission{}, plain, nup.StatusOK},
		{"on the list", Admission{List: map[string]bool{name: true}}, plain, nup.StatusOK},
		{"not on the list", Admission{List: map[string]bool{}}, plain, nup.StatusNotAdmitted},
		{"no token", Admission{Secret: secret}, plain, nup.StatusNotAdmitted},
		{"token", Admission{Secret: secret}, with(func(r *nup.Request) { r.Token = []byte(key.Token(secret, base.String(), name)) }), nup.StatusOK},
		{"another's token", Admission{Secret: secret}, with(func(r *nup.Request) { r.Token = []byte(key.Token(secret, base.String(), "x")) }), nup.StatusNotAdmitted},
		{"another service's token", Admission{Secret: secret}, with(func(r *nup.Request) { r.Token = []byte(key.Token(secret, "other.example", name)) }), nup.StatusNotAdmitted},
		{"no work", Admission{Work: 8}, plain, nup.StatusNotAdmitted},
		{"work", Admission{Work: 8}, with(func(r *nup.Request) { r.Work, r.HasWork = key.Work(base.String(), pub, 8, nil) }), nup.StatusOK},
		{"listed, though no work", Admission{Work: 8, List: map[string]bool{name: true}}, plain, nup.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, func(cfg *Config) { cfg.Admission = c.rule })
			q := ask(t, s, o.packet(0, "", nil))
			if c.rule.Work > 0 && c.rule.List == nil && q.WorkBits != c.rule.Work {
				t.Errorf("a query tells %d bits of work", q.WorkBits)
			}
			r := ask(t, s, c.packet)
			if r.Status != c.want {
				t.Errorf("%v, want %v (%s)", r.Status, c.want, r.Text)
			}
			s.SetAdmission(Admission{List: map[string]bool{}})
			if r.Status == nup.StatusOK {
				want(t, "an account that exists", ask(t, s, o.packet(1, "delete a", nil)), nup.StatusOK, 2)
			}
		})
	}
}

func TestDSAFloor(t *testing.T) {
	k, err := key.GenerateDSA(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	o := owner{t, k}
	p := o.packet(0, "add a 1 TXT x", nil)
	s := newServer(t, func(c *Config) { c.Admission.DSABits = 2048 })
	want(t, "1024 bits under a floor of 2048", ask(t, s, p), nup.StatusFailure, 0)
	want(t, "1024 bits", ask(t, newServer(t, nil), p), nup.StatusOK, 1)
}

func TestBudgets(t *testing.T) {
	clock := time.Unix(1000, 0)
	per := func(n int) limit.Rate { return limit.Rate{N: n, Per: time.Second} }
	with := func(b Budgets) *Server {
		return newServer(t, func(c *Config) { c.Budgets, c.Now = b, func() time.Time { return clock } })
	}
	t.Run("account", func(t *testing.T) {
		s, o := with(Budgets{Account: per(1)}), newOwner(t)
		for seq := range int64(3) {
			want(t, "within", ask(t, s, o.packet(seq, "add a 1 TXT x", nil)), nup.StatusOK, seq+1)
		}
		p := o.packet(3, "add b 1 TXT x", nil)
		r := ask(t, s, p)
		want(t, "over", r, nup.StatusTryLater, 3)
		if r.RetryAfter != time.Second {
			t.Errorf("retry after %v", r.RetryAfter)
		}
		clock = clock.Add(time.Second)
		want(t, "after the wait", ask(t, s, p), nup.StatusOK, 4)
	})
	t.Run("new accounts", func(t *testing.T) {
		s := with(Budgets{NewPerSource: per(1)})
		want(t, "one", ask(t, s, newOwner(t).packet(0, "add a 1 TXT x", nil)), nup.StatusOK, 1)
		want(t, "two", ask(t, s, newOwner(t).packet(0, "add a 1 TXT x", nil)), nup.StatusTryLater, 0)
		b := s.Handle(t.Context(), newOwner(t).packet(0, "add a 1 TXT x", nil), netip.MustParseAddrPort("198.51.100.1:9"))
		if r, err := nup.ParseReply(b); err != nil || r.Status != nup.StatusOK {
			t.Errorf("from another source: %v, %v", r, err)
		}
	})
	t.Run("source", func(t *testing.T) {
		s, o := with(Budgets{Source: per(1)}), newOwner(t)
		for range 2 {
			want(t, "within", ask(t, s, o.packet(0, "", nil)), nup.StatusNoElements, 0)
		}
		if r := ask(t, s, o.packet(0, "", nil)); r != nil {
			t.Errorf("a flood got a reply: %v", r)
		}
	})
	t.Run("verifications", func(t *testing.T) {
		s, o := with(Budgets{Verify: per(1)}), newOwner(t)
		want(t, "within", ask(t, s, o.packet(0, "", nil)), nup.StatusNoElements, 0)
		if r := ask(t, s, o.packet(0, "", nil)); r != nil || s.Count.Overload.Load() != 1 {
			t.Errorf("past the ceiling: %v, %d dropped", r, s.Count.Overload.Load())
		}
	})
	t.Run("elements", func(t *testing.T) {
		s := newServer(t, func(c *Config) { c.MaxElements = 2 })
		want(t, "three", ask(t, s, newOwner(t).packet(0, "add a 1 TXT x\nadd b 1 TXT x\nadd c 1 TXT x", nil)), nup.StatusOverLimit, 0)
	})
	t.Run("quota", func(t *testing.T) {
		s := newServer(t, func(c *Config) { c.Quota = zone.Quota{Records: 1} })
		want(t, "two records", ask(t, s, newOwner(t).packet(0, "add a 1 TXT x\nadd b 1 TXT x", nil)), nup.StatusOverLimit, 0)
	})
}

// A brokenStore cannot commit.
type brokenStore struct{ store.Store }

func (brokenStore) Commit(context.Context, store.Change) (store.Position, error) {
	return 0, store.ErrUnavailable
}

func TestStorageAway(t *testing.T) {
	s, o := newServer(t, nil), newOwner(t)
	whole := s.Store
	s.Store = brokenStore{whole}
	p := o.packet(0, "add a 1 TXT x", nil)
	want(t, "away", ask(t, s, p), nup.StatusTryLater, 0)
	s.Store = whole
	want(t, "back", ask(t, s, p), nup.StatusOK, 1)
}

// FuzzHandle feeds datagrams to a whole server: no panic, and never a reply
// that is larger than its request or no reply at all to the eye of a client.
func FuzzHandle(f *testing.F) {
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	s := New(config(db))
	k, err := key.Generate(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	b, err := nup.Sign(&nup.Request{Service: base, Padding: 200}, k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(nup.Magic))
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply := s.Handle(t.Context(), packet, home)
		if len(reply) > len(packet) {
			t.Errorf("%d octets for %d", len(reply), len(packet))
		}
		if reply != nil {
			if _, err := nup.ParseReply(reply); err != nil {
				t.Errorf("reply: %v", err)
			}
		}
	})
}
