package zone

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Quota bounds what one account may hold. Zero is no limit.
type Quota struct {
	Records int // records in all
	Bytes   int // the sum of rr.Set.Size
	Domains int // owned domains
}

// An Order is what [Apply] is asked to do: a verified request and the facts
// that only the world outside can tell.
type Order struct {
	Request *nup.Request
	Hash    [32]byte // the request's Hash
	Account string   // the account's name
	Base    rr.Name
	Quota   Quota
	Now     int64 // Unix seconds, for an account that is new
	// Prove says whether the account may have the domain; nil is yes. It is
	// asked only for domains that the account does not own already.
	Prove func(domain rr.Name) *Refusal
	// NewKey checks a rekey element and gives the new key's name.
	NewKey func(e nup.Element) (keyID string, refused *Refusal)
	// Records are the account's records at the head's version, if the caller
	// has them, as an Outcome gave them; nil lets Apply read what it needs.
	Records *Records
}

// A Refusal is why an element does not take effect.
type Refusal struct {
	Code nup.Code
	Text string // one line for the user
}

func refuse(c nup.Code, format string, a ...any) *Refusal {
	return &Refusal{c, fmt.Sprintf(format, a...)}
}

// An Outcome is what [Apply] decided. Status is nup.StatusOK if Change is to be
// committed; then Domains are those that must be claimed before.
type Outcome struct {
	Status  nup.Status
	Codes   []nup.Code // one an element
	Text    string     // the first refusal, one line
	Change  store.Change
	Domains []rr.Name
	// Records are the account's records after the change, nil if there are too
	// many to keep.
	Records *Records
}

// Apply works out what a verified request does to an account: pure, all or
// nothing. head is the account as it is, or the zero Head for a new one.
// Elements take effect in their order, each on what the ones before it left,
// and the first that cannot refuses the whole request. The error is the
// store's; it says nothing about the request.
func Apply(v store.View, head store.Head, o Order) (Outcome, error) {
	d := newDraft(v, head, o)
	req := o.Request
	for i := range req.Elements {
		r := d.element(&req.Elements[i])
		if d.err != nil {
			return Outcome{}, d.err
		}
		if r != nil {
			return refused(req, i, r), nil
		}
	}
	if d.err != nil {
		return Outcome{}, d.err
	}
	c := d.change()
	if r := d.overQuota(c.Head); r != "" {
		none := len(req.Elements) // no element alone is at fault
		return Outcome{Status: nup.StatusOverLimit, Codes: nup.FailedElement(none, none, 0), Text: r}, nil
	}
	c.Head.NextSeq = Next(req.Seq)
	c.Head.LastHash = o.Hash
	return Outcome{
		Status: nup.StatusOK, Codes: make([]nup.Code, len(req.Elements)),
		Change: c, Domains: d.claims, Records: d.left(c.Head),
	}, nil
}

// Next is the sequence number after seq; after 2^63-1 comes 0.
func Next(seq int64) int64 { return int64(uint64(seq+1) &^ (1 << 63)) }

// refused makes the outcome of a request whose element bad, counted from 0, was
// refused.
func refused(req *nup.Request, bad int, r *Refusal) Outcome {
	return Outcome{
		Status: nup.StatusInvalidElement,
		Codes:  nup.FailedElement(len(req.Elements), bad, r.Code),
		Text:   fmt.Sprintf("element %d: %s", bad+1, r.Text),
	}
}

// A draft is an account while a request is applied to it: the names it touched
// so far, over what is stored.
type draft struct {
	order  Order
	view   store.View
	head   store.Head
	all    *Records         // what is stored, nil if it is read name by name
	nodes  map[rr.Name]node // names that were read or changed, by lower-case owner
	claims []rr.Name
	err    error // the store's
}

// A node is a name of a draft.
type node struct {
	before []rr.Set // as stored
	now    []rr.Set // as changed
}

func newDraft(v store.View, head store.Head, o Order) *draft {
	if head.Version == 0 {
		head = store.Head{Account: o.Account, KeyID: o.Request.KeyID(), Key: o.Request.Key, Created: o.Now}
	}
	head.Domains = append([]store.Domain(nil), head.Domains...)
	d := &draft{order: o, view: v, head: head, all: o.Records, nodes: map[rr.Name]node{}}
	switch {
	case head.Version == 0:
		d.all = &Records{}
	case d.all == nil && head.Records <= maxKept && head.Bytes <= maxKeptBytes:
		// One look at all of a small account costs less than one at each name.
		d.all, d.err = readRecords(v, head.Account)
	}
	return d
}

// node gives the RRsets at an owner name as the draft has them.
func (d *draft) node(owner rr.Name) []rr.Set {
	key := owner.Lower()
	if n, ok := d.nodes[key]; ok {
		return n.now
	}
	if d.all != nil {
		return d.all.at(key)
	}
	sets, _, err := d.view.Node(d.head.Account, owner)
	if err != nil {
		d.err = err
	}
	d.nodes[key] = node{sets, sets}
	return sets
}

// set gives one RRset of a node, nil if there is none.
func (d *draft) set(owner rr.Name, t rr.Type) *rr.Set { return find(d.node(owner), t) }

// put replaces one RRset; without data it goes away.
func (d *draft) put(s rr.Set) {
	key := s.Owner.Lower()
	old := d.node(key)
	n, ok := d.nodes[key]
	if !ok {
		n.before = old
	}
	n.now = make([]rr.Set, 0, len(old)+1)
	for _, o := range old {
		if o.Type != s.Type {
			n.now = append(n.now, o)
		}
	}
	if len(s.Data) > 0 {
		n.now = append(n.now, s)
	}
	d.nodes[key] = n
}

// below reports whether a name strictly below owner has an RRset that stop
// says true of.
func (d *draft) below(owner rr.Name, stop func(rr.Set) bool) bool {
	key := owner.Lower()
	for name, n := range d.nodes {
		if name != key && name.Under(key) && slices.ContainsFunc(n.now, stop) {
			return true
		}
	}
	for s, err := range d.stored(owner) {
		if err != nil {
			d.err = err
			return false
		}
		name := s.Owner.Lower()
		if _, changed := d.nodes[name]; !changed && name != key && stop(s) {
			return true
		}
	}
	return false
}

// stored yields the stored RRsets at and below an owner name.
func (d *draft) stored(owner rr.Name) iter.Seq2[rr.Set, error] {
	if d.all != nil {
		return d.all.under(owner.Lower())
	}
	return d.view.Sets(d.head.Account, owner)
}

// change is the difference between the draft and what is stored.
func (d *draft) change() store.Change {
	c := store.Change{From: d.head.Version, Head: d.head}
	c.Head.Version++
	for _, n := range d.nodes {
		sets, was := n.now, n.before
		for _, s := range sets {
			if old := find(was, s.Type); old == nil || !same(*old, s) {
				c.Put = append(c.Put, s)
			}
		}
		for _, old := range was {
			if find(sets, old.Type) == nil {
				c.Delete = append(c.Delete, store.SetKey{Owner: old.Owner, Type: old.Type})
			}
		}
		c.Head.Records += records(sets) - records(was)
		c.Head.Bytes += size(sets) - size(was)
	}
	// In one order, whatever the map's: a change is the same octets everywhere.
	slices.SortFunc(c.Put, func(a, b rr.Set) int { return compare(a.Owner, a.Type, b.Owner, b.Type) })
	slices.SortFunc(c.Delete, func(a, b store.SetKey) int { return compare(a.Owner, a.Type, b.Owner, b.Type) })
	return c
}

func compare(a rr.Name, t rr.Type, b rr.Name, u rr.Type) int {
	return cmp.Or(cmp.Compare(a, b), cmp.Compare(t, u))
}

// overQuota names the limit that the new head breaks, "" if none. An account that
// is over a limit which was lowered may still shrink.
func (d *draft) overQuota(h store.Head) string {
	q := d.order.Quota
	switch {
	case q.Records > 0 && h.Records > q.Records && h.Records > d.head.Records:
		return fmt.Sprintf("the account would hold %d records, the limit is %d", h.Records, q.Records)
	case q.Bytes > 0 && h.Bytes > q.Bytes && h.Bytes > d.head.Bytes:
		return fmt.Sprintf("the account would hold %d bytes, the limit is %d", h.Bytes, q.Bytes)
	case q.Domains > 0 && len(h.Domains) > q.Domains && len(d.claims) > 0:
		return fmt.Sprintf("the account would own %d domains, the limit is %d", len(h.Domains), q.Domains)
	}
	return ""
}

func find(sets []rr.Set, t rr.Type) *rr.Set {
	for i := range sets {
		if sets[i].Type == t {
			return &sets[i]
		}
	}
	return nil
}

func same(a, b rr.Set) bool {
	if a.TTL != b.TTL || a.Owner != b.Owner || len(a.Data) != len(b.Data) {
		return false
	}
	for i := range a.Data {
		if a.Data[i] != b.Data[i] {
			return false
		}
	}
	return true
}

func records(sets []rr.Set) (n int) {
	for _, s := range sets {
		n += len(s.Data)
	}
	return n
}

func size(sets []rr.Set) (n int) {
	for _, s := range sets {
		n += s.Size()
	}
	return n
}
