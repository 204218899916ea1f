package keep

import (
	"hash/maphash"
	"unsafe"

	"namecast/lib/rr"
)

// An index finds entries by their keys. It is a table of their places, with linear
// probing: a map would hold each key once more, which is a quarter of an entry.
type index struct {
	seed  maphash.Seed // nobody can foresee which keys come to stand together
	slots []uint32     // places in Cache.all, from 1 on; 0: free. Their number is a power of two
}

// fewSlots are there at least.
const fewSlots = 16

func newIndex() index { return index{maphash.MakeSeed(), make([]uint32, fewSlots)} }

// home is the slot in which a key is looked for first.
func (x *index) home(k Key) int {
	return int(maphash.Comparable(x.seed, k) & uint64(len(x.slots)-1))
}

// after is the slot after i.
func (x *index) after(i int) int { return (i + 1) & (len(x.slots) - 1) }

// find gives the slot of a key, or if it is not there, the free one where it would be.
func (x *index) find(all []*Entry, k Key) int {
	i := x.home(k)
	for x.slots[i] != 0 && all[x.slots[i]-1].Key != k {
		i = x.after(i)
	}
	return i
}

// add takes in the last of all, whose key is not there yet.
func (x *index) add(all []*Entry) {
	if 4*len(all) > 3*len(x.slots) {
		x.slots = make([]uint32, 2*len(x.slots))
		for i := range all {
			x.slots[x.find(all, all[i].Key)] = uint32(i + 1)
		}
		return
	}
	x.slots[x.find(all, all[len(all)-1].Key)] = uint32(len(all))
}

// move has an entry be found at another place, where it is not yet.
func (x *index) move(all []*Entry, e *Entry, to int32) {
	x.slots[x.find(all, e.Key)] = uint32(to + 1)
}

// remove takes an entry out, which is still in its place.
func (x *index) remove(all []*Entry, e *Entry) {
	gap, mask := x.find(all, e.Key), len(x.slots)-1
	// What stands behind the gap because its own slots were taken moves up.
	for i := x.after(gap); x.slots[i] != 0; i = x.after(i) {
		if home := x.home(all[x.slots[i]-1].Key); (i-home)&mask >= (i-gap)&mask {
			x.slots[gap], gap = x.slots[i], i
		}
	}
	x.slots[gap] = 0
}

// shared is the name of an entry as it stands in its message, which is never changed: so
// it needs no memory of its own. A server that spells it otherwise is a rare one.
func (e *Entry) shared() rr.Name {
	n := len(e.Name)
	if n == 0 || len(e.Msg) < headerLen+n || rr.Name(e.Msg[headerLen:headerLen+n]) != e.Name {
		return e.Name
	}
	return rr.Name(unsafe.String(&e.Msg[headerLen], n))
}
