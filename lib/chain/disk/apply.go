package disk

import (
	"fmt"

	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// apply puts the changes of a batch into the write, in the order of its fields.
func (c *committer) apply(l *line, b *replica.Batch) error {
	if b.Wipe {
		c.wipe(l)
	}
	if b.Cut {
		c.cut(l, b.CutAfter)
	}
	if b.Meta != nil {
		l.next.meta = *b.Meta
		c.value = appendMeta(c.value[:0], b.Meta)
		c.key = appendChain(c.key[:0], kindMeta, l.id)
		c.batch.Put(c.key, c.value)
	}
	if err := c.records(l, b.Records); err != nil {
		return err
	}
	for i := range b.Items {
		c.item(l, &b.Items[i], false)
	}
	for i := range b.Changes {
		c.item(l, &b.Changes[i].Item, b.Changes[i].Delete)
	}
	for i := range b.Remembered {
		c.remember(l, &b.Remembered[i])
	}
	if b.Moved {
		l.next.state, l.next.hash = b.State, b.Hash
		if l.next.last+1 == l.next.first {
			l.next.first, l.next.last = b.State+1, b.State
		}
	}
	c.trim(l, b.Trim)
	return c.forget(l, b.Forget)
}

// wipe begins a new generation, in which there is nothing.
func (c *committer) wipe(l *line) {
	l.next.place, l.next.sieve = empty(l.next.gen+1), &sieve{whole: true}
	l.wiped, l.fresh = true, l.fresh[:0]
}

// cut drops records after an LSN from the log.
func (c *committer) cut(l *line, after chain.LSN) {
	after = max(after, l.next.first-1)
	for ; l.next.last > after; l.next.last-- {
		c.key = appendLSN(c.key[:0], kindRecord, l.id, l.next.gen, l.next.last)
		c.batch.Delete(c.key)
	}
}

// records puts records to the end of the log.
func (c *committer) records(l *line, recs []chain.Record) error {
	for i := range recs {
		rec := &recs[i]
		if rec.LSN != l.next.last+1 {
			return fmt.Errorf("record %d after record %d", rec.LSN, l.next.last)
		}
		l.next.last++
		c.value = appendRecord(c.value[:0], rec)
		c.key = appendLSN(c.key[:0], kindRecord, l.id, l.next.gen, rec.LSN)
		c.batch.Put(c.key, c.value)
	}
	return nil
}

func (c *committer) item(l *line, it *chain.Item, gone bool) {
	c.key = appendItem(c.key[:0], l.id, l.next.gen, it.Key)
	c.itemKeys = append(c.itemKeys, c.key...)
	c.itemEnds = append(c.itemEnds, len(c.itemKeys))
	if gone {
		c.batch.Delete(c.key)
		return
	}
	c.value = appendValue(c.value[:0], it)
	c.batch.Put(c.key, c.value)
}

// remember puts a request twice: to be found by its number, and in order.
func (c *committer) remember(l *line, q *chain.Remembered) {
	l.fresh = append(l.fresh, *q)
	l.next.sieve.add(&q.Request, q.Outcome.LSN)
	c.value = appendOutcome(c.value[:0], q.Outcome)
	c.key = appendRequest(c.key[:0], l.id, l.next.gen, q.Request)
	c.batch.Put(c.key, c.value)
	c.value = appendRemembered(c.value[:0], q)
	c.key = appendLSN(c.key[:0], kindOrder, l.id, l.next.gen, q.Outcome.LSN)
	c.batch.Put(c.key, c.value)
}

// trim drops records below an LSN from the log.
func (c *committer) trim(l *line, below chain.LSN) {
	for ; l.next.first < below && l.next.first <= l.next.last; l.next.first++ {
		c.key = appendLSN(c.key[:0], kindRecord, l.id, l.next.gen, l.next.first)
		c.batch.Delete(c.key)
	}
}

// forget drops the remembered requests of records below an LSN: those in the
// database, and those in this very write.
func (c *committer) forget(l *line, below chain.LSN) error {
	if below <= l.next.forgot {
		return nil
	}
	from := appendLSN(nil, kindOrder, l.id, l.next.gen, l.next.forgot)
	to := appendLSN(nil, kindOrder, l.id, l.next.gen, below)
	it := c.d.ldb.NewIterator(&util.Range{Start: from, Limit: to}, nil)
	defer it.Release()
	for it.Next() {
		q, ok := parseRemembered(it.Value())
		if !ok {
			return fmt.Errorf("%w: remembered request %x", ErrDamaged, it.Key())
		}
		c.forgetOne(l, &q)
	}
	kept := l.fresh[:0]
	for i := range l.fresh {
		if l.fresh[i].Outcome.LSN < below {
			c.forgetOne(l, &l.fresh[i])
		} else {
			kept = append(kept, l.fresh[i])
		}
	}
	l.fresh, l.next.forgot = kept, below
	l.next.sieve.forget(below)
	return it.Error()
}

func (c *committer) forgetOne(l *line, q *chain.Remembered) {
	c.key = appendRequest(c.key[:0], l.id, l.next.gen, q.Request)
	c.batch.Delete(c.key)
	c.key = appendLSN(c.key[:0], kindOrder, l.id, l.next.gen, q.Outcome.LSN)
	c.batch.Delete(c.key)
}
