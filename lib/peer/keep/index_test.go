package keep

import (
	"testing"
	"time"
	"unsafe"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// TestIndexOfNeighbours takes entries out of the midst of rows in which they stand behind
// each other, whatever the seed: with as many as there may be, such rows are long.
func TestIndexOfNeighbours(t *testing.T) {
	const many = fewSlots * 3 / 4
	for first := range many {
		x := newIndex()
		var all []*Entry
		for i := range many {
			all = append(all, &Entry{Key: Key{Name: rr.Name(rune('a' + i))}, place: int32(i)})
			x.add(all)
		}
		if len(x.slots) != fewSlots {
			t.Fatalf("%d slots for %d entries", len(x.slots), many)
		}
		for n := many; n > 0; n-- {
			gone := all[first%n]
			x.remove(all, gone)
			if last := all[n-1]; last != gone {
				x.move(all, last, gone.place)
				all[gone.place], last.place = last, gone.place
			}
			all = all[:n-1]
			if x.slots[x.find(all, gone.Key)] != 0 {
				t.Fatalf("%q is found still", gone.Name)
			}
			for i, e := range all {
				if at := x.slots[x.find(all, e.Key)]; at != uint32(i+1) {
					t.Fatalf("%q is found at %d, want %d", e.Name, at, i+1)
				}
			}
		}
	}
}

// TestNameInMessage checks that the name of an entry needs no memory beside its message,
// and that of a server that spells it otherwise is right all the same.
func TestNameInMessage(t *testing.T) {
	for _, c := range []struct {
		name, spelled string
		shared        bool
	}{
		{"as it is asked", "www.example.", true},
		{"with large letters", "WWW.example.", false},
		{"the root", ".", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := response(t, c.spelled, dns.TypeNS, 0, c.spelled+" 60 IN NS a.example.")
			i, err := Describe(msg)
			if err != nil {
				t.Fatal(err)
			}
			cache, k := New(Options{}), Key{Net: 1, Name: i.Name, Type: i.Type}
			own(t, cache, time.Second, &Entry{Key: k, Brief: i.Brief, Msg: msg, Base: time.Second, First: true, Rank: -1})
			e := cache.Get(k)
			if e == nil || e.Name != i.Name {
				t.Fatalf("kept as %v, want %q", e, i.Name)
			}
			if got := len(e.Name) > 0 && unsafe.StringData(string(e.Name)) == &e.Msg[headerLen]; got != c.shared {
				t.Errorf("in the message: %v, want %v", got, c.shared)
			}
			check(t, cache)
		})
	}
}

// TestEntryIsSmall holds an Entry to a size of which the allocator wastes nothing.
func TestEntryIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Entry{}); n > 192 {
		t.Errorf("an entry has %d octets", n)
	}
}
