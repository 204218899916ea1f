package zone

import (
	"cmp"
	"iter"
	"slices"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// Accounts that hold more are read name by name, and not kept.
const (
	maxKept      = 64   // records
	maxKeptBytes = 8192 // of store.Head.Bytes
)

// Records are all records of a small account at one version. They do not change,
// so that many may read them.
type Records struct {
	names []name
}

// A name is one with records, and its RRsets.
type name struct {
	owner rr.Name // lower case
	sets  []rr.Set
}

// Weight is about how many octets of memory the records take.
func (r *Records) Weight() int {
	n := 100
	for _, at := range r.names {
		n += 100 + 2*len(at.owner) + size(at.sets) + 80*records(at.sets)
	}
	return n
}

// readRecords reads them from the store.
func readRecords(v store.View, account string) (*Records, error) {
	r := &Records{}
	for s, err := range v.Sets(account, "") {
		if err != nil {
			return nil, err
		}
		owner := s.Owner.Lower()
		if last := len(r.names) - 1; last >= 0 && r.names[last].owner == owner {
			r.names[last].sets = append(r.names[last].sets, s)
			continue
		}
		r.names = append(r.names, name{owner, []rr.Set{s}})
	}
	slices.SortFunc(r.names, func(a, b name) int { return cmp.Compare(a.owner, b.owner) })
	return r, nil
}

func (r *Records) find(owner rr.Name) (int, bool) {
	return slices.BinarySearchFunc(r.names, owner, func(n name, o rr.Name) int { return cmp.Compare(n.owner, o) })
}

// at gives the RRsets at a name in lower case.
func (r *Records) at(owner rr.Name) []rr.Set {
	if i, ok := r.find(owner); ok {
		return r.names[i].sets
	}
	return nil
}

// under yields the RRsets at and below a name in lower case.
func (r *Records) under(owner rr.Name) iter.Seq2[rr.Set, error] {
	return func(yield func(rr.Set, error) bool) {
		for _, n := range r.names {
			if !n.owner.Under(owner) {
				continue
			}
			for _, s := range n.sets {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// left gives the records that a draft leaves, nil if they are not known or too
// many to keep.
func (d *draft) left(h store.Head) *Records {
	if d.all == nil || h.Records > maxKept || h.Bytes > maxKeptBytes {
		return nil
	}
	r := &Records{make([]name, 0, len(d.all.names)+len(d.nodes))}
	for _, n := range d.all.names {
		if _, touched := d.nodes[n.owner]; !touched {
			r.names = append(r.names, n)
		}
	}
	for owner, n := range d.nodes {
		if len(n.now) > 0 {
			r.names = append(r.names, name{owner, n.now})
		}
	}
	slices.SortFunc(r.names, func(a, b name) int { return cmp.Compare(a.owner, b.owner) })
	return r
}
