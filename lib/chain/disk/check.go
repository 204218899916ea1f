package disk

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/chain"
)

// A Doubt is a chain whose data was found, when the disk was opened, not to hold
// together: the log has a gap, a hash does not follow from the record and the hash
// before it, or the state is not at a place in the log. The chain then shows
// nothing, and its [replica.Meta] says Copying, so that nobody takes it up but as a
// recruit, which copies it from others. Until the replica wipes it for that, what
// there was stays on the disk: it may be the last there is of the chain.
type Doubt struct {
	Chain  chain.ID
	Reason string // for the log
}

func (d Doubt) String() string { return fmt.Sprintf("chain %d: %s", d.Chain, d.Reason) }

// loadChains reads where the chains stand, and verifies their logs.
func (d *Disk) loadChains() error {
	for i := range d.chains {
		d.chains[i].id = chain.ID(i)
		d.chains[i].next.place = empty(0)
	}
	err := d.eachChain(kindPlace, func(l *line, b []byte) (ok bool) {
		l.next.place, ok = parsePlace(b)
		return ok
	})
	if err != nil {
		return err
	}
	err = d.eachChain(kindMeta, func(l *line, b []byte) (ok bool) {
		l.next.meta, ok = parseMeta(b)
		return ok
	})
	if err != nil {
		return err
	}
	reasons, err := d.verifyAll()
	if err != nil {
		return err
	}
	for i, reason := range reasons {
		l := &d.chains[i]
		l.next.sieve = &sieve{}
		if reason != "" {
			d.doubts = append(d.doubts, Doubt{l.id, reason})
			if err := d.setAside(l); err != nil {
				return err
			}
		}
		l.show()
	}
	return nil
}

// eachChain calls do with the entries of which a chain has only one.
func (d *Disk) eachChain(kind byte, do func(l *line, value []byte) bool) error {
	it := d.ldb.NewIterator(util.BytesPrefix([]byte{kind}), nil)
	defer it.Release()
	for it.Next() {
		key := it.Key()
		if len(key) != 3 || key[1] != 0 || !do(&d.chains[key[2]], it.Value()) {
			return formError(key)
		}
	}
	return it.Error()
}

// verifyAll verifies the logs of all chains that have anything, several at a time.
// For those that do not hold together it tells why.
func (d *Disk) verifyAll() (reasons [chain.Chains]string, err error) {
	errs := make([]error, runtime.GOMAXPROCS(0))
	var next atomic.Int32
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for errs[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= len(d.chains) {
					return
				}
				if l := &d.chains[n]; l.next.place != empty(0) {
					reasons[n], errs[i] = d.verify(l.id, l.next.place)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return reasons, err
		}
	}
	return reasons, nil
}

// verify reads a chain's log. It gives the reason why it does not hold together,
// if it does not.
func (d *Disk) verify(id chain.ID, p place) (reason string, err error) {
	if p.state > p.last || p.state+1 < p.first {
		return fmt.Sprintf("the state is at %d, the log has %d to %d", p.state, p.first, p.last), nil
	}
	from, to := appendPrefix(nil, kindRecord, id, p.gen), appendPrefix(nil, kindRecord, id, p.gen+1)
	it := d.ldb.NewIterator(&util.Range{Start: from, Limit: to}, passing)
	defer it.Release()
	v := verifier{place: p, next: p.first}
	if p.state+1 == p.first {
		v.hash, v.known = p.hash, true
	}
	for it.Next() {
		if reason := v.record(it.Key(), it.Value()); reason != "" {
			return reason, nil
		}
	}
	if err := it.Error(); err != nil {
		return "", err
	}
	if v.next != p.last+1 {
		return fmt.Sprintf("record %d is missing, the log has %d to %d", v.next, p.first, p.last), nil
	}
	return "", nil
}

// A verifier goes through the records of a log.
type verifier struct {
	place
	next  chain.LSN
	hash  chain.Hash // of the record before next, if it is known
	known bool
}

// record takes the next entry, and tells what is wrong with it.
func (v *verifier) record(key, value []byte) (reason string) {
	lsn, ok := lsnOf(key)
	if !ok || lsn != v.next || lsn > v.last {
		return fmt.Sprintf("record %d is missing, the log has %d to %d", v.next, v.first, v.last)
	}
	rec, ok := parseRecord(lsn, value)
	switch {
	case !ok:
		return fmt.Sprintf("record %d has an unknown form", lsn)
	case v.known && rec.Sum(v.hash) != rec.Hash:
		return fmt.Sprintf("the hash of record %d does not follow from it and the one before", lsn)
	case lsn == v.state && rec.Hash != v.place.hash:
		return fmt.Sprintf("the state has another hash than record %d", lsn)
	}
	v.next, v.hash, v.known = lsn+1, rec.Hash, true
	return ""
}

// setAside has a doubtful chain show nothing, and keeps what there is.
func (d *Disk) setAside(l *line) error {
	p := empty(l.next.gen + 1)
	p.oldest = l.next.oldest
	l.next.place, l.next.meta.Copying = p, true
	l.next.meta.Inc = max(l.next.meta.Inc, 1) // a chain that nobody wrote would be taken for new
	var b leveldb.Batch
	b.Put(appendChain(nil, kindMeta, l.id), appendMeta(nil, &l.next.meta))
	b.Put(appendChain(nil, kindPlace, l.id), appendPlace(nil, p))
	b.Put(keyEnd, endMark)
	return d.ldb.Write(&b, synced)
}
