package disk

import (
	"fmt"
	"runtime"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// synced writes wait for the disk; the one writer has nothing to merge with.
var synced = &opt.WriteOptions{Sync: true, NoWriteMerge: true}

// A committer is the goroutine that writes; what it holds is its alone.
type committer struct {
	d       *Disk
	batch   leveldb.Batch
	key     []byte
	value   []byte
	group   []request
	touched []*line

	itemKeys []byte // of items in the write, one after the other
	itemEnds []int  // of each in itemKeys
}

// run writes what waits until Close, and then what is left, or until a write
// fails.
func (c *committer) run() {
	defer c.d.running.Done()
	for c.wait() {
		// What others are about to bring goes with this write, not with one of its own.
		runtime.Gosched()
		c.d.mu.Lock()
		c.group = c.d.queue.take(c.group[:0])
		c.d.mu.Unlock()
		if err := c.commit(); err != nil {
			c.d.fail(err)
			return
		}
		clear(c.group)
	}
}

// wait waits until something is to be written, or gives false at the end.
func (c *committer) wait() bool {
	var late <-chan time.Time
	for over := false; ; {
		c.d.mu.Lock()
		waiting, due := c.d.queue.len() > 0, c.d.queue.due()
		ending := c.d.closed
		c.d.mu.Unlock()
		if ending {
			return waiting
		}
		if waiting && (due || over) {
			return true
		}
		if waiting && late == nil {
			late = time.After(patience)
		}
		select {
		case <-c.d.wake:
		case <-c.d.closing:
		case <-late:
			over = true
		}
	}
}

// commit writes the group with one fsync, shows it, and reports it.
func (c *committer) commit() error {
	began := time.Now()
	c.begin()
	for i := range c.group {
		if err := c.add(&c.group[i]); err != nil {
			return err
		}
	}
	for _, l := range c.touched {
		c.value = appendPlace(c.value[:0], l.next.place)
		c.key = appendChain(c.key[:0], kindPlace, l.id)
		c.batch.Put(c.key, c.value)
	}
	if c.batch.Len() > 0 {
		c.batch.Put(keyEnd, endMark)
		if err := c.d.ldb.Write(&c.batch, synced); err != nil {
			return err
		}
		c.d.count.writes.Add(1)
	}
	from := 0
	for _, end := range c.itemEnds {
		c.d.cache.drop(c.itemKeys[from:end])
		from = end
	}
	for _, l := range c.touched {
		l.show()
	}
	c.d.count.octets.Add(uint64(len(c.batch.Dump())))
	c.d.count.time.Add(uint64(time.Since(began)))
	c.report()
	return nil
}

// begin makes ready for the next write.
func (c *committer) begin() {
	c.batch.Reset()
	for _, l := range c.touched {
		l.inUse, l.fresh = false, l.fresh[:0]
	}
	c.touched = c.touched[:0]
	c.itemKeys, c.itemEnds = c.itemKeys[:0], c.itemEnds[:0]
}

// add puts a request into the write.
func (c *committer) add(r *request) error {
	for _, key := range r.gone {
		c.batch.Delete(key)
	}
	if r.batch == nil {
		return nil
	}
	l := &c.d.chains[r.id]
	if !l.inUse {
		l.inUse, l.wiped = true, false
		c.touched = append(c.touched, l)
	}
	l.written = r.batch.Seq
	c.d.count.batches.Add(1)
	c.d.count.records.Add(uint64(len(r.batch.Records)))
	if err := c.apply(l, r.batch); err != nil {
		return fmt.Errorf("chain %d: batch %d: %w", l.id, r.batch.Seq, err)
	}
	return nil
}

// report tells of the group's batches that they are on the disk: of each chain's
// the last.
func (c *committer) report() {
	wiped := false
	for _, l := range c.touched {
		if c.d.opts.Written != nil {
			c.d.opts.Written(l.id, l.written)
		}
		wiped = wiped || l.wiped
	}
	for i := range c.group {
		if done := c.group[i].done; done != nil {
			close(done)
		}
	}
	if wiped {
		c.d.removeSoon()
	}
}
