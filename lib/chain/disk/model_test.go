package disk

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/memory"
	"namecast/lib/chain/replica"
)

// A model is a chain as it should be after some of its batches.
type model struct {
	rng     *rand.Rand
	batches []replica.Batch
	store   *memory.Storage // after all batches
	tail    chain.Hash      // of the last record, or of the state
	asked   uint64          // requests so far
	version uint64          // of values, so that no two are alike
	texts   map[string]int  // after how many batches; see find
}

func newModel(rng *rand.Rand) *model { return &model{rng: rng, store: memory.New()} }

// after gives the chain as it is after the first n batches.
func (m *model) after(n int) *memory.Storage {
	s := memory.New()
	for i := range m.batches[:n] {
		s.Apply(&m.batches[i])
	}
	return s
}

// next makes up a batch such as a replica writes.
func (m *model) next() replica.Batch {
	b := replica.Batch{Seq: uint64(len(m.batches) + 1), Sync: m.rng.IntN(3) > 0}
	first, last := m.store.Log()
	state, hash := m.store.State()
	switch m.rng.IntN(40) {
	case 0:
		b.Wipe, first, last, state, hash, m.tail = true, 1, 0, 0, chain.Hash{}, chain.Hash{}
		if m.rng.IntN(2) == 0 {
			m.copied(&b)
			return m.give(b)
		}
	case 1:
		b.Cut, b.CutAfter, last = true, state, state
		m.tail = hash
	}
	if m.rng.IntN(10) == 0 {
		b.Meta = m.meta()
	}
	for range m.rng.IntN(4) {
		last++
		b.Records = append(b.Records, m.record(last))
	}
	if n := m.rng.IntN(4); n > 0 && state < last {
		m.advance(&b, state, min(last, state+chain.LSN(n)))
		state = b.State
	}
	if m.rng.IntN(6) == 0 && state > first+2 {
		b.Trim = first + chain.LSN(m.rng.IntN(int(state-first)+2))
		b.Forget = chain.LSN(m.rng.IntN(int(state)))
	}
	return m.give(b)
}

func (m *model) give(b replica.Batch) replica.Batch {
	m.batches = append(m.batches, b)
	m.store.Apply(&b)
	return b
}

// copied makes the batch bring a whole state.
func (m *model) copied(b *replica.Batch) {
	b.Moved, b.State = true, 10+chain.LSN(m.rng.IntN(1000))
	binary.BigEndian.PutUint64(b.Hash[:], m.rng.Uint64())
	m.tail = b.Hash
	for i := range m.rng.IntN(50) {
		b.Items = append(b.Items, chain.Item{Key: fmt.Appendf(nil, "copied%d", i), Value: m.value(), Version: 3})
	}
	for i := range 5 {
		b.Remembered = append(b.Remembered, m.remembered(chain.LSN(i+1)))
	}
}

func (m *model) meta() *replica.Meta {
	row := chain.Row{Chain: 7, Epoch: chain.Epoch(m.rng.IntN(99)), Restored: chain.Incarnation(m.rng.IntN(2))}
	for i := range m.rng.IntN(4) {
		row.Members = append(row.Members, chain.Member{Node: fmt.Sprint("node", i), Inc: 5})
	}
	if m.rng.IntN(2) == 0 {
		row.Recruit = chain.Member{Node: "recruit", Inc: 1 << 40}
	}
	return &replica.Meta{Inc: chain.Incarnation(1 + m.rng.IntN(9)), Copying: m.rng.IntN(4) == 0, Row: row}
}

func (m *model) value() []byte {
	m.version++
	return fmt.Appendf(nil, "%d%s", m.version, strings.Repeat("x", m.rng.IntN(200)))
}

func (m *model) request() (q chain.RequestID) {
	m.asked++
	binary.BigEndian.PutUint64(q[:], m.asked)
	return q
}

func (m *model) record(lsn chain.LSN) chain.Record {
	rec := chain.Record{LSN: lsn, Epoch: chain.Epoch(m.rng.IntN(300)), Base: lsn - 1, Request: m.request()}
	for range m.rng.IntN(3) {
		rec.Conds = append(rec.Conds, chain.Cond{Kind: chain.AtVersion, Key: m.key(), Version: chain.LSN(m.rng.IntN(400))})
	}
	for range 1 + m.rng.IntN(3) {
		rec.Ops = append(rec.Ops, chain.Op{Kind: chain.Put, Key: m.key(), Value: m.value()})
	}
	rec.Hash = rec.Sum(m.tail)
	m.tail = rec.Hash
	return rec
}

func (m *model) key() []byte { return fmt.Appendf(nil, "%c%d", 'a'+m.rng.IntN(3), m.rng.IntN(20)) }

// advance has the batch apply records that are in it or in the log.
func (m *model) advance(b *replica.Batch, from, to chain.LSN) {
	for lsn := from + 1; lsn <= to; lsn++ {
		rec, ok := m.store.Record(lsn)
		for i := range b.Records {
			if b.Records[i].LSN == lsn {
				rec, ok = b.Records[i], true
			}
		}
		if !ok {
			panic("no such record")
		}
		for _, op := range rec.Ops {
			c := replica.Change{Item: chain.Item{Key: op.Key}, Delete: m.rng.IntN(3) == 0}
			if !c.Delete {
				c.Item.Value, c.Item.Version = op.Value, lsn
			}
			b.Changes = append(b.Changes, c)
		}
		q := m.remembered(lsn)
		q.Request = rec.Request
		b.Remembered = append(b.Remembered, q)
		b.Moved, b.State, b.Hash = true, lsn, rec.Hash
	}
}

func (m *model) remembered(lsn chain.LSN) chain.Remembered {
	o := chain.Outcome{Verdict: chain.Applied, LSN: lsn}
	if m.rng.IntN(3) == 0 {
		o.Verdict, o.Cond, o.Version = chain.Conflict, uint32(m.rng.IntN(500)), chain.LSN(m.rng.IntN(500))
	}
	return chain.Remembered{Request: m.request(), Outcome: o}
}

// text is all that a storage shows, for comparing. Requests are numbered up to asked.
func text(s replica.Storage, asked uint64) string {
	var t strings.Builder
	first, last := s.Log()
	t.WriteString(ends(s))
	for lsn := first; lsn <= last; lsn++ {
		rec, ok := s.Record(lsn)
		fmt.Fprintln(&t, "record", rec, ok)
	}
	if _, ok := s.Record(last + 1); ok {
		fmt.Fprintln(&t, "there is a record after the last")
	}
	snap := s.Snapshot()
	defer snap.Close()
	var after []byte
	for items := snap.Items(nil, 300); len(items) > 0; items = snap.Items(after, 300) {
		for _, it := range items {
			again, ok := s.Get(it.Key)
			fmt.Fprintln(&t, "item", it, again, ok)
			after = it.Key
		}
	}
	_, ok := s.Get([]byte("nothing"))
	fmt.Fprintln(&t, "nothing", ok)
	at := chain.LSN(0)
	for qs := snap.Remembered(0, 7); len(qs) > 0; qs = snap.Remembered(at, 7) {
		for _, q := range qs {
			fmt.Fprintln(&t, "remembered", q)
			at = q.Outcome.LSN
		}
	}
	for n := uint64(1); n <= asked; n++ {
		var q chain.RequestID
		binary.BigEndian.PutUint64(q[:], n)
		if o, ok := s.Outcome(q); ok {
			fmt.Fprintln(&t, "outcome", n, o)
		}
	}
	return t.String()
}

// ends is where a storage stands.
func ends(s replica.Storage) string {
	first, last := s.Log()
	state, hash := s.State()
	return fmt.Sprintf("meta %v\nlog %d to %d\nstate %d %x\n", s.Meta(), first, last, state, hash)
}

// find gives the number of batches after which the chain shows a text, of all or
// of where it stands, or -1.
func (m *model) find(want string) int {
	if m.texts == nil {
		m.texts = map[string]int{}
		s := m.after(0)
		for n := 0; ; n++ {
			m.texts[text(s, m.asked)], m.texts[ends(s)] = n, n
			if n == len(m.batches) {
				break
			}
			s.Apply(&m.batches[n])
		}
	}
	if n, ok := m.texts[want]; ok {
		return n
	}
	return -1
}

// compare verifies that a chain on a disk is as it should be.
func compare(t *testing.T, d *Disk, id chain.ID, want *memory.Storage, asked uint64) {
	t.Helper()
	s := d.Storage(id)
	got, should := text(s, asked), text(want, asked)
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	if got != should {
		t.Fatalf("chain %d: got\n%s\nwant\n%s", id, got, should)
	}
}
