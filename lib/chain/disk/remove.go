package disk

import (
	"bytes"

	"github.com/syndtr/goleveldb/leveldb/util"
)

// removeAtOnce is how many entries of old generations go into one write.
const removeAtOnce = 1024

// removeSoon tells the remover to look for old generations.
func (d *Disk) removeSoon() {
	select {
	case d.wiped <- struct{}{}:
	default:
	}
}

// remove takes away what no generation needs any more, whenever a chain was
// wiped and once at the beginning, until Close.
func (d *Disk) remove() {
	defer d.running.Done()
	for {
		for i := range d.chains {
			if err := d.removeOld(&d.chains[i]); err != nil {
				d.fail(err)
				return
			}
		}
		select {
		case <-d.wiped:
		case <-d.closing:
			return
		case <-d.failed:
			return
		}
	}
}

// removeOld takes the old generations of a chain away.
func (d *Disk) removeOld(l *line) error {
	oldest := l.shown.Load().oldest
	if oldest == l.removed {
		return nil
	}
	for _, kind := range ofGeneration {
		from, to := appendPrefix(nil, kind, l.id, 0), appendPrefix(nil, kind, l.id, oldest)
		for more := true; more; {
			keys, err := d.keys(from, to)
			if err != nil {
				return err
			}
			if len(keys) > 0 && !d.removeKeys(keys) {
				return nil
			}
			if more = len(keys) == removeAtOnce; more {
				from = keys[len(keys)-1]
			}
		}
	}
	l.removed = oldest
	return nil
}

// keys gives the first keys from one on, up to another.
func (d *Disk) keys(from, to []byte) ([][]byte, error) {
	it := d.ldb.NewIterator(&util.Range{Start: from, Limit: to}, passing)
	defer it.Release()
	var keys [][]byte
	for len(keys) < removeAtOnce && it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	return keys, it.Error()
}

// removeKeys has the committer delete keys, with the next batches of replicas if
// some come. It gives false if the disk is closed or failed before.
func (d *Disk) removeKeys(keys [][]byte) bool {
	done := make(chan struct{})
	if !d.submit(request{gone: keys, size: len(keys) * 2 * prefixSize, done: done}) {
		return false
	}
	select {
	case <-done:
		return true
	case <-d.failed:
		return false
	}
}
