package disk

import (
	"math/rand/v2"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// part is a part of a copy, of so many octets.
func part(id chain.ID, seq uint64, size int) request {
	return request{id: id, batch: &replica.Batch{Seq: seq, Items: []chain.Item{{Key: []byte("k")}}}, size: size}
}

// plain is a batch of a write.
func plain(id chain.ID, seq uint64, size int) request {
	return request{id: id, batch: &replica.Batch{Seq: seq, Sync: true}, size: size, sync: true}
}

// TestQueueLanes: what a copy brings does not hold up the batches of other chains, and
// goes on beside them.
func TestQueueLanes(t *testing.T) {
	var q queue
	for seq := range uint64(40) {
		q.add(part(1, seq+1, 256<<10))
	}
	q.add(plain(1, 41, 100)) // behind its copy
	q.add(plain(2, 1, 100))
	got := q.take(nil)
	if len(got) != 2 || got[0].id != 2 || got[1].id != 1 || got[1].batch.Seq != 1 {
		t.Fatalf("the first write has %d requests: %+v", len(got), got)
	}
	if got = q.take(got[:0]); len(got) != 4 || got[0].batch.Seq != 2 {
		t.Errorf("a write with nothing else has %d requests", len(got))
	}
	if !q.due() {
		t.Error("much waits, and is not due")
	}
	q.add(plain(3, 1, 2<<20))
	if got = q.take(got[:0]); len(got) != 2 || got[0].id != 3 || got[1].batch.Seq != 6 {
		t.Errorf("a copy does not go on beside a large batch: %+v", got)
	}
	for q.len() > 0 {
		got = q.take(got[:0])
	}
	if last := got[len(got)-1]; last.id != 1 || last.batch.Seq != 41 {
		t.Errorf("the last is %+v", last)
	}
	q.add(plain(1, 42, 100))
	if q.add(part(2, 1, 100)); q.plain.octets != 100 || q.copies.octets != 100 || !q.due() {
		t.Errorf("after the copy: %+v", q.plain)
	}
}

// TestQueueOrder: of each chain the batches are taken in their order, whatever comes;
// at the end nothing is left or counted.
func TestQueueOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q queue
	var added, taken [4]uint64
	for n := 0; n < 10000 || q.len() > 0; n++ {
		if n < 10000 && rng.IntN(3) > 0 {
			id := chain.ID(rng.IntN(len(added)))
			added[id]++
			make := []func(chain.ID, uint64, int) request{part, plain}[rng.IntN(2)]
			q.add(make(id, added[id], rng.IntN(600<<10)))
			continue
		}
		if n >= 10000 || rng.IntN(2) == 0 {
			got := q.take(nil)
			if len(got) == 0 && q.len() > 0 {
				t.Fatal("nothing is taken of what waits")
			}
			for _, r := range got {
				if taken[r.id]++; r.batch.Seq != taken[r.id] {
					t.Fatalf("chain %d: batch %d after %d", r.id, r.batch.Seq, taken[r.id]-1)
				}
			}
		}
	}
	if taken != added || q.plain.octets+q.copies.octets+q.plain.urgent+q.copies.urgent != 0 || q.copied != [chain.Chains]int{} {
		t.Errorf("taken %v of %v; %+v", taken, added, q)
	}
}
