package replica_test

import (
	"fmt"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// copying is a chain of A alone, that keeps a log of 8 records, with D as a recruit that
// is to get a copy and whose disk has stopped.
func copying(t *testing.T, stall time.Duration) *lab {
	l := newLab(t)
	l.add("A", replica.Options{Keep: 8, Cache: 1, Chunk: 50, Stall: stall})
	l.add("D", replica.Options{})
	l.install(l.row(1, "", "A"))
	for i := 1; i <= 100; i++ {
		l.write("A", put(i, fmt.Sprintf("key %d", i%30), fmt.Sprint(i)))
	}
	l.cut["A>D"] = true
	l.install(l.row(2, "D", "A"))
	l.cut["A>D"] = false
	l.hosts["D"].held = true
	return l
}

// copied counts the copies that A has begun and the chunks that it has sent.
func (l *lab) copied() (copies map[uint64]bool, chunks int) {
	copies = map[uint64]bool{}
	for _, s := range l.hosts["A"].sent {
		switch m := s.Body.(type) {
		case chain.SnapBegin:
			copies[m.ID] = true
		case chain.SnapChunk:
			chunks++
		}
	}
	return copies, chunks
}

// stalled reports whether a recruit was reported as stalled.
func (l *lab) stalled() bool {
	for _, r := range l.reports {
		if r.Kind == replica.Stalled {
			return true
		}
	}
	return false
}

// A recruit that answers, but is slow in writing, keeps its place for a long time, and is
// not sent everything again and again meanwhile.
func TestRecruitSlow(t *testing.T) {
	l := copying(t, time.Second)
	l.wait(14 * time.Second)
	if copies, chunks := l.copied(); l.stalled() || len(copies) != 1 || chunks == 0 || chunks > 20 {
		t.Fatalf("after 14 s: %d copies, %d chunks, reports %+v", len(copies), chunks, l.reports)
	}
	l.hosts["D"].held = false
	l.hosts["D"].flush()
	l.wait(time.Second)
	if !l.ready(2, "D") || l.stalled() {
		t.Errorf("when it writes again: %+v, reports %+v", l.hosts["D"].rep.Status(), l.reports)
	}
}

// A recruit that answers, but writes nothing, does not keep its place for ever.
func TestRecruitHopeless(t *testing.T) {
	l := copying(t, time.Second)
	if l.wait(16 * time.Second); !l.stalled() {
		t.Errorf("after 16 s: reports %+v", l.reports)
	}
}

// A recruit that commits wait for keeps them waiting no longer than the time of a stall,
// though it answers.
func TestRecruitHoldsUp(t *testing.T) {
	l := copying(t, time.Second)
	l.hosts["D"].held = false
	l.hosts["D"].flush()
	if l.wait(time.Second); !l.ready(2, "D") {
		t.Fatalf("D: %+v", l.hosts["D"].rep.Status())
	}
	l.hosts["D"].held = true
	if got := l.ask("A", 1, put(101, "k", "v")); len(got) != 0 {
		t.Fatalf("committed without the recruit: %+v", got)
	}
	if l.wait(900 * time.Millisecond); l.stalled() {
		t.Errorf("too early: %+v", l.reports)
	}
	if l.wait(200 * time.Millisecond); !l.stalled() {
		t.Errorf("too late: %+v", l.reports)
	}
}

// A tail that has itself stood still does not take that for the recruit's silence.
func TestTailStoodStill(t *testing.T) {
	l := copying(t, time.Second)
	l.wait(100 * time.Millisecond)
	l.now += 5 * time.Second
	l.wait(500 * time.Millisecond)
	if l.stalled() {
		t.Errorf("reports %+v", l.reports)
	}
}

// The log goes on from where a copy ends, however far it has gone meanwhile.
func TestLogWhileCopied(t *testing.T) {
	l := copying(t, time.Hour)
	l.wait(100 * time.Millisecond)
	for i := 101; i <= 200; i++ {
		l.write("A", put(i, fmt.Sprintf("key %d", i%30), fmt.Sprint(i)))
	}
	l.hosts["D"].held = false
	l.hosts["D"].flush()
	l.wait(2 * time.Second)
	if copies, _ := l.copied(); len(copies) != 1 || !l.ready(2, "D") {
		t.Errorf("%d copies; D: %+v", len(copies), l.hosts["D"].rep.Status())
	}
}

// Lost parts of a copy are sent again, and so is a lost last word.
func TestCopyLost(t *testing.T) {
	for _, way := range []string{"A>D", "D>A"} {
		l := copying(t, time.Hour)
		l.wait(100 * time.Millisecond)
		l.hosts["D"].held = false
		l.cut[way] = true
		l.hosts["D"].flush()
		l.wait(10 * time.Second)
		if l.ready(2, "D") {
			t.Fatalf("%s: ready though nothing arrives", way)
		}
		l.cut[way] = false
		l.wait(20 * time.Second)
		if copies, _ := l.copied(); len(copies) != 1 || !l.ready(2, "D") {
			t.Errorf("%s: %d copies; D: %+v", way, len(copies), l.hosts["D"].rep.Status())
		}
	}
}
