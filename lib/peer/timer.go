package peer

import (
	"container/heap"
	"math"
	"slices"
	"time"
)

// A timer is something to be done at a time. Whether it still matters is for it to look
// at: timers are never taken back.
type timer struct {
	at   time.Duration
	turn uint64 // those of one time run in the order in which they were set
	run  func()
	moot func() bool // once true, always: it need not run any more; nil: it has to
}

type timers struct {
	heap []timer
	turn uint64
	many int // with so many, those that are moot are taken out
}

// fewTimers are not worth a look at which of them are moot.
const fewTimers = 256

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
func (n *Node) after(d time.Duration, run func()) { n.unless(nil, d, run) }

// unless is after for what may become moot. Nobody is woken for it then: nearly all
// questions are answered long before the times that were set for the case that they are not.
func (n *Node) unless(moot func() bool, d time.Duration, run func()) {
	n.timers.turn++
	heap.Push(&n.timers, timer{n.now + max(0, d), n.timers.turn, run, moot})
	if len(n.timers.heap) >= max(n.timers.many, fewTimers) {
		n.timers.prune()
	}
}

// prune takes out the timers that are moot, of which there are many while many questions
// come, and each holds what it was set for.
func (t *timers) prune() {
	t.heap = slices.DeleteFunc(t.heap, func(x timer) bool { return x.moot != nil && x.moot() })
	heap.Init(t)
	t.many = 2 * len(t.heap)
}

// first is the time of the next timer that is not moot; those before it are dropped.
func (t *timers) first() time.Duration {
	for len(t.heap) > 0 {
		if x := &t.heap[0]; x.moot == nil || !x.moot() {
			return x.at
		}
		heap.Pop(t)
	}
	return math.MaxInt64
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
