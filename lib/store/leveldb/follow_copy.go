package leveldb

import (
	"bytes"
	"context"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Copy takes the state of one chain in place of what the database has of it.
// Accounts come in the order of their names, then claims in that of their
// domains. Each replaces its like whole, so what is served meanwhile is some
// accounts of before and some of after, but none by half. Until End the chain has
// no place: a copy that was broken off has to be made anew.
//
// It is for one goroutine, and the chain takes nothing else meanwhile.
type Copy struct {
	db    *DB
	ctx   context.Context
	chain uint8
	parts []part
	size  int
	last  []byte // key of the Held before which nothing is left to remove
}

// A part is what a copy brings at once: an account, or a claim.
type part struct {
	lsn    uint64
	head   store.Head
	keys   []string
	sets   []rr.Set
	domain rr.Name
	claim  store.Claim
}

// copyBatch is how many octets of parts go into one batch, about.
const copyBatch = 1 << 20

// Copy begins a copy. It is over with End or Abort.
func (db *DB) Copy(ctx context.Context, chain uint8) (*Copy, error) {
	c := &Copy{db: db, ctx: ctx, chain: chain, last: heldKey(nil, chain, 0, "")}
	return c, c.do(func(b *batch) error {
		b.setPlace(chain, noPlace)
		return nil
	})
}

// do has the writer write what f adds to a batch.
func (c *Copy) do(f func(b *batch) error) error {
	return c.db.send(c.ctx, &request{done: make(chan struct{}), alone: func(w *writer) error {
		w.batch.reset()
		if err := f(&w.batch); err != nil {
			return err
		}
		return w.writeFollowed()
	}})
}

// Account brings an account: its head, which the record lsn put, the keys that
// rekeys brought it, and its records. As in a [Followed], a head of version 0 is
// none.
func (c *Copy) Account(lsn uint64, head store.Head, keys []string, sets []rr.Set) error {
	p := part{lsn: lsn, head: head, keys: keys, sets: sets}
	c.size += 512 + 64*len(keys)
	for _, s := range sets {
		c.size += 64 + s.Size()
	}
	return c.add(p)
}

// Claim brings a claim, which the record lsn put.
func (c *Copy) Claim(lsn uint64, domain rr.Name, claim store.Claim) error {
	c.size += 512
	return c.add(part{lsn: lsn, domain: domain, claim: claim})
}

func (c *Copy) add(p part) error {
	c.parts = append(c.parts, p)
	if c.size < copyBatch {
		return nil
	}
	return c.do(c.write)
}

// End takes away the accounts and claims of the chain that the copy did not
// bring, and puts the chain's place, notes, and the base of positions.
func (c *Copy) End(at Place, notes []Note, base uint64) error {
	err := c.do(func(b *batch) error {
		if err := c.write(b); err != nil {
			return err
		}
		if err := c.remove(b, after(heldKey(nil, c.chain, heldClaim, ""))); err != nil {
			return err
		}
		b.setPlace(c.chain, at)
		b.notes(notes)
		return b.rebase(base)
	})
	if err != nil {
		return fmt.Errorf("copy chain %d: %w", c.chain, err)
	}
	return nil
}

// Abort ends a copy that is not whole.
func (c *Copy) Abort() { c.parts = nil }

// write adds the parts to a batch.
func (c *Copy) write(b *batch) error {
	for i := range c.parts {
		p := &c.parts[i]
		kind, name := byte(heldAccount), p.head.Account
		if p.domain != "" {
			kind, name = heldClaim, string(p.domain)
		}
		key := heldKey(nil, c.chain, kind, name)
		if bytes.Compare(key, c.last) < 0 {
			return fmt.Errorf("copy chain %d: %w: %q", c.chain, errOrder, name)
		}
		if err := c.remove(b, key); err != nil {
			return err
		}
		if err := c.part(b, p, key); err != nil {
			return err
		}
		c.last = append(key, endOctet)
	}
	c.parts, c.size = c.parts[:0], 0
	return nil
}

// part adds one part, unless the database has just that from the same record.
func (c *Copy) part(b *batch, p *part, key []byte) error {
	there, value := joinKey(prefixHead, p.head.Account), store.AppendHead(nil, p.head)
	if p.domain != "" {
		there, value = joinKey(prefixClaim, string(p.domain)), store.AppendClaim(nil, p.claim)
	}
	held, err := b.value(key)
	if err != nil {
		return err
	}
	v, err := b.value(there)
	if err != nil {
		return err
	}
	h, err := parseHeld(held)
	if held != nil && err == nil && h.LSN == p.lsn && bytes.Equal(v, value) {
		return nil
	}
	f := &Followed{Chain: c.chain, Place: Place{LSN: p.lsn}}
	if p.domain != "" {
		return c.copyClaim(b, f, p)
	}
	return c.copyAccount(b, f, p)
}

func (c *Copy) copyClaim(b *batch, f *Followed, p *part) error {
	old, err := b.claim(string(p.domain))
	if err != nil {
		return err
	}
	b.hold(heldClaim, f, string(p.domain), p.claim.Version)
	b.set(prefixClaim, string(p.domain), store.AppendClaim(nil, p.claim), old.Version == 0)
	b.touched = append(b.touched, Touched{Domain: p.domain})
	return b.jump(old.Version, p.claim.Version)
}

func (c *Copy) copyAccount(b *batch, f *Followed, p *part) error {
	account := p.head.Account
	old, err := b.head(account)
	if err != nil {
		return err
	}
	if err := b.dropSets(account); err != nil {
		return err
	}
	for _, s := range p.sets {
		b.Put(appendSetKey(nil, account, s.Owner, s.Type), store.AppendRecords(nil, s))
	}
	b.keys(account, p.keys)
	if p.head.Version == 0 {
		return nil
	}
	b.hold(heldAccount, f, account, p.head.Version)
	b.putHead(account, store.AppendHead(nil, p.head), old, headMark{p.head.Version, p.head.KeyID})
	return b.jump(old.version, p.head.Version)
}

// dropSets takes all records of an account away.
func (b *batch) dropSets(account string) error {
	it := b.w.db.ldb.NewIterator(util.BytesPrefix(appendNode(nil, account, "")), uncached)
	defer it.Release()
	for it.Next() {
		b.Delete(it.Key())
	}
	if err := it.Error(); err != nil {
		return b.w.db.readError(err)
	}
	return nil
}

// remove takes away what the database holds of the chain from the last part up
// to a key.
func (c *Copy) remove(b *batch, to []byte) error {
	it := b.w.db.ldb.NewIterator(&util.Range{Start: c.last, Limit: to}, uncached)
	defer it.Release()
	for it.Next() {
		key := bytes.Clone(it.Key())
		kind, name := key[len(prefixHeld)+1], string(key[len(prefixHeld)+2:])
		b.Delete(key)
		if kind == heldClaim {
			b.set(prefixClaim, name, nil, false)
			b.Delete(joinKey(prefixClaim, name))
			b.touched = append(b.touched, Touched{Domain: rr.Name(name)})
		} else if err := b.dropAccount(name); err != nil {
			return err
		}
		if err := b.jump(0, 1); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return b.w.db.readError(err)
	}
	return nil
}

// dropAccount takes an account away, with all that is its own.
func (b *batch) dropAccount(account string) error {
	if err := b.dropSets(account); err != nil {
		return err
	}
	it := b.w.db.ldb.NewIterator(util.BytesPrefix([]byte(prefixKey)), uncached)
	defer it.Release()
	for it.Next() {
		if string(it.Value()) == account {
			b.Delete(it.Key())
			delete(b.seen, string(it.Key()))
		}
	}
	if err := it.Error(); err != nil {
		return b.w.db.readError(err)
	}
	b.setHead(account, nil, headMark{})
	b.Delete(joinKey(prefixHead, account))
	b.touched = append(b.touched, Touched{Account: account})
	return nil
}
