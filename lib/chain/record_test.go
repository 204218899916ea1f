package chain

import (
	"encoding/hex"
	"errors"
	"testing"
)

func sample() Record {
	return Record{
		LSN: 7, Epoch: 3, Request: RequestID{1, 2, 3}, Base: 5,
		Conds: []Cond{{Kind: AtVersion, Key: []byte("a"), Version: 4}, {Kind: Exists, Key: []byte("b")}},
		Ops:   []Op{{Kind: Put, Key: []byte("a"), Value: []byte("x")}, {Kind: Delete, Key: []byte("b")}},
	}
}

// The hash stands on disks and in messages: it is the same for ever.
func TestSum(t *testing.T) {
	r := sample()
	h := r.Sum(Hash{9})
	const want = "15fe084bfa4989bbac03fc4bd609f72c"
	if got := hex.EncodeToString(h[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Two records, or the same one after another log, have different hashes.
func TestSumTellsApart(t *testing.T) {
	seen := map[Hash]string{}
	see := func(name string, prev Hash, change func(*Record)) {
		r := sample()
		change(&r)
		h := r.Sum(prev)
		if other, ok := seen[h]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[h] = name
	}
	see("as it is", Hash{}, func(*Record) {})
	see("after another log", Hash{1}, func(*Record) {})
	see("LSN", Hash{}, func(r *Record) { r.LSN++ })
	see("epoch", Hash{}, func(r *Record) { r.Epoch++ })
	see("request", Hash{}, func(r *Record) { r.Request[15]++ })
	see("base", Hash{}, func(r *Record) { r.Base++ })
	see("kind of condition", Hash{}, func(r *Record) { r.Conds[0].Kind = Exists })
	see("version", Hash{}, func(r *Record) { r.Conds[0].Version++ })
	see("key of condition", Hash{}, func(r *Record) { r.Conds[0].Key = []byte("c") })
	see("one condition less", Hash{}, func(r *Record) { r.Conds = r.Conds[:1] })
	see("kind of operation", Hash{}, func(r *Record) { r.Ops[0].Kind = Delete })
	see("value", Hash{}, func(r *Record) { r.Ops[0].Value = nil })
	see("an octet from key to value", Hash{}, func(r *Record) { r.Ops[0].Key, r.Ops[0].Value = nil, []byte("ax") })
	see("one operation less", Hash{}, func(r *Record) { r.Ops = r.Ops[:1] })
}

func TestCheck(t *testing.T) {
	key := []byte("k")
	op := Op{Kind: Put, Key: key, Value: []byte("v")}
	big := func(n int) []byte { return make([]byte, n) }
	for _, c := range []struct {
		name  string
		conds []Cond
		ops   []Op
		ok    bool
	}{
		{"one operation", nil, []Op{op}, true},
		{"no operation", []Cond{{Kind: Exists, Key: key}}, nil, false},
		{"kind of condition", []Cond{{Kind: 9, Key: key}}, []Op{op}, false},
		{"kind of operation", nil, []Op{{Kind: 9, Key: key}}, false},
		{"longest key", nil, []Op{{Kind: Delete, Key: big(MaxKey)}}, true},
		{"longer key", nil, []Op{{Kind: Delete, Key: big(MaxKey + 1)}}, false},
		{"longer key of a condition", []Cond{{Kind: Exists, Key: big(MaxKey + 1)}}, []Op{op}, false},
		{"largest item", nil, []Op{{Kind: Put, Key: key, Value: big(MaxItem - 1)}}, true},
		{"larger item", nil, []Op{{Kind: Put, Key: key, Value: big(MaxItem)}}, false},
		{"larger record", nil, []Op{{Kind: Put, Value: big(MaxItem)}, {Kind: Put, Value: big(MaxItem)}}, false},
		{"too many parts", nil, make([]Op, MaxParts+1), false},
	} {
		if err := Check(c.conds, c.ops); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestRow(t *testing.T) {
	a, b := Member{"a", 1}, Member{"b", 2}
	r := Row{Members: []Member{a, b}}
	if r.Head() != a || r.Tail() != b || r.Index(b) != 1 || r.Index(Member{"b", 1}) != -1 {
		t.Errorf("head %v, tail %v, place of b %d", r.Head(), r.Tail(), r.Index(b))
	}
	if r.Node("b") != b || !r.Node("c").IsZero() {
		t.Errorf("b is %v, c is %v", r.Node("b"), r.Node("c"))
	}
}

// What logs show fits on a line and names things as people do.
func TestString(t *testing.T) {
	r := sample()
	for want, got := range map[string]interface{ String() string }{
		`put "a"="x"`: r.Ops[0], `delete "b"`: r.Ops[1], `"a" at 4`: r.Conds[0], `exists "b"`: r.Conds[1],
		`"k"="v" at 3`: Item{[]byte("k"), []byte("v"), 3}, "nothing": Value{}, `"v" at 3`: Value{Found: true, Version: 3, Data: []byte("v")},
		"conflict": Conflict, "verdict 77": Verdict(77), "not the head": NotHead, "status 77": Status(77),
		"0a000000": Hash{10}, "0b000000000000000000000000000000": RequestID{11},
		"n1#4": Member{"n1", 4}, "nobody": Member{},
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got.String(), want)
		}
	}
}
