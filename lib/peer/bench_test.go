package peer

import (
	"testing"
	"time"
)

// BenchmarkHit is a question answered from memory.
func BenchmarkHit(b *testing.B) {
	g := newRig(b, Options{Ring: ringOf(0, 50)})
	q := a("www.example")
	g.learn(q, 1<<20, "192.0.2.1")
	now := g.now
	b.ReportAllocs()
	for b.Loop() {
		now += time.Microsecond
		g.n.Step(now, Query{ID: 1, Question: q})
	}
}

// BenchmarkMiss is a question that a server answers, and whose answer goes to owners.
func BenchmarkMiss(b *testing.B) {
	g := newRig(b, Options{Ring: ringOf(0, 50)})
	q := a("www.example")
	msg := response(q, 0, "192.0.2.1")
	now := g.now
	b.ReportAllocs()
	for b.Loop() {
		now += time.Millisecond
		for _, x := range g.n.Step(now, Query{ID: 1, Question: q}) {
			if f, ok := x.(Fetch); ok {
				g.n.Step(now, Fetched{Req: f.Req, Msg: msg})
			}
		}
		g.n.Step(now, Tick{})
	}
}
