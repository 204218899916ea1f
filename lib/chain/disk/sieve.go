package disk

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/chain"
)

// A sieve tells which requests are surely not among those that a generation of a
// chain remembers. That is asked of every write at every member, nearly always
// the answer is that it is not, and to find that out from the database takes
// longer than all else that the replica does with the write.
//
// It is a Bloom filter in layers, so that it grows with what is remembered and the
// oldest can go: 2 octets a request, at most about 140 KiB a chain.
type sieve struct {
	mu     sync.Mutex
	layers []*layer
	whole  bool // all that is remembered is in it
}

// The sizes of a layer: 16 bits for each request, in blocks of 512 bits, which are
// one line of the processor's cache.
const (
	layerRequests = 4096
	blockWords    = 8
	layerWords    = layerRequests * 16 / 64
)

// A layer is a Bloom filter of up to layerRequests requests.
type layer struct {
	newest chain.LSN // of the records that the requests are of
	count  int
	bits   [layerWords]uint64
}

// probes are where a request has its bits: in which block, and in it four places of
// 9 bits each.
func probes(q *chain.RequestID) (block int, places uint64) {
	spread := func(h uint64) uint64 { return (h ^ h>>32) * 0x9e3779b97f4a7c15 }
	h := spread(binary.LittleEndian.Uint64(q[:8]))
	h = spread(spread(h ^ binary.LittleEndian.Uint64(q[8:])))
	h ^= h >> 29
	return int(h%(layerWords/blockWords)) * blockWords, h >> 16
}

// add takes in the request of a record.
func (s *sieve) add(q *chain.RequestID, lsn chain.LSN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.layers); n == 0 || s.layers[n-1].count == layerRequests {
		s.layers = append(s.layers, &layer{})
	}
	l := s.layers[len(s.layers)-1]
	l.newest = max(l.newest, lsn)
	l.count++
	block, places := probes(q)
	for range 4 {
		l.bits[block+int(places>>6&(blockWords-1))] |= 1 << (places & 63)
		places >>= 9
	}
}

// mayHave reports whether the request may be remembered.
func (s *sieve) mayHave(q *chain.RequestID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.whole {
		return true
	}
	block, places := probes(q)
	for _, l := range s.layers {
		if l.mayHave(block, places) {
			return true
		}
	}
	return false
}

func (l *layer) mayHave(block int, places uint64) bool {
	for range 4 {
		if l.bits[block+int(places>>6&(blockWords-1))]&(1<<(places&63)) == 0 {
			return false
		}
		places >>= 9
	}
	return true
}

// forget lets go of the layers that hold only requests of records below an LSN.
func (s *sieve) forget(below chain.LSN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.layers = slices.DeleteFunc(s.layers, func(l *layer) bool { return l.newest < below })
}

// complete says that all that is remembered is in the sieve.
func (s *sieve) complete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = true
}

// gather fills the sieves with what was on the disk when it was opened, one chain
// after the other, until Close. What is written meanwhile the committer adds.
func (d *Disk) gather() {
	defer d.running.Done()
	for i := range d.chains {
		select {
		case <-d.closing:
			return
		default:
			d.gatherChain(&d.chains[i])
		}
	}
}

// gatherChain fills the sieve of a chain. If something cannot be read, it stays as
// it is, and who looks for a request meets the error.
func (d *Disk) gatherChain(l *line) {
	now := l.shown.Load()
	from, to := appendPrefix(nil, kindOrder, l.id, now.gen), appendPrefix(nil, kindOrder, l.id, now.gen+1)
	it := d.ldb.NewIterator(&util.Range{Start: from, Limit: to}, passing)
	defer it.Release()
	for n := 1; it.Next(); n++ {
		q, ok := parseRemembered(it.Value())
		if !ok {
			return
		}
		now.sieve.add(&q.Request, q.Outcome.LSN)
		if n%layerRequests == 0 && d.isClosing() {
			return
		}
	}
	if it.Error() == nil {
		now.sieve.complete()
	}
}

func (d *Disk) isClosing() bool {
	select {
	case <-d.closing:
		return true
	default:
		return false
	}
}
