package replica_test

import (
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/memory"
	"namecast/lib/chain/replica"
)

// told tells whether somebody was reported in an epoch.
func (l *lab) told(kind replica.ReportKind, epoch chain.Epoch, name string) bool {
	for _, r := range l.reports {
		if r == (replica.Report{Epoch: epoch, Kind: kind, Member: l.hosts[name].self}) {
			return true
		}
	}
	return false
}

// A successor that leaves everything unanswered is reported by its predecessor, and by
// nobody else; as long as nothing is asked of it, it is not.
func TestSilentSuccessor(t *testing.T) {
	for _, c := range []struct{ cut, silent string }{{"C>B", "C"}, {"B>C", "C"}, {"B>A", "B"}, {"A>B", "B"}} {
		t.Run(c.cut, func(t *testing.T) {
			l := trio(t)
			l.write("A", put(1, "k", "1"))
			l.cut[c.cut] = true
			l.wait(5 * time.Second)
			if len(l.reports) > 0 {
				t.Fatalf("nothing is asked of it, and yet: %+v", l.reports)
			}
			l.ask("A", 1, put(2, "k", "2"))
			l.wait(1900 * time.Millisecond)
			if len(l.reports) > 0 {
				t.Fatalf("too soon: %+v", l.reports)
			}
			l.wait(1200 * time.Millisecond)
			if n := len(l.reports); n < 2 || n > 4 || !l.told(replica.Silent, 1, c.silent) {
				t.Errorf("reports: %+v", l.reports)
			}
			for _, r := range l.reports {
				if r.Member.Node != c.silent {
					t.Errorf("%+v", r)
				}
			}
			l.cut[c.cut] = false
			l.wait(time.Second)
			l.reports = nil
			l.wait(5 * time.Second)
			if len(l.reports) > 0 {
				t.Errorf("it answers again, and yet: %+v", l.reports)
			}
		})
	}
}

// One who has just begun the epoch is asked too.
func TestSilentFromTheStart(t *testing.T) {
	l := newLab(t, "A", "B")
	l.hosts["A"].step(replica.Configure{Row: l.row(1, "", "A", "B")})
	l.wait(3 * time.Second)
	if !l.told(replica.Silent, 1, "B") {
		t.Errorf("reports: %+v", l.reports)
	}
}

// A successor that is slow, as its disk is, answers, and keeps its place.
func TestSlowSuccessor(t *testing.T) {
	l := trio(t)
	l.hosts["B"].held = true
	l.ask("A", 1, put(1, "k", "1"))
	l.wait(10 * time.Second)
	if len(l.reports) > 0 {
		t.Errorf("reports: %+v", l.reports)
	}
}

// A member that stood still does not take its successor for silent.
func TestStoodStill(t *testing.T) {
	l := trio(t)
	l.cut["B>A"] = true
	l.ask("A", 1, put(1, "k", "1"))
	l.wait(200 * time.Millisecond)
	l.cut["B>A"] = false
	l.now += time.Minute
	l.wait(5 * time.Second)
	if len(l.reports) > 0 {
		t.Errorf("reports: %+v", l.reports)
	}
}

// halfCopy is a disk with half a copy of an incarnation.
func halfCopy(inc chain.Incarnation) *memory.Storage {
	s := memory.New()
	s.Apply(&replica.Batch{
		Meta:  &replica.Meta{Inc: inc, Copying: true},
		Items: []chain.Item{{Key: []byte("k"), Value: []byte("half"), Version: 3}},
	})
	return s
}

// A chain that begins anew on a node with half a copy begins with nothing, and shows
// none of it before the disk is empty.
func TestBeginOnHalfCopy(t *testing.T) {
	l := newLab(t, "A", "B")
	a := l.hosts["A"]
	a.disk, a.held = halfCopy(3), true
	a.start("A", 9, replica.Options{})
	row := l.row(1001, "", "A", "B")
	l.install(row)
	if s := a.rep.Status(); s.Role != replica.None || s.Why != "empties its disk of half a copy" {
		t.Errorf("%+v", s)
	}
	if r, _ := l.read("A", chain.Read{Mode: chain.Eventual}, "k"); r.Status != chain.NotServing {
		t.Errorf("%+v", r)
	}
	a.held = false
	a.flush()
	l.settle()
	l.wait(time.Second)
	for _, mode := range []chain.Mode{chain.Eventual, chain.Strong} {
		if r, ok := l.read("A", chain.Read{Mode: mode}, "k"); !ok || r.Status != chain.Done || r.Values[0].Found {
			t.Errorf("mode %d: %+v", mode, r)
		}
	}
	if o := l.write("B", put(1, "k", "new")); o.LSN != 1 {
		t.Errorf("%+v", o)
	}
	if m := a.disk.Meta(); m.Inc != 9 || m.Copying || m.Row.Epoch != 1001 || len(l.halts) > 0 {
		t.Errorf("%+v, halts %q", m, l.halts)
	}
}

// What comes while the disk is emptied: a Fence holds, another row counts, one that
// restores data stops the replica, and a crash begins anew.
func TestWhileEmptied(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*lab, *host)
		role replica.Role
	}{
		"nothing": {func(*lab, *host) {}, replica.Serving},
		"a fence": {func(l *lab, a *host) {
			a.step(replica.Request{Client: 5, Body: chain.Fence{ID: 1, Epoch: 7}})
		}, replica.Barred},
		"a row without it": {func(l *lab, a *host) { a.step(replica.Configure{Row: l.row(8, "", "B")}) }, replica.None},
		"the next row":     {func(l *lab, a *host) { a.step(replica.Configure{Row: l.row(8, "", "A", "B")}) }, replica.Serving},
		"it is a recruit":  {func(l *lab, a *host) { a.step(replica.Configure{Row: l.row(8, "A", "B")}) }, replica.Copying},
		"a row with data": {func(l *lab, a *host) {
			row := l.row(8, "", "A")
			row.Restored = 3
			a.step(replica.Configure{Row: row})
		}, replica.Stopped},
		"a crash": {func(l *lab, a *host) {
			a.flush()
			a.start("A", 10, replica.Options{})
			a.step(replica.Configure{Row: l.row(9, "", "A")})
		}, replica.Serving},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "A", "B")
			a := l.hosts["A"]
			a.disk, a.held = halfCopy(3), true
			a.start("A", 9, replica.Options{})
			l.install(l.row(7, "", "A", "B"))
			c.then(l, a)
			a.held = false
			for range 3 {
				a.flush()
				l.settle()
			}
			if s := a.rep.Status(); s.Role != c.role {
				t.Errorf("%+v, halts %q", s, l.halts)
			}
			if it, ok := a.disk.Get([]byte("k")); ok && c.role != replica.Stopped {
				t.Errorf("%v is there yet", it)
			}
		})
	}
}
