package trial

import (
	"strings"
	"testing"
	"time"

	"namecast/lib/chain"
)

// A history of a test is written with these: times are in milliseconds.

func at(call, back int, o op) *op {
	o.Call, o.Return = time.Duration(call)*time.Millisecond, time.Duration(back)*time.Millisecond
	if o.End == "" {
		o.End = done
	}
	if o.Object == "" {
		o.Object = "one"
	}
	o.ID = call
	return &o
}

func applied(lsn chain.LSN, data string) op {
	return op{Client: data, Write: &write{Puts: []put{{0, data}}, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: lsn}}}
}

// lost is a write without an answer.
func lost(end, data string) op {
	return op{Client: data, End: end, Error: "no answer", Write: &write{Puts: []put{{0, data}}}}
}

// on makes a write conditional.
func on(version chain.LSN, o op) op {
	o.Write.Conds = []cond{{Version: version}}
	return o
}

func conflict(lsn, version, has chain.LSN) op {
	return op{Client: "c", Write: &write{Puts: []put{{0, "never"}}, Conds: []cond{{Version: version}},
		Outcome: chain.Outcome{Verdict: chain.Conflict, LSN: lsn, Version: has}}}
}

func strong(lsn, version chain.LSN, data string) op { return reading(chain.Strong, lsn, version, data) }

func reading(mode chain.Mode, lsn, version chain.LSN, data string) op {
	return op{Client: "r", Read: &read{Mode: mode, Keys: []int{0}, LSN: lsn, Values: []value{{version, data}}}}
}

// of gives an operation another object, with a key.
func of(object string, o op) op {
	o.Object = object
	return o
}

// within bounds a read.
func within(age time.Duration, o op) op {
	o.Read.MaxAge = age
	return o
}

// judged are histories, and what is found in them.
var judged = []struct {
	name    string
	history []*op
	want    string // in one of the findings; "" if there are to be none
}{
	{"nothing at first", []*op{at(1, 2, strong(0, 0, ""))}, ""},
	{"one after the other", []*op{at(1, 2, applied(1, "a")), at(3, 4, strong(1, 1, "a")), at(5, 6, applied(2, "b")), at(7, 8, strong(2, 2, "b"))}, ""},
	{"a stale read", []*op{at(1, 2, applied(1, "a")), at(3, 4, applied(2, "b")), at(5, 6, strong(1, 1, "a"))}, "not linearizable"},
	{"a stale read by the log", []*op{at(1, 2, applied(1, "a")), at(3, 4, applied(2, "b")), at(5, 6, strong(1, 1, "a"))}, "an answer is older"},
	{"an older state of what has not changed", []*op{at(1, 2, applied(1, "a")), at(3, 4, of("two", applied(2, "b"))), at(5, 6, strong(1, 1, "a"))}, ""},
	{"a write that is told after one that is newer", []*op{at(1, 2, of("two", applied(2, "b"))), at(3, 4, applied(1, "a"))}, "an answer is older"},
	{"a stale read, told by another object", []*op{at(1, 9, applied(1, "a")), at(2, 3, of("two", strong(2, 0, ""))), at(4, 5, strong(0, 0, ""))}, "an answer is older"},
	{"a lost write", []*op{at(1, 2, applied(1, "a")), at(5, 6, strong(1, 0, ""))}, "not linearizable"},
	{"a write that comes back", []*op{at(1, 2, applied(1, "a")), at(3, 4, applied(2, "b")), at(5, 6, strong(3, 3, "a"))}, "at another version"},
	{"a write that is taken back", []*op{at(1, 2, lost(unknown, "a")), at(3, 4, strong(1, 1, "a")), at(5, 6, strong(1, 0, ""))}, "not linearizable"},
	{"an unknown write, seen late", []*op{at(1, 2, lost(unknown, "a")), at(3, 4, strong(0, 0, "")), at(5, 6, strong(1, 1, "a"))}, ""},
	{"an unknown write, never seen", []*op{at(1, 2, lost(unknown, "a")), at(3, 4, strong(0, 0, ""))}, ""},
	{"an unknown write, in the way of another", []*op{at(1, 2, lost(unknown, "a")), at(3, 4, conflict(2, 0, 1))}, ""},
	{"a conflict with nothing", []*op{at(3, 4, conflict(2, 0, 1))}, "not linearizable"},
	{"a denied write, seen", []*op{at(1, 2, lost(denied, "a")), at(5, 6, strong(1, 1, "a"))}, "was denied was seen"},
	{"a conflict, seen", []*op{at(1, 2, applied(1, "a")), at(3, 4, conflict(2, 0, 1)), at(5, 6, strong(2, 2, "never"))}, "without effect was seen"},
	{"a condition that did not hold", []*op{at(1, 2, applied(1, "a")), at(3, 4, on(0, applied(2, "b")))}, "not linearizable"},
	{"a condition that held", []*op{at(1, 2, applied(1, "a")), at(3, 4, on(1, applied(2, "b")))}, ""},
	{"two writes on one condition", []*op{at(1, 9, on(0, applied(1, "a"))), at(2, 9, on(0, applied(2, "b")))}, "not linearizable"},
	{"one number twice", []*op{at(1, 9, applied(1, "a")), at(2, 9, of("two", applied(1, "b")))}, "one number"},
	{"a value from nowhere", []*op{at(1, 2, strong(1, 1, "x"))}, "nobody wrote"},
	{"a value from the future", []*op{at(1, 2, strong(1, 1, "a")), at(3, 4, applied(1, "a"))}, "before it was asked for"},
	{"an eventual read may be late", []*op{at(1, 2, applied(1, "a")), at(3, 4, reading(chain.Eventual, 0, 0, ""))}, ""},
	{"an eventual read of what never was", []*op{at(1, 2, applied(1, "a")), at(3, 4, applied(2, "b")), at(5, 6, reading(chain.Eventual, 2, 1, "a"))}, "should be"},
	{"a bounded read within its bound", []*op{at(1, 2, applied(1, "a")), at(300, 400, within(time.Second, reading(chain.Bounded, 0, 0, "")))}, ""},
	{"a bounded read beyond its bound", []*op{at(1, 2, applied(1, "a")), at(1300, 1400, within(time.Second, reading(chain.Bounded, 0, 0, "")))}, "an answer is older"},
	{"a counter", []*op{at(1, 2, of(counterName, applied(1, "1 a"))), at(3, 4, of(counterName, applied(2, "2 b"))), at(5, 6, of(counterName, strong(2, 2, "2 b")))}, ""},
	{"a counter that misses one", []*op{at(1, 2, of(counterName, applied(1, "1 a"))), at(3, 4, of(counterName, applied(2, "1 b"))), at(5, 6, of(counterName, strong(2, 2, "1 b")))}, "have made a counter"},
	{"what the driver found", []*op{at(1, 2, op{Strange: "odd", Read: &read{Mode: chain.Eventual}})}, "odd"},
}

// TestCheck shows that each check finds what it is there for, and nothing else.
func TestCheck(t *testing.T) {
	for _, test := range judged {
		t.Run(test.name, func(t *testing.T) {
			all := strings.Join(check(test.history).findings, "\n")
			if test.want == "" && all != "" || !strings.Contains(all, test.want) {
				t.Errorf("want %q, got %q", test.want, all)
			}
		})
	}
}

// TestSession checks the promise of a read that names what its client has seen.
func TestSession(t *testing.T) {
	o := at(5, 6, reading(chain.Eventual, 3, 0, ""))
	o.Read.MinLSN = 4
	if f := check([]*op{o, at(1, 2, of("two", applied(4, "a")))}).findings; len(f) != 0 {
		t.Error(f) // nothing has changed
	}
	if f := check([]*op{o, at(1, 2, applied(4, "a"))}).findings; len(f) != 1 {
		t.Error(f)
	}
}

// TestAccount checks objects of several keys: all of a write is there, or nothing.
func TestAccount(t *testing.T) {
	both := op{Object: accountName, Client: "w", Write: &write{Puts: []put{{0, "a"}, {1, "b"}}, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: 1}}}
	seen := func(second value) *op {
		return at(1, 9, op{Object: accountName, Client: "r", Read: &read{Mode: chain.Strong, Keys: []int{0, 1}, LSN: 1, Values: []value{{1, "a"}, second}}})
	}
	if f := check([]*op{at(1, 9, both), seen(value{1, "b"})}).findings; len(f) != 0 {
		t.Error(f)
	}
	if f := check([]*op{at(1, 9, both), seen(value{})}).findings; len(f) == 0 {
		t.Error("half of a write was seen, and not found")
	}
}
