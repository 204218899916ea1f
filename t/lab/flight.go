package lab

import (
	"container/heap"
	"os"
	"sync"
	"time"
)

// A flight is a frame under way.
type flight struct {
	due   time.Time
	turn  uint64 // of two that are due at once, the lower goes first
	way   way
	frame []byte
}

// maxFlights bounds the frames that are under way to one port: 100 ms of small
// packets at 80,000 a second.
const maxFlights = 8192

// An outlet is a port of a slow network, and the frames under way to it.
type outlet struct {
	port *Port
	tap  *os.File
	wake chan struct{} // has room for one: there is an earlier frame now

	mu      sync.Mutex
	turn    uint64
	flights flights
}

// push puts a frame under way, unless there are too many.
func (o *outlet) push(f flight) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.flights) >= maxFlights {
		return false
	}
	o.turn++
	f.turn = o.turn
	heap.Push(&o.flights, f)
	if o.flights[0].turn == f.turn {
		select {
		case o.wake <- struct{}{}:
		default: // it is being woken
		}
	}
	return true
}

// idle is how long an outlet without frames sleeps; a push wakes it.
const idle = time.Hour

// pop takes the frame that is due, or says how long there is none.
func (o *outlet) pop(now time.Time) (flight, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.flights) == 0 {
		return flight{}, idle
	}
	if wait := o.flights[0].due.Sub(now); wait > 0 {
		return flight{}, wait
	}
	return heap.Pop(&o.flights).(flight), 0
}

// flights is a heap by the time when they are due.
type flights []flight

func (h flights) Len() int { return len(h) }

func (h flights) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].turn < h[j].turn
	}
	return h[i].due.Before(h[j].due)
}

func (h flights) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *flights) Push(x any) { *h = append(*h, x.(flight)) }

func (h *flights) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = flight{} // lets the frame go
	*h = old[:len(old)-1]
	return last
}
