package peer

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestMoot: timers that have become moot wake nobody, and do not pile up; the others run
// in the order of their times, and those of one time in the order in which they were set.
func TestMoot(t *testing.T) {
	n := New(0, Options{Ring: ringOf(0, 2)})
	before := n.Next()
	over := false
	var ran []string
	for i := range 10 * fewTimers {
		n.unless(func() bool { return over }, time.Duration(1+i%7)*time.Millisecond, func() { ran = append(ran, "moot") })
	}
	for i := range 5 {
		n.after(time.Duration(10-i/2)*time.Millisecond, func() { ran = append(ran, fmt.Sprint(i)) })
	}
	if n.Next() != time.Millisecond {
		t.Errorf("next at %v", n.Next())
	}
	over = true
	if n.Next() != 8*time.Millisecond {
		t.Errorf("next at %v", n.Next())
	}
	n.timers.prune()
	if len(n.timers.heap) != 6 {
		t.Errorf("%d timers", len(n.timers.heap))
	}
	n.Step(20*time.Millisecond, Tick{})
	if want := []string{"4", "2", "3", "0", "1"}; !slices.Equal(ran, want) {
		t.Errorf("%v ran, want %v", ran, want)
	}
	if n.Next() != before {
		t.Errorf("next at %v, want %v", n.Next(), before)
	}
}

// TestTimersOfMisses: a flood of questions that are answered leaves no more timers behind
// than a few.
func TestTimersOfMisses(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 5)})
	for i := range 5000 {
		g.learn(a(fmt.Sprintf("n%d.example", i)), 60, "192.0.2.1")
	}
	if n := len(g.n.timers.heap); n > 4*fewTimers {
		t.Errorf("%d timers", n)
	}
}
