package peer

import (
	"container/heap"
	"time"
)

// A timer is something to be done at a time. Whether it still matters is for it to look
// at: timers are never taken back.
type timer struct {
	at   time.Duration
	turn uint64 // those of one time run in the order in which they were set
	run  func()
}

type timers struct {
	heap []timer
	turn uint64
}

func (t *timers) Len() int { return len(t.heap) }
func (t *timers) Less(i, j int) bool {
	a, b := &t.heap[i], &t.heap[j]
	return a.at < b.at || a.at == b.at && a.turn < b.turn
}
func (t *timers) Swap(i, j int) { t.heap[i], t.heap[j] = t.heap[j], t.heap[i] }
func (t *timers) Push(x any)    { t.heap = append(t.heap, x.(timer)) }
func (t *timers) Pop() any {
	last := len(t.heap) - 1
	x := t.heap[last]
	t.heap[last] = timer{}
	t.heap = t.heap[:last]
	return x
}

// after has something done a while from now.
func (n *Node) after(d time.Duration, run func()) {
	n.timers.turn++
	heap.Push(&n.timers, timer{n.now + max(0, d), n.timers.turn, run})
}

// expire does what is due.
func (n *Node) expire() {
	// What is set meanwhile for now is done now too, but not without end.
	for range 100_000 {
		if len(n.timers.heap) == 0 || n.timers.heap[0].at > n.now {
			return
		}
		heap.Pop(&n.timers).(timer).run()
	}
}

// A bucket lets events through at a rate, and burst of them at once: the generic cell
// rate algorithm.
type bucket struct {
	step  time.Duration // that one event costs
	burst time.Duration
	whole time.Duration // when the bucket is full again
}

// perSecond is a bucket of so many events a second, and as many at once.
func perSecond(events int) bucket {
	step := time.Second / time.Duration(events)
	return bucket{step: step, burst: step * time.Duration(events)}
}

// take takes an event out, or reports that there is none.
func (b *bucket) take(now time.Duration) bool {
	whole := max(b.whole, now)
	if whole+b.step-now > b.burst {
		return false
	}
	b.whole = whole + b.step
	return true
}

// A memory is a map of bounded size that forgets what came first.
type memory[K comparable, V any] struct {
	of    map[K]V
	order []K // a ring, once it is full
	next  int
	most  int
}

func newMemory[K comparable, V any](most int) memory[K, V] {
	return memory[K, V]{of: make(map[K]V), most: most}
}

func (m *memory[K, V]) get(k K) (V, bool) {
	v, ok := m.of[k]
	return v, ok
}

func (m *memory[K, V]) put(k K, v V) {
	if _, ok := m.of[k]; !ok {
		if len(m.order) < m.most {
			m.order = append(m.order, k)
		} else {
			delete(m.of, m.order[m.next])
			m.order[m.next] = k
			m.next = (m.next + 1) % m.most
		}
	}
	m.of[k] = v
}
