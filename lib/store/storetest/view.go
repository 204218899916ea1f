package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
)

func testIsolation(t *testing.T, s store.Store) {
	a, d := Account(1), rr.MustName("example.com")
	commit(t, s, Change(a, 1, Set("x", 1, "aaaa"), Set("y", 1, "bbbb")))
	old := view(t, s)
	defer old.Release()
	before := dump(t, old, d)
	c := Change(a, 2, Set("x", 1, "cccc"), Set("b.z", 1, "dddd"))
	c.Delete = []store.SetKey{{Owner: rr.MustName("y"), Type: 1}}
	commit(t, s, c)
	commit(t, s, Change(Account(2), 1, Set("x", 1, "eeee")))
	commit(t, s, rekey(a, 3, Account(9)))
	if _, err := s.SetClaim(t.Context(), d, 0, store.Claim{Version: 1, Account: a}); err != nil {
		t.Fatal(err)
	}
	diff(t, "the older view", before, dump(t, old, d))
	if old.Position() != 1 {
		t.Errorf("the older view went to position %d", old.Position())
	}
	_, err := old.Head(Account(2))
	wantErr(t, "a newer account in the older view", store.ErrNotFound, err)
	_, err = old.HeadByKey(Account(9))
	wantErr(t, "a newer key in the older view", store.ErrNotFound, err)
	if _, exists, err := old.Node(a, rr.MustName("z")); exists || err != nil {
		t.Errorf("a newer name in the older view: %v, %v", exists, err)
	}
	look(t, s, func(v store.View) {
		if v.Position() != 5 {
			t.Errorf("position %d, want 5", v.Position())
		}
	})
}

// nodes checks which owners exist and which types they have.
func nodes(t *testing.T, s store.Store, account string, want map[string][]rr.Type) {
	t.Helper()
	look(t, s, func(v store.View) {
		for owner, types := range want {
			sets, exists, err := v.Node(account, rr.MustName(owner))
			if err != nil {
				t.Fatal(err)
			}
			var got []rr.Type
			for _, s := range sets {
				got = append(got, s.Type)
			}
			if exists != (types != nil) || !slices.Equal(got, types) {
				t.Errorf("%s: types %v, exists %v; want %v", owner, got, exists, types)
			}
		}
	})
}

func testNode(t *testing.T, s store.Store) {
	a := Account(1)
	commit(t, s, Change(a, 1,
		Set("@", 16, "\x01t"), Set("@", 1, "aaaa"), Set("@", 28, "0123456789abcdef"), Set("@", 65534, "x"),
		Set("a.b.c", 1, "aaaa"), Set("ab.c", 1, "aaaa"), Set("*.w", 1, "aaaa"), Set("Mixed.Case", 1, "aaaa")))
	none := []rr.Type{}
	nodes(t, s, a, map[string][]rr.Type{
		"@": {1, 16, 28, 65534}, "c": none, "b.c": none, "a.b.c": {1}, "ab.c": {1},
		"a.c": nil, "x.a.b.c": nil, "bc": nil, "b": nil, "w": none, "*.w": {1}, "q.w": nil,
		"MIXED.case": {1}, "CASE": none, "cas": nil, "casee": nil,
	})
	nodes(t, s, Account(2), map[string][]rr.Type{"@": nil, "c": nil})
	c := Change(a, 2)
	c.Delete = []store.SetKey{
		{Type: 1}, {Type: 16}, {Type: 28}, {Type: 65534},
		{Owner: rr.MustName("a.b.c"), Type: 1},
	}
	commit(t, s, c)
	nodes(t, s, a, map[string][]rr.Type{"@": none, "c": none, "b.c": nil, "a.b.c": nil, "ab.c": {1}})
}

// testOddLabels: every octet may be in a label, and none leads elsewhere.
func testOddLabels(t *testing.T, s store.Store) {
	a := Account(1)
	long := strings.Repeat("l", 63)
	// The longest name: 127 labels of one octet.
	longest := strings.TrimSuffix(strings.Repeat("x.", 127), ".")
	owners := []string{
		`\000`, `\000\000`, `\001`, `\001\001`, `\000\001`, `\001\000`, `\002`, `a\000b`, `a\.b`, `a.b`,
		`\255`, `\255\255`, `b\000`, `b`, `*`, `\*`, `a\\b`, `\@`, `\ `, `\000.\000`, `\001.\001`,
		long, long + "." + long, long + "." + long + "." + long, longest, `A\065`,
	}
	c := Change(a, 1)
	want := make(map[rr.Name]rr.Set)
	for i, owner := range owners {
		set := Set(owner, rr.Type(1+i), rr.Data(owner))
		if _, ok := want[set.Owner.Lower()]; ok {
			continue // another way to write the same
		}
		want[set.Owner.Lower()] = set
		c.Put = append(c.Put, set)
	}
	commit(t, s, c)
	look(t, s, func(v store.View) {
		for owner, set := range want {
			sets, exists, err := v.Node(a, owner)
			if err != nil || !exists {
				t.Errorf("%s: exists %v, %v", owner, exists, err)
			}
			diff(t, owner.String(), []rr.Set{set}, sets)
		}
		for _, owner := range []string{`\000\000\000`, `\001\002`, `\003`, `a`, `b\001`, `\255\255\255`, `aa.x`} {
			n := rr.MustName(owner)
			_, exists, err := v.Node(a, n)
			if below := slices.ContainsFunc(c.Put, func(s rr.Set) bool { return s.Owner.Under(n) }); exists != below || err != nil {
				t.Errorf("%s: exists %v, %v", owner, exists, err)
			}
		}
		if got := collect(t, v.Sets(a, "")); len(got) != len(want) {
			t.Errorf("%d sets in all, want %d", len(got), len(want))
		}
	})
}

func testSetsOrder(t *testing.T, s store.Store) {
	a := Account(1)
	owners := []string{"z", "a.z", "@", "b.a.z", "*.z", "zz", "a", `\000.z`, "y.z"}
	c := Change(a, 1)
	for _, o := range owners {
		c.Put = append(c.Put, Set(o, 16, "\x01t"), Set(o, 1, "aaaa"))
	}
	commit(t, s, c)
	look(t, s, func(v store.View) {
		checkOrder(t, collect(t, v.Sets(a, "")), len(c.Put))
		under := collect(t, v.Sets(a, rr.MustName("Z")))
		checkOrder(t, under, 12)
		for _, s := range under {
			if !s.Owner.Under(rr.MustName("z")) {
				t.Errorf("%s is not under z", s.Owner)
			}
		}
		checkOrder(t, collect(t, v.Sets(a, rr.MustName("a.z"))), 4)
		checkOrder(t, collect(t, v.Sets(a, rr.MustName("q"))), 0)
		for range v.Sets(a, "") {
			break // the rest is not wanted
		}
	})
}

// checkOrder checks that a parent comes before its children and the types of
// one owner stand together in order.
func checkOrder(t *testing.T, sets []rr.Set, n int) {
	t.Helper()
	if len(sets) != n {
		t.Errorf("%d sets, want %d", len(sets), n)
	}
	seen := make(map[rr.Name]int)
	for i, s := range sets {
		owner := s.Owner.Lower()
		for below := range seen {
			if below != owner && below.Under(owner) {
				t.Errorf("%s comes after %s", owner, below)
			}
		}
		if last, ok := seen[owner]; ok && (last != i-1 || sets[last].Type >= s.Type) {
			t.Errorf("%s %s is out of order", owner, s.Type)
		}
		seen[owner] = i
	}
}

// testNeighbours: account names that begin alike, and names that try to leave.
func testNeighbours(t *testing.T, s store.Store) {
	for i, a := range []string{"ab", "a", "abc", "a-b"} {
		commit(t, s, Change(a, 1, Set("x", 1, rr.Data([]byte{0, 0, 0, byte(i)}))))
	}
	look(t, s, func(v store.View) {
		for i, a := range []string{"ab", "a", "abc", "a-b"} {
			got := collect(t, v.Sets(a, ""))
			diff(t, a, []rr.Set{Set("x", 1, rr.Data([]byte{0, 0, 0, byte(i)}))}, got)
		}
		for _, a := range []string{"", "a\x00", "a\x00x", "A", "b"} {
			if _, exists, err := v.Node(a, ""); exists || err != nil {
				t.Errorf("account %q: exists %v, %v", a, exists, err)
			}
			if got := collect(t, v.Sets(a, "")); got != nil {
				t.Errorf("account %q has %v", a, got)
			}
			if _, err := v.Head(a); err == nil {
				t.Errorf("account %q has a head", a)
			}
		}
	})
}

// testModel compares a few hundred random changes with a plain map.
func testModel(t *testing.T, s store.Store) {
	r := rand.New(rand.NewPCG(1, 2))
	m := model{}
	versions := make(map[string]uint64)
	for i := range 300 {
		a := Account(r.IntN(3))
		versions[a]++
		c := Change(a, versions[a])
		m.change(r, &c, i)
		commit(t, s, c)
	}
	look(t, s, func(v store.View) {
		for range 500 {
			a, n := Account(r.IntN(3)), randomOwner(r)
			want := m.node(a, n)
			got, ok, err := v.Node(a, n)
			if exists := m.count(a, n) > 0; ok != exists || err != nil {
				t.Errorf("%s in %s: exists %v, want %v; %v", n, a, ok, exists, err)
			}
			diff(t, n.String(), want, got)
		}
		for n := range 3 {
			checkOrder(t, collect(t, v.Sets(Account(n), "")), m.count(Account(n), ""))
		}
	})
}

// randomOwner makes an owner name of up to three labels, some of them odd.
func randomOwner(r *rand.Rand) (n rr.Name) {
	labels := []string{"a", "b", "A", "ab", "*", "\x00", "\x01", "\x00\x01", "."}
	for range r.IntN(4) {
		l := labels[r.IntN(len(labels))]
		n += rr.Name(rune(len(l))) + rr.Name(l)
	}
	return n
}

// A model is the RRsets of accounts in a plain map.
type model map[modelKey]rr.Set

type modelKey struct {
	account string
	set     store.SetKey
}

// change puts random RRsets into a change, and takes others out.
func (m model) change(r *rand.Rand, c *store.Change, i int) {
	used := make(map[modelKey]bool)
	for range r.IntN(5) {
		n, typ := randomOwner(r), rr.Type(1+r.IntN(3))
		k := modelKey{c.Head.Account, store.SetKey{Owner: n.Lower(), Type: typ}}
		if used[k] {
			continue
		}
		used[k] = true
		if r.IntN(2) == 0 {
			delete(m, k)
			c.Delete = append(c.Delete, store.SetKey{Owner: n, Type: typ})
			continue
		}
		set := rr.Set{Owner: n, Type: typ, TTL: uint32(i), Data: []rr.Data{rr.Data(fmt.Sprint(i)), ""}}
		m[k] = set
		c.Put = append(c.Put, set)
	}
}

// node is the RRsets of an account at a name, by type.
func (m model) node(account string, n rr.Name) (sets []rr.Set) {
	for k, set := range m {
		if k.account == account && set.Owner.Equal(n) {
			sets = append(sets, set)
		}
	}
	slices.SortFunc(sets, func(a, b rr.Set) int { return cmp.Compare(a.Type, b.Type) })
	return sets
}

// count counts the RRsets of an account at and below a name.
func (m model) count(account string, n rr.Name) (count int) {
	for k, set := range m {
		if k.account == account && set.Owner.Under(n) {
			count++
		}
	}
	return count
}
