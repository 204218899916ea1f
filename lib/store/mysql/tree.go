package mysql

import (
	"context"
	"slices"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A tree is an account's names, as they are in a transaction. What was read once is
// kept.
type tree struct {
	ctx     context.Context
	q       querier
	account string
	at      map[rr.Name][]rr.Set
	below   map[rr.Name]bool
}

func (z *zones) tree(account string) *tree {
	t := z.trees[account]
	if t == nil {
		t = &tree{ctx: z.ctx, q: z.q, account: account, at: map[rr.Name][]rr.Set{}, below: map[rr.Name]bool{}}
		z.trees[account] = t
	}
	return t
}

// Ends of what stands at a name and below it in the order of nc_sets: see
// store.AppendNode.
var (
	endOfSets  = []byte{0, 0xff, 0xff, 0xff}
	endOfBelow = []byte{0xff}
)

// sets reads the RRsets at a name.
func (t *tree) sets(n rr.Name) ([]rr.Set, error) {
	if sets, ok := t.at[n]; ok {
		return sets, nil
	}
	node := store.AppendNode(nil, n)
	var sets []rr.Set
	err := t.read(func(s rr.Set) { sets = append(sets, s) }, append(slices.Clone(node), 0), append(slices.Clone(node), endOfSets...))
	if err == nil {
		t.at[n] = sets
	}
	return sets, err
}

// read reads the RRsets whose keys are between two.
func (t *tree) read(f func(rr.Set), from, to []byte) error {
	return each(t.ctx, t.q, func(scan func(...any) error) error {
		var key, data []byte
		if err := scan(&key, &data); err != nil {
			return err
		}
		s, err := parseSet(string(key), data)
		if err == nil {
			f(s)
		}
		return err
	}, `SELECT owner, data FROM nc_sets WHERE account = ? AND owner BETWEEN ? AND ? ORDER BY owner`, octets(t.account), from, to)
}

// hasBelow reports whether a name below has records.
func (t *tree) hasBelow(n rr.Name) (bool, error) {
	if has, ok := t.below[n]; ok {
		return has, nil
	}
	node := store.AppendNode(nil, n)
	has := false
	err := each(t.ctx, t.q, func(scan func(...any) error) error {
		var one int
		has = true
		return scan(&one)
	}, `SELECT 1 FROM nc_sets WHERE account = ? AND owner > ? AND owner < ? LIMIT 1`,
		octets(t.account), append(slices.Clone(node), endOfSets...), append(slices.Clone(node), endOfBelow...))
	if err == nil {
		t.below[n] = has
	}
	return has, err
}

// spot gives a name with what its rows depend on.
func (t *tree) spot(n rr.Name) (p spot, err error) {
	p.owner = n
	if p.sets, err = t.sets(n); err != nil {
		return p, err
	}
	if p.below, err = t.hasBelow(n); err != nil || n == "" {
		return p, err
	}
	if p.under, err = t.delegated(n.Parent()); err != nil || p.under || len(p.sets) > 0 || !p.below {
		return p, err
	}
	p.empty, err = t.allDelegated(n)
	return p, err
}

// delegated reports whether a name is at or below a delegation.
func (t *tree) delegated(n rr.Name) (bool, error) {
	for ; n != ""; n = n.Parent() {
		sets, err := t.sets(n)
		if err != nil || (spot{owner: n, sets: sets}).delegates() {
			return err == nil, err
		}
	}
	return false, nil
}

// pageSets is how many RRsets allDelegated reads at once.
const pageSets = 100

// allDelegated reports whether all names below a name are at or below delegations, so
// that the zone has nothing of its own to say there.
func (t *tree) allDelegated(n rr.Name) (bool, error) {
	node := store.AppendNode(nil, n)
	from, to := append(slices.Clone(node), endOfSets...), append(slices.Clone(node), endOfBelow...)
	for {
		var owners []rr.Name
		err := each(t.ctx, t.q, func(scan func(...any) error) error {
			var key []byte
			if err := scan(&key); err != nil {
				return err
			}
			owner, _, err := store.ParseSetKey(string(key))
			owners, from = append(owners, owner), key
			return err
		}, `SELECT owner FROM nc_sets WHERE account = ? AND owner > ? AND owner < ? ORDER BY owner LIMIT ?`, octets(t.account), from, to, pageSets)
		if err != nil {
			return false, err
		}
		for _, owner := range slices.Compact(owners) {
			if d, err := t.delegated(owner); err != nil || !d {
				return false, err
			}
		}
		if len(owners) < pageSets {
			return true, nil
		}
	}
}

// under gives all names at and below a name that have records or are above some.
func (t *tree) under(n rr.Name) ([]rr.Name, error) {
	all := map[rr.Name]bool{}
	node := store.AppendNode(nil, n)
	at := map[rr.Name][]rr.Set{}
	err := t.read(func(s rr.Set) {
		owner := s.Owner.Lower()
		at[owner] = append(at[owner], s)
		for ; len(owner) > len(n); owner = owner.Parent() {
			all[owner] = true
		}
		all[n] = true
	}, append(slices.Clone(node), 0), append(slices.Clone(node), endOfBelow...))
	var names []rr.Name
	for n := range all {
		t.at[n] = at[n]
		names = append(names, n)
	}
	slices.Sort(names)
	return names, err
}

// names gives all names of the account.
func (t *tree) names() ([]rr.Name, error) { return t.under("") }
