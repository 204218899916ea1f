package replica_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/memory"
	"namecast/lib/chain/replica"
)

// A new tail waits for its predecessor's word, and then commits its whole log
// before it answers.
func TestNewTail(t *testing.T) {
	l := trio(t)
	l.hosts["C"].held = true
	l.ask("A", 1, put(1, "k", "v"))
	row := l.row(2, "", "A", "B")
	l.hosts["B"].step(replica.Configure{Row: row})
	l.settle()
	if s := l.hosts["B"].rep.Status(); s.Active || s.Committed != 0 || s.Why == "" {
		t.Errorf("before its predecessor is in the epoch: %+v", s)
	}
	if r, ok := l.read("B", chain.Read{Mode: chain.Strong}, "k"); ok {
		t.Errorf("it answers %+v", r)
	}
	l.hosts["A"].step(replica.Configure{Row: row})
	l.settle()
	if s := l.hosts["B"].rep.Status(); !s.Active || s.Committed != 1 {
		t.Errorf("after that: %+v", s)
	}
	if got := l.replies[2]; len(got) != 1 || string(got[0].(chain.ReadReply).Values[0].Data) != "v" {
		t.Errorf("who had asked is told %+v", got)
	}
	if got := l.replies[1]; len(got) != 1 || got[0].(chain.ProposeReply).Outcome.LSN != 1 {
		t.Errorf("the writer is told %+v", got)
	}
}

// A new head goes on with the log it has.
func TestNewHead(t *testing.T) {
	l := trio(t)
	l.cut["B>C"] = true
	l.ask("A", 1, put(1, "k", "v"))
	l.cut["B>C"] = false
	l.hosts["A"].step(replica.Configure{Row: l.row(2, "", "B", "C")})
	if got := l.replies[1]; len(got) != 1 || got[0].(chain.ProposeReply).Status != chain.Unknown {
		t.Errorf("the old head tells its client %+v", got)
	}
	l.install(l.row(2, "", "B", "C"))
	if o := l.write("C", put(1, "k", "v")); o != (chain.Outcome{Verdict: chain.Applied, LSN: 1}) {
		t.Errorf("a retry at the new one: %+v", o)
	}
	if r, ok := l.read("A", chain.Read{Mode: chain.Eventual}, "k"); !ok || r.Status != chain.NotServing {
		t.Errorf("the old one reads %+v", r)
	}
}

// ready reports whether the tail has reported the recruit ready for the epoch.
func (l *lab) ready(epoch chain.Epoch, name string) bool {
	for _, r := range l.reports {
		if r == (replica.Report{Epoch: epoch, Kind: replica.Ready, Member: l.hosts[name].self}) {
			return true
		}
	}
	return false
}

// A recruit that has nothing gets the log if that is small and reaches back, else a
// copy; then commits wait for it, and it can be promoted.
func TestRecruit(t *testing.T) {
	for _, c := range []struct {
		keep, cache int
		copy        bool
	}{{keep: 1000, cache: 1 << 20}, {keep: 1000, cache: 1, copy: true}, {keep: 8, cache: 1, copy: true}} {
		t.Run(fmt.Sprintf("log of %d, %d octets in memory", c.keep, c.cache), func(t *testing.T) {
			l := newLab(t)
			l.add("A", replica.Options{Keep: c.keep, Cache: c.cache, Chunk: 50})
			l.add("B", replica.Options{Keep: c.keep, Cache: c.cache, Chunk: 50})
			l.add("D", replica.Options{Chunk: 50})
			l.install(l.row(1, "", "A", "B"))
			for i := 1; i <= 100; i++ {
				l.write("A", put(i, fmt.Sprintf("key %d", i%30), fmt.Sprint(i)))
			}
			l.install(l.row(2, "D", "A", "B"))
			if !l.ready(2, "D") {
				t.Fatalf("not ready: %+v", l.hosts["B"].rep.Status())
			}
			copied := false
			for _, s := range l.hosts["B"].sent {
				_, is := s.Body.(chain.SnapEnd)
				copied = copied || is
			}
			if copied != c.copy {
				t.Errorf("it got a copy: %v", copied)
			}
			l.hosts["D"].held = true
			if got := l.ask("A", 1, put(101, "k", "v")); len(got) != 0 {
				t.Errorf("committed without the recruit: %+v", got)
			}
			l.hosts["D"].held = false
			l.hosts["D"].flush()
			l.settle()
			l.install(l.row(3, "", "A", "B", "D"))
			l.install(l.row(4, "", "D"))
			for i := 71; i <= 100; i++ {
				r, _ := l.read("D", chain.Read{Mode: chain.Strong}, fmt.Sprintf("key %d", i%30))
				if string(r.Values[0].Data) != fmt.Sprint(i) {
					t.Errorf("key %d is %q, want %d", i%30, r.Values[0].Data, i)
				}
			}
			if o := l.write("D", put(95, "x", "x")); o.LSN != 95 {
				t.Errorf("an old request again: %+v", o)
			}
		})
	}
}

// What a recruit has from before is good as far as it was committed.
func TestRecruitComesBack(t *testing.T) {
	l := trio(t)
	l.write("A", put(1, "k", "committed"))
	l.cut["B>C"] = true
	l.cut["B>A"] = true
	l.ask("A", 1, put(2, "k", "lost"))
	l.cut["A>B"] = true
	l.ask("A", 1, put(3, "k", "lost too"))
	l.hosts["B"].step(replica.Configure{Row: l.row(2, "", "C")})
	l.hosts["C"].step(replica.Configure{Row: l.row(2, "", "C")})
	clear(l.cut)
	l.settle()
	l.write("C", put(4, "k", "other"))
	l.install(l.row(3, "A", "C"))
	if !l.ready(3, "A") {
		t.Fatalf("A is not ready: %+v", l.hosts["A"].rep.Status())
	}
	l.install(l.row(4, "", "C", "A"))
	r, _ := l.read("A", chain.Read{Mode: chain.Strong}, "k")
	if string(r.Values[0].Data) != "other" || len(l.halts) > 0 {
		t.Errorf("A has %+v; halts %q", r, l.halts)
	}
}

func TestRecruitStalls(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"A", "B"} {
		l.add(name, replica.Options{Stall: time.Second})
	}
	l.install(l.row(1, "", "A"))
	l.write("A", put(1, "k", "v"))
	l.cut["B>A"] = true
	l.install(l.row(2, "B", "A"))
	l.wait(900 * time.Millisecond)
	if len(l.reports) != 0 {
		t.Errorf("too early: %+v", l.reports)
	}
	l.wait(200 * time.Millisecond)
	want := replica.Report{Epoch: 2, Kind: replica.Stalled, Member: l.hosts["B"].self}
	if len(l.reports) != 1 || l.reports[0] != want {
		t.Errorf("reports %+v, want %+v", l.reports, want)
	}
}

// A recruit that follows but never comes near has commits slowed down.
func TestPace(t *testing.T) {
	l := newLab(t)
	o := replica.Options{Pace: time.Second, GateLag: 1, Stall: time.Hour}
	l.add("A", o)
	l.add("B", o)
	l.install(l.row(1, "", "A"))
	for i := 1; i <= 20; i++ {
		l.write("A", put(i, "k", "v"))
	}
	row := l.row(2, "B", "A")
	l.hosts["B"].step(replica.Configure{Row: row})
	l.hosts["A"].step(replica.Configure{Row: row})
	l.hosts["A"].step(replica.Tick{}) // says hello, and nothing gets there after that
	l.cut["A>B"] = true
	l.settle()
	l.write("A", put(21, "k", "v"))
	l.wait(2 * time.Second)
	if got := l.ask("A", 1, put(22, "k", "v")); len(got) != 0 {
		t.Errorf("committed, though the recruit does not come nearer: %+v", got)
	}
	l.cut["A>B"] = false
	l.wait(time.Second)
	if len(l.replies[1]) != 1 || !l.ready(2, "B") {
		t.Errorf("when it has caught up: %+v, ready %v", l.replies[1], l.ready(2, "B"))
	}
}

func TestFence(t *testing.T) {
	l := trio(t)
	l.write("A", put(1, "k", "v"))
	got := l.ask("C", 7, chain.Fence{ID: 5, Epoch: 1})
	if diff := cmp.Diff([]chain.Message{chain.FenceReply{ID: 5, Epoch: 1}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r, _ := l.read("C", chain.Read{Mode: chain.Eventual}, "k"); r.Status != chain.NotServing {
		t.Errorf("it serves on: %+v", r)
	}
	want := replica.Report{Epoch: 1, Kind: replica.Fenced, Member: l.hosts["C"].self}
	if len(l.reports) == 0 || l.reports[0] != want {
		t.Errorf("reports %+v, want %+v", l.reports, want)
	}
	l.ask("D", 7, chain.Fence{ID: 6, Epoch: 4})
	l.install(l.row(4, "", "A", "D"))
	if s := l.hosts["D"].rep.Status(); s.Role == replica.Serving {
		t.Errorf("installed an epoch it was fenced for: %+v", s)
	}
	l.install(l.row(5, "C", "A"))
	if s := l.hosts["C"].rep.Status(); s.Role != replica.Copying {
		t.Errorf("in a later epoch: %+v", s)
	}
}

// crash starts the node's process anew, as the next incarnation.
func (l *lab) crash(name string) {
	h := l.hosts[name]
	h.start(name, h.self.Inc+1, replica.Options{})
}

// A chain of which every member died goes on from the disk of any.
func TestRestart(t *testing.T) {
	for _, name := range []string{"A", "B", "C"} {
		t.Run(name, func(t *testing.T) {
			l := trio(t)
			l.write("A", put(1, "k", "1"))
			l.cut["C>B"], l.cut["C>A"] = true, true
			l.ask("A", 1, put(2, "k", "2")) // committed at C, known to C alone
			clear(l.cut)
			for _, n := range []string{"A", "B", "C"} {
				l.crash(n)
			}
			row := l.row(2, "", name)
			row.Restored = 1
			l.install(row)
			r, ok := l.read(name, chain.Read{Mode: chain.Strong}, "k")
			if !ok || string(r.Values[0].Data) != "2" {
				t.Errorf("%+v, %v", r, ok)
			}
			if o := l.write(name, put(2, "k", "2")); o.LSN != 2 {
				t.Errorf("a retry: %+v", o)
			}
		})
	}
}

func TestRestartRefused(t *testing.T) {
	for _, c := range []struct {
		name     string
		restored chain.Incarnation
		spoil    func(*memory.Storage)
	}{
		{"no such thing asked", 0, func(*memory.Storage) {}},
		{"another incarnation's data", 2, func(*memory.Storage) {}},
		{"half a copy", 1, func(s *memory.Storage) {
			s.Apply(&replica.Batch{Meta: &replica.Meta{Inc: 1, Copying: true}})
		}},
		{"a record is missing", 1, func(s *memory.Storage) {
			rec := chain.Record{LSN: 3, Epoch: 1, Request: request(3)}
			rec.Hash = rec.Sum(chain.Hash{1})
			s.Apply(&replica.Batch{Records: []chain.Record{rec}})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, "A")
			l.install(l.row(1, "", "A"))
			l.write("A", put(1, "k", "1"))
			c.spoil(l.hosts["A"].disk)
			l.crash("A")
			row := l.row(2, "", "A")
			row.Restored = c.restored
			l.install(row)
			if s := l.hosts["A"].rep.Status(); len(l.halts) != 1 || s.Role != replica.Stopped || s.Why == "" {
				t.Errorf("halts %q, status %+v", l.halts, s)
			}
		})
	}
}

// A recruit that died in the middle of a copy begins with nothing.
func TestHalfCopy(t *testing.T) {
	l := newLab(t)
	l.add("A", replica.Options{Keep: 4, Cache: 1, Chunk: 20})
	l.add("B", replica.Options{})
	l.install(l.row(1, "", "A"))
	for i := 1; i <= 50; i++ {
		l.write("A", put(i, fmt.Sprint(i), "v"))
	}
	l.install(l.row(2, "", "A"))
	l.hosts["A"].step(replica.Configure{Row: l.row(3, "B", "A")})
	l.hosts["B"].step(replica.Configure{Row: l.row(3, "B", "A")})
	for !l.hosts["B"].disk.Meta().Copying {
		if len(l.queue) == 0 {
			t.Fatal("no copy")
		}
		do := l.queue[0]
		l.queue = l.queue[1:]
		do()
	}
	l.crash("B")
	l.queue = nil
	if held := l.hosts["B"].disk.Meta().Held(); held != 0 {
		t.Errorf("it says that it holds %d's data", held)
	}
	l.install(l.row(4, "", "A"))
	l.install(l.row(5, "B", "A"))
	if !l.ready(5, "B") {
		t.Fatalf("not ready: %+v", l.hosts["B"].rep.Status())
	}
	l.install(l.row(6, "", "B"))
	for i := 1; i <= 50; i++ {
		if r, _ := l.read("B", chain.Read{Mode: chain.Strong}, fmt.Sprint(i)); !r.Values[0].Found {
			t.Errorf("key %d is not there", i)
		}
	}
}

// TestHelloLost: a tail that misses its predecessor's first word, as when it
// installs the row later, becomes active without anybody writing.
func TestHelloLost(t *testing.T) {
	l := newLab(t, "A", "B")
	row := l.row(1, "", "A", "B")
	l.cut["A>B"] = true
	l.hosts["A"].step(replica.Configure{Row: row})
	l.hosts["B"].step(replica.Configure{Row: row})
	l.settle()
	l.cut["A>B"] = false
	l.wait(time.Second)
	if s := l.hosts["B"].rep.Status(); !s.Active || s.Why != "" {
		t.Errorf("the tail is not active: %q", s.Why)
	}
	if s := l.hosts["A"].rep.Status(); s.Why != "" {
		t.Errorf("the head: %q", s.Why)
	}
}

// TestRequestAgainWithAnotherBase: a request that comes again with a newer Base,
// when some members have forgotten it and some have not, has the same outcome at
// all of them.
func TestRequestAgainWithAnotherBase(t *testing.T) {
	l := newLab(t)
	l.add("A", replica.Options{Window: 8, Keep: 2})
	l.add("B", replica.Options{Window: 8, Keep: 8})
	l.install(l.row(1, "", "A", "B"))
	for i := 1; i <= 11; i++ {
		m := put(i, "other", "v")
		if i == 2 {
			m = put(2, "k", "first")
		}
		m.Base = chain.LSN(i - 1)
		l.write("A", m)
	}
	again := put(2, "k", "again") // A has forgotten it, B forgets it with the next record
	again.Base = 11
	o := l.write("A", again)
	for _, name := range []string{"A", "B"} {
		r, ok := l.read(name, chain.Read{Mode: chain.Strong}, "k")
		if !ok || r.Values[0].Version != o.LSN || string(r.Values[0].Data) != "again" || o.Verdict != chain.Applied {
			t.Errorf("%s: %+v, outcome %+v", name, r, o)
		}
	}
	// The same again, that is with the same Base, is known.
	if o2 := l.write("A", again); o2 != o {
		t.Errorf("repeated: %+v, want %+v", o2, o)
	}
}
