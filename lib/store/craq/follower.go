package craq

import (
	"context"
	"fmt"
	"strings"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// A follower is the store as the client's feeds see it. It is for one goroutine.
type follower struct {
	*Store
	ctx context.Context // of the following
}

var _ client.BatchFollower = follower{}

// Place implements client.Follower.
func (f follower) Place(id chain.ID) (chain.LSN, chain.Hash) {
	p := f.DB.Place(uint8(id))
	return chain.LSN(p.LSN), p.Hash
}

// Apply implements client.Follower.
func (f follower) Apply(id chain.ID, records []chain.Record, outcomes []chain.Outcome) error {
	return f.ApplyAll([]client.Batch{{Chain: id, Records: records, Outcomes: outcomes}})
}

// ApplyAll implements client.BatchFollower.
func (f follower) ApplyAll(batches []client.Batch) error {
	var list []leveldb.Followed
	for _, b := range batches {
		for i := range b.Records {
			r := &b.Records[i]
			did := leveldb.Followed{Chain: uint8(b.Chain), Place: place(r.LSN, r.Hash)}
			if b.Outcomes[i].Verdict == chain.Applied {
				if read, err := readRecord(b.Chain, r); err == nil {
					did = read
				} else {
					f.leaveOut(err)
				}
			}
			list = append(list, did)
		}
	}
	positions, err := f.DB.Follow(f.ctx, list)
	if err != nil {
		return err
	}
	if err := f.noted(list); err != nil {
		return err
	}
	n := 0
	for _, b := range batches {
		for i := range b.Records {
			f.waits.applied(b.Records[i].Request, b.Outcomes[i], positions[n])
			n++
		}
		if len(b.Records) > 0 {
			f.waits.reached(b.Chain, b.Records[len(b.Records)-1].LSN)
		}
	}
	return nil
}

// leaveOut tells of what cannot be read, and is left out: a newer program has written
// it, or somebody who has no business there. Every replica leaves it out. To end for it
// would end DNS on all nodes together.
func (s *Store) leaveOut(err error) {
	s.unread.Add(1)
	s.Log.Error("what the storage has cannot be read, and is left out", "err", err)
}

// noted looks at the notes that records left.
func (f follower) noted(list []leveldb.Followed) error {
	for i := range list {
		if len(list[i].Notes) > 0 {
			return f.loadMark()
		}
	}
	return nil
}

// Copy implements client.Follower.
func (f follower) Copy(id chain.ID, begin chain.SnapBegin) (client.Copy, error) {
	to, err := f.DB.Copy(f.ctx, uint8(id))
	if err != nil {
		return nil, err
	}
	c := &copying{store: f.Store, id: id, at: place(begin.LSN, begin.Hash), to: to}
	if id == chainRestore {
		c.notes = []leveldb.Note{{Name: noteRestore}}
	}
	return c, nil
}

// A copying is a copy of a chain under way.
type copying struct {
	store *Store
	id    chain.ID
	at    leveldb.Place
	to    *leveldb.Copy

	own   reader // an account's items, gathered
	bad   bool   // one of them cannot be read
	lsn   chain.LSN
	notes []leveldb.Note
	base  uint64
}

// Items implements client.Copy.
func (c *copying) Items(items []chain.Item) error {
	for i := range items {
		if err := c.item(&items[i]); err != nil {
			return fmt.Errorf("copy chain %d: %w", c.id, err)
		}
	}
	return nil
}

func (c *copying) item(it *chain.Item) error {
	key := string(it.Key)
	if rest, ok := strings.CutPrefix(key, prefixAccount); ok {
		return c.ownItem(rest, it)
	}
	if err := c.account(); err != nil {
		return err
	}
	var r reader
	if err := r.op(&chain.Op{Kind: chain.Put, Key: it.Key, Value: it.Value}); err != nil {
		c.store.leaveOut(fmt.Errorf("chain %d: %w", c.id, err))
		return nil
	}
	if len(r.f.Notes) > 0 {
		c.notes, c.base = r.f.Notes, r.f.Base
	}
	if r.f.Claim != nil {
		return c.to.Claim(uint64(it.Version), r.f.Domain, *r.f.Claim)
	}
	return nil
}

// ownItem takes an item that is an account's own.
func (c *copying) ownItem(key string, it *chain.Item) error {
	account, rest, _ := strings.Cut(key, "\x00")
	if c.own.any && account != c.own.account {
		if err := c.account(); err != nil {
			return err
		}
	}
	if rest == "" {
		c.lsn = it.Version
	}
	if err := c.own.own(key, it.Value, false); err != nil {
		c.bad = true
		c.store.leaveOut(fmt.Errorf("chain %d: %w", c.id, err))
	}
	return nil
}

// account brings the account whose items are there, unless one of them cannot be read.
func (c *copying) account() error {
	r, bad := c.own, c.bad
	c.own, c.bad = reader{}, false
	if !r.any || bad {
		return nil
	}
	head := store.Head{Account: r.account}
	if r.head != nil {
		h, err := parseHead(r.head, nil)
		if err == nil && (h.Account != r.account || h.Version == 0) {
			err = fmt.Errorf("%w: account %q", store.ErrDamaged, r.account)
		}
		if err != nil {
			c.store.leaveOut(fmt.Errorf("chain %d: %w", c.id, err))
			return nil
		}
		head = h
	}
	return c.to.Account(uint64(c.lsn), head, r.f.Keys, r.change.Put)
}

// End implements client.Copy.
func (c *copying) End() error {
	if err := c.account(); err != nil {
		return fmt.Errorf("copy chain %d: %w", c.id, err)
	}
	if err := c.to.End(c.at, c.notes, c.base); err != nil {
		return err
	}
	if err := c.store.loadMark(); err != nil {
		return err
	}
	c.store.Log.Info("chain copied", "chain", c.id, "lsn", c.at.LSN)
	c.store.waits.reached(c.id, chain.LSN(c.at.LSN))
	return nil
}

// Abort implements client.Copy.
func (c *copying) Abort() { c.to.Abort() }
