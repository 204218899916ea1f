package replica_test

import (
	"strings"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// dirty is a chain in which k is "old" at version 1, and a record that puts
// "new" is at A and B, and at C if it is written there; C does not answer A or B.
func dirty(t *testing.T) *lab {
	l := trio(t)
	l.write("A", put(1, "k", "old"))
	l.hosts["C"].held = true
	l.ask("A", 1, put(2, "k", "new"))
	return l
}

func TestStrongRead(t *testing.T) {
	l := dirty(t)
	l.wait(time.Millisecond)
	for _, name := range []string{"A", "B", "C"} {
		r, ok := l.read(name, chain.Read{Mode: chain.Strong}, "k")
		if !ok || r.Status != chain.Done || string(r.Values[0].Data) != "old" {
			t.Errorf("%s while it is not committed: %+v, %v", name, r, ok)
		}
	}
	// The tail has committed it, but nobody knows yet.
	l.cut["C>B"] = true
	l.hosts["C"].held = false
	l.hosts["C"].flush()
	l.settle()
	for _, name := range []string{"A", "B", "C"} {
		r, ok := l.read(name, chain.Read{Mode: chain.Strong}, "k")
		if name == "B" {
			if ok {
				t.Errorf("B reads a dirty key without the tail: %+v", r)
			}
			continue
		}
		if !ok || string(r.Values[0].Data) != "new" || r.Values[0].Version != 2 || r.LSN != 2 {
			t.Errorf("%s when it is committed: %+v, %v", name, r, ok)
		}
	}
	if r, ok := l.read("B", chain.Read{Mode: chain.Strong}, "other"); !ok || r.Values[0].Found {
		t.Errorf("B reads a clean key: %+v, %v", r, ok)
	}
	if r, _ := l.read("D", chain.Read{Mode: chain.Strong}, "k"); r.Status != chain.NotServing {
		t.Errorf("D takes no part: %+v", r)
	}
}

// What waits for the tail's word is answered when the key has become clean, without it:
// one question was asked, and that got lost.
func TestReadCleaned(t *testing.T) {
	l := dirty(t)
	l.cut["C>B"] = true
	read := chain.Read{ID: 9, Mode: chain.Strong, Keys: [][]byte{[]byte("k")}}
	for client := range uint64(3) {
		if got := l.ask("B", 2+client, read); len(got) != 0 {
			t.Fatalf("B reads a dirty key without the tail: %+v", got)
		}
	}
	l.cut["C>B"] = false
	l.hosts["C"].held = false
	l.hosts["C"].flush()
	l.settle()
	for client := range uint64(3) {
		if got := l.replies[2+client]; len(got) != 1 || string(got[0].(chain.ReadReply).Values[0].Data) != "new" {
			t.Errorf("reader %d: %+v", client, got)
		}
	}
	asked := 0
	for _, s := range l.hosts["B"].sent {
		if _, is := s.Body.(chain.VersionQuery); is {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the tail was asked %d times", asked)
	}
}

// Without leases, strong reads need every participant's word that the epoch is
// still the same.
func TestConfirmedRead(t *testing.T) {
	for _, name := range []string{"A", "B", "C"} {
		for _, silent := range []string{"", "A", "B", "C", "D"} {
			if silent == name {
				continue
			}
			t.Run(name+" without "+silent, func(t *testing.T) {
				l := trio(t)
				l.write("A", put(1, "k", "v"))
				l.install(l.row(2, "D", "A", "B", "C"))
				l.now += 2 * time.Minute // all leases are over
				l.cut[silent+">"+name] = true
				r, ok := l.read(name, chain.Read{Mode: chain.Strong}, "k")
				if ok != (silent == "") || ok && string(r.Values[0].Data) != "v" {
					t.Fatalf("%+v, answered: %v", r, ok)
				}
				l.wait(5 * time.Second)
				if got := l.replies[2]; !ok && (len(got) != 1 || got[0].(chain.ReadReply).Status != chain.Unconfirmed) {
					t.Errorf("in the end: %+v", got)
				}
			})
		}
	}
}

// A member that was removed is found out by those it asks.
func TestConfirmOfTheRemoved(t *testing.T) {
	l := trio(t)
	l.write("A", put(1, "k", "v"))
	for _, name := range []string{"A", "B"} {
		l.hosts[name].step(replica.Configure{Row: l.row(2, "", "A", "B")})
	}
	l.settle()
	l.write("A", put(2, "k", "w"))
	l.now += 2 * time.Minute
	if r, ok := l.read("C", chain.Read{Mode: chain.Strong}, "k"); ok {
		t.Errorf("C answers %+v", r)
	}
}

func TestBoundedRead(t *testing.T) {
	l := dirty(t)
	l.cut["C>B"] = true
	l.cut["C>A"] = true
	l.now += time.Second
	for _, c := range []struct {
		name string
		read chain.Read
		want bool // it is answered at once
	}{
		{"eventual", chain.Read{Mode: chain.Eventual}, true},
		{"eventual, but not older than seen", chain.Read{Mode: chain.Eventual, MinLSN: 2}, false},
		{"bounded by versions", chain.Read{Mode: chain.Bounded, MaxLag: 1}, true},
		{"bounded by time, never proved", chain.Read{Mode: chain.Bounded, MaxAge: time.Hour}, false},
	} {
		r, ok := l.read("B", c.read, "k")
		if ok != c.want || ok && string(r.Values[0].Data) != "old" {
			t.Errorf("%s: %+v, answered: %v", c.name, r, ok)
		}
	}
	if r, ok := l.read("B", chain.Read{Mode: chain.Strong}, "clean"); !ok {
		t.Errorf("a clean key: %+v", r)
	}
	l.cut["C>B"] = false
	l.wait(time.Second)
	l.read("B", chain.Read{Mode: chain.Strong}, "k")
	l.cut["C>B"] = true
	l.now += 100 * time.Millisecond
	for age, want := range map[time.Duration]bool{50 * time.Millisecond: false, time.Second: true} {
		if _, ok := l.read("B", chain.Read{Mode: chain.Bounded, MaxAge: age}, "k"); ok != want {
			t.Errorf("bounded by %v, 100 ms after a proof: answered %v", age, ok)
		}
	}
	l.ask("A", 1, put(3, "k", "newer"))
	if _, ok := l.read("B", chain.Read{Mode: chain.Bounded, MaxLag: 1}, "k"); ok {
		t.Error("two records behind, bounded by one: answered")
	}
}

func TestReadTooMuch(t *testing.T) {
	l := trio(t)
	big := strings.Repeat("x", 200<<10)
	for i, key := range []string{"a", "b", "c"} {
		l.write("A", put(i+1, key, big))
	}
	got := l.ask("A", 2, chain.Read{ID: 5, Mode: chain.Strong, Keys: [][]byte{[]byte("a"), []byte("b"), []byte("c")}})
	if r := got[0].(chain.ReadReply); r.Status != chain.BadRequest || r.ID != 5 {
		t.Errorf("three large values at once: %v", r.Status)
	}
}
