package replica_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

func TestWriteReachesEveryMember(t *testing.T) {
	l := trio(t)
	for i, name := range []string{"A", "B", "C"} {
		o := l.write(name, put(i+1, "k", name))
		if want := (chain.Outcome{Verdict: chain.Applied, LSN: chain.LSN(i + 1)}); o != want {
			t.Errorf("by way of %s: %+v, want %+v", name, o, want)
		}
	}
	for _, name := range []string{"A", "B", "C"} {
		it, _ := l.hosts[name].disk.Get([]byte("k"))
		if string(it.Value) != "C" || it.Version != 3 {
			t.Errorf("%s holds %q at %d", name, it.Value, it.Version)
		}
	}
	got := l.ask("D", 1, put(4, "k", "D"))
	want := chain.ProposeReply{ID: 4, Status: chain.NotHead, Head: l.hosts["A"].self}
	if diff := cmp.Diff([]chain.Message{want}, got); diff != "" {
		t.Errorf("a node that takes no part (-want +got):\n%s", diff)
	}
}

// Nothing is forwarded, acknowledged or answered before it is durable.
func TestDurableFirst(t *testing.T) {
	for _, held := range []string{"A", "B", "C"} {
		t.Run(held, func(t *testing.T) {
			l := trio(t)
			l.hosts[held].held = true
			if got := l.ask("A", 1, put(1, "k", "v")); len(got) != 0 {
				t.Errorf("answered before it was durable at %s: %v", held, got)
			}
			for _, s := range l.hosts[held].sent {
				switch m := s.Body.(type) {
				case chain.Append:
					t.Errorf("%s forwards %+v", held, m)
				case chain.Ack:
					if m.Durable > 0 {
						t.Errorf("%s acknowledges %+v", held, m)
					}
				}
			}
			l.hosts[held].held = false
			l.hosts[held].flush()
			l.settle()
			if got := l.replies[1]; len(got) != 1 {
				t.Errorf("then: %v", got)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	at := func(key string, v chain.LSN) chain.Cond {
		return chain.Cond{Kind: chain.AtVersion, Key: []byte(key), Version: v}
	}
	exists := func(key string) chain.Cond { return chain.Cond{Kind: chain.Exists, Key: []byte(key)} }
	for _, c := range []struct {
		name  string
		conds []chain.Cond
		want  chain.Outcome // LSN 3 follows
	}{
		{"version as named", []chain.Cond{at("a", 1)}, chain.Outcome{Verdict: chain.Applied}},
		{"another version", []chain.Cond{at("a", 2)}, chain.Outcome{Verdict: chain.Conflict, Version: 1}},
		{"absent as named", []chain.Cond{at("x", 0)}, chain.Outcome{Verdict: chain.Applied}},
		{"deleted is absent", []chain.Cond{at("gone", 0)}, chain.Outcome{Verdict: chain.Applied}},
		{"present, not absent", []chain.Cond{at("b", 0)}, chain.Outcome{Verdict: chain.Conflict, Version: 2}},
		{"exists", []chain.Cond{exists("b")}, chain.Outcome{Verdict: chain.Applied}},
		{"does not exist", []chain.Cond{exists("gone")}, chain.Outcome{Verdict: chain.Conflict}},
		{"the second of two", []chain.Cond{at("a", 1), at("b", 1)}, chain.Outcome{Verdict: chain.Conflict, Cond: 1, Version: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := trio(t)
			first := put(1, "a", "1")
			first.Ops = append(first.Ops, chain.Op{Kind: chain.Put, Key: []byte("gone"), Value: []byte("1")})
			l.write("A", first)
			second := put(2, "b", "2")
			second.Ops = append(second.Ops, chain.Op{Kind: chain.Delete, Key: []byte("gone")})
			l.write("A", second)
			third := put(3, "a", "3")
			third.Conds = c.conds
			third.Ops = append(third.Ops, chain.Op{Kind: chain.Delete, Key: []byte("b")})
			c.want.LSN = 3
			if o := l.write("A", third); o != c.want {
				t.Errorf("%+v, want %+v", o, c.want)
			}
			for _, name := range []string{"A", "B", "C"} {
				a, _ := l.hosts[name].disk.Get([]byte("a"))
				_, b := l.hosts[name].disk.Get([]byte("b"))
				all, none := string(a.Value) == "3" && !b, string(a.Value) == "1" && b
				if applied := c.want.Verdict == chain.Applied; applied && !all || !applied && !none {
					t.Errorf("%s: a is %q, b is there: %v", name, a.Value, b)
				}
			}
		})
	}
}

func TestRequestTakesEffectOnce(t *testing.T) {
	l := trio(t)
	first := l.write("A", put(1, "k", "1"))
	l.write("A", put(2, "k", "2"))
	if again := l.write("B", put(1, "k", "1")); again != first {
		t.Errorf("again: %+v, want %+v", again, first)
	}
	// Twice before it is committed.
	l.hosts["C"].held = true
	m := put(3, "k", "3")
	l.ask("A", 1, m)
	l.hosts["A"].step(replica.Request{Client: 1, Body: m})
	l.settle()
	l.hosts["C"].held = false
	l.hosts["C"].flush()
	l.settle()
	done := chain.ProposeReply{ID: 3, Status: chain.Done, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: 3}}
	if diff := cmp.Diff([]chain.Message{done, done}, l.replies[1]); diff != "" {
		t.Errorf("both are answered (-want +got):\n%s", diff)
	}
	if s := l.hosts["A"].rep.Status(); s.Last != 3 {
		t.Errorf("the log ends at %d", s.Last)
	}
}

// A request that comes too late to be remembered takes no effect.
func TestRequestExpires(t *testing.T) {
	l := newLab(t)
	l.add("A", replica.Options{Window: 8, Keep: 4})
	l.install(l.row(1, "", "A"))
	for i := 1; i <= 20; i++ {
		m := put(i, "k", fmt.Sprint(i))
		m.Base = chain.LSN(i - 1)
		l.write("A", m)
	}
	if o := l.write("A", put(1, "k", "1")); o.Verdict != chain.Expired {
		t.Errorf("a retry of the first: %+v", o)
	}
	if it, _ := l.hosts["A"].disk.Get([]byte("k")); string(it.Value) != "20" {
		t.Errorf("k is %q", it.Value)
	}
	ahead := put(99, "k", "x")
	ahead.Base = 1000
	if got := l.ask("A", 1, ahead); got[0].(chain.ProposeReply).Status != chain.NotServing {
		t.Errorf("a base that this head has not reached: %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	l := newLab(t)
	l.add("A", replica.Options{MinMembers: 2, MaxPending: 2})
	l.add("B", replica.Options{})
	l.install(l.row(1, "", "A", "B"))
	status := func(m chain.Propose) chain.Status {
		got := l.ask("A", 1, m)
		if len(got) == 0 {
			return 0
		}
		return got[0].(chain.ProposeReply).Status
	}
	if s := status(chain.Propose{ID: 1}); s != chain.BadRequest {
		t.Errorf("nothing to do: %v", s)
	}
	l.hosts["B"].held = true
	for i, want := range []chain.Status{0, 0, chain.Busy} {
		if s := status(put(i+1, "k", "v")); s != want {
			t.Errorf("write %d while nothing is committed: %v, want %v", i+1, s, want)
		}
	}
	l.hosts["B"].held = false
	l.hosts["B"].flush()
	l.settle()
	l.install(l.row(2, "", "A"))
	if s := status(put(9, "k", "v")); s != chain.TooFew {
		t.Errorf("with one member of two: %v", s)
	}
	l.hosts["A"].step(replica.Require{Members: 1})
	if s := status(put(10, "k", "v")); s != chain.Done {
		t.Errorf("with one member of one: %v", s)
	}
}

// Who waits too long is told so: the write may take effect yet.
func TestTimeout(t *testing.T) {
	l := trio(t)
	l.cut["B>A"], l.cut["C>A"] = true, true
	l.ask("A", 1, put(1, "k", "v"))
	l.cut["A>B"] = true
	l.ask("B", 3, put(2, "k", "w"))
	if _, ok := l.read("A", chain.Read{Mode: chain.Strong}, "k"); ok {
		t.Error("a dirty key is read without the tail")
	}
	l.wait(5 * time.Second)
	for client, want := range map[uint64]chain.Message{
		1: chain.ProposeReply{ID: 1, Status: chain.Unknown},
		3: chain.ProposeReply{ID: 2, Status: chain.Unknown},
	} {
		if diff := cmp.Diff([]chain.Message{want}, l.replies[client]); diff != "" {
			t.Errorf("client %d (-want +got):\n%s", client, diff)
		}
	}
}

func TestEpochs(t *testing.T) {
	l := trio(t)
	a, b := l.hosts["A"], l.hosts["B"]
	b.step(replica.Configure{Row: l.row(3, "", "A", "B")})
	b.step(replica.Configure{Row: l.row(2, "", "B")})
	if s := b.rep.Status(); s.Row.Epoch != 3 {
		t.Errorf("went back to epoch %d", s.Row.Epoch)
	}
	l.ask("A", 1, put(1, "k", "v"))
	if len(l.replies[1]) != 0 {
		t.Errorf("answered across epochs: %v", l.replies[1])
	}
	if diff := cmp.Diff([]chain.Epoch{3}, l.wants); diff != "" {
		t.Errorf("A wants its row, once (-want +got):\n%s", diff)
	}
	a.step(replica.Configure{Row: l.row(3, "", "A", "B")})
	l.settle()
	if len(l.replies[1]) != 1 {
		t.Errorf("in one epoch: %v", l.replies[1])
	}
}

func TestStranger(t *testing.T) {
	l := trio(t)
	l.write("A", put(1, "k", "v"))
	rec := chain.Record{LSN: 2, Epoch: 1, Request: request(7), Ops: put(7, "k", "evil").Ops}
	prev, _ := l.hosts["B"].disk.Record(1)
	rec.Hash = rec.Sum(prev.Hash)
	m := chain.Append{Prev: 1, PrevHash: prev.Hash, Records: []chain.Record{rec}}
	for _, from := range []chain.Member{l.hosts["C"].self, l.hosts["D"].self, {Node: "A", Inc: 2}, {}} {
		l.hosts["B"].step(replica.Receive{Chain: id, Epoch: 1, From: from, Body: m})
	}
	if s := l.hosts["B"].rep.Status(); s.Last != 1 {
		t.Errorf("B took a record from who is not its predecessor: its log ends at %d", s.Last)
	}
}

// A record that does not continue the log ends the replica.
func TestDamagedRecord(t *testing.T) {
	l := trio(t)
	rec := chain.Record{LSN: 1, Epoch: 1, Request: request(7), Ops: put(7, "k", "v").Ops}
	rec.Hash = rec.Sum(chain.Hash{})
	rec.Ops[0].Value = []byte("w")
	l.hosts["B"].step(replica.Receive{Chain: id, Epoch: 1, From: l.hosts["A"].self, Body: chain.Append{Records: []chain.Record{rec}}})
	if len(l.halts) != 1 {
		t.Errorf("halts: %q", l.halts)
	}
	if s := l.hosts["B"].rep.Status(); s.Role != replica.Stopped || s.Last != 0 {
		t.Errorf("then: %+v", s)
	}
}

// The log in memory is bounded, however much is written.
func TestMemory(t *testing.T) {
	l := newLab(t)
	l.add("A", replica.Options{Keep: 64, Cache: 4096})
	l.add("B", replica.Options{Keep: 64, Cache: 4096})
	l.install(l.row(1, "", "A", "B"))
	for i := 1; i <= 2000; i++ {
		m := put(i, fmt.Sprint(i), "value")
		m.Base = chain.LSN(i - 1)
		l.write("A", m)
	}
	for _, name := range []string{"A", "B"} {
		h := l.hosts[name]
		entries, overlay := replica.InMemory(h.rep)
		if entries > 64 || overlay != 0 {
			t.Errorf("%s: %d records of the log and %d keys of the state are in memory", name, entries, overlay)
		}
		if first, last := h.disk.Log(); last-first > 80 {
			t.Errorf("%s: the log on the disk is %d to %d", name, first, last)
		}
	}
}
