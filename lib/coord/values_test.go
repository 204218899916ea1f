package coord

import (
	"reflect"
	"strings"
	"testing"

	"namecast/lib/chain"
)

// golden are values as they are kept. Programs of other versions have to read them.
var golden = []struct{ key, value string }{
	{keyCluster, `{"replicas":3,"lease":"1.5s"}`},
	{keyTable, "made"},
	{preNode + "n1", `{"addr":"192.0.2.1:4000","zone":"a/b","pin":"p","inc":7,"ended":6,"drain":true}`},
	{preNode + "n2", `{"inc":1,"removed":true}`},
	{preHeld + "n1", `{"inc":7,"chains":[{"chain":0,"inc":6,"lsn":12,"row":{"epoch":5,"members":["n1#6","n2#1"],"recruit":"n3#2","restored":6}},{"chain":255,"inc":1,"lsn":0}]}`},
	{preLive + "n1", "7"},
	{preSilent + "n1", `{"inc":7,"nodes":["n2","n3"]}`},
	{preChain + "005", `{"epoch":3,"members":["n1#7"]}`},
	{preReport + "255/fenced", `{"epoch":3,"member":"n1#7"}`},
	{keyCtl, "n1"},
	{preToken + "abc", "00ff"},
}

// rewritten writes a value anew, by what was read of it.
func rewritten(key string, s *state) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	switch key[:len(key)-len(name)] {
	case preNode:
		return encode(*s.nodes[name].record)
	case preHeld:
		return encode(textHeld(s.nodes[name].heldBy, s.nodes[name].held))
	case preLive:
		return textInc(s.nodes[name].inc)
	case preSilent:
		return encode(s.nodes[name].silent)
	case preChain:
		id, _ := parseChain(name)
		return encode(textRow(s.rows[id].row))
	case preReport + "255/":
		r := s.reports[255].Fenced
		return encode(reportText{r.Epoch, textMember(r.Member)})
	}
	if key == keyCluster {
		return encode(textSettings(s.settings))
	}
	return ""
}

func TestGolden(t *testing.T) {
	t.Parallel()
	s := newState()
	for _, g := range golden {
		if err := s.apply(g.key, cell{g.value, 1}, 1); err != nil {
			t.Errorf("%s: %v", g.key, err)
		} else if got := rewritten(g.key, s); got != "" && got != g.value {
			t.Errorf("%s was\n%s\nand is\n%s", g.key, g.value, got)
		}
	}
	v := s.view(&view{})
	if n, ok := v.Node("n1"); len(v.Nodes) != 1 || !ok || !n.Live || len(n.Held) != 2 || !n.Drain || n.Ended != 6 || len(n.Silent) != 2 {
		t.Errorf("the nodes are %+v", v.Nodes)
	}
	for _, g := range golden {
		if err := s.apply(g.key, cell{}, 2); err != nil {
			t.Errorf("without %s: %v", g.key, err)
		}
	}
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	for key, values := range map[string][]string{
		keyCluster:              {"", "{}", `{"replicas":0,"lease":"1s"}`, `{"replicas":17,"lease":"1s"}`, `{"replicas":3,"lease":"1"}`, `{"replicas":3,"lease":"1h"}`},
		preNode + "n1":          {"", "{}", `{"inc":0}`, `{"inc":-1}`, `{"inc":1,"ended":2}`},
		preNode + "a/b":         {`{"inc":1}`},
		preLive + "n1":          {"", "0", "01", "-1", "x", "1 "},
		preLive + "":            {"1"},
		preHeld + "n1":          {"", `{"inc":1,"chains":[{"chain":256,"inc":1}]}`, `{"inc":1,"chains":[{"chain":1}]}`, `{"inc":1,"chains":[{"chain":1,"inc":1,"row":{"epoch":1}}]}`},
		preChain + "1":          {`{"epoch":1,"members":["n1#1"]}`},
		preChain + "256":        {`{"epoch":1,"members":["n1#1"]}`},
		preReport + "001":       {`{"epoch":1,"member":"n1#1"}`},
		preReport + "001/none":  {`{"epoch":1,"member":"n1#1"}`},
		preReport + "001/ready": {"", `{"epoch":1,"member":"n1"}`},
		preChain + "001": {
			"", "{}", `{"epoch":1}`, `{"epoch":1,"members":[]}`, `{"epoch":0,"members":["n1#1"]}`, `{"epoch":1,"members":[""]}`,
			`{"epoch":1,"members":["n1#0"]}`, `{"epoch":1,"members":["#1"]}`, `{"epoch":1,"members":["n1#1","n1#2"]}`,
			`{"epoch":1,"members":["n1#1"],"recruit":"n1#1"}`, `{"epoch":1,"members":["n1#1"],"recruit":"x"}`,
			`{"epoch":1,"members":["n1#1"` + strings.Repeat(`,"n1#1"`, maxMembers) + `]}`,
		},
	} {
		for _, v := range values {
			if err := newState().apply(key, cell{v, 1}, 1); err == nil {
				t.Errorf("%s: took %q", key, v)
			} else {
				is(t, err, ErrBad)
			}
		}
	}
}

func TestCheckTable(t *testing.T) {
	t.Parallel()
	good := table(1, "n1")
	must(t, checkTable(good))
	for what, change := range map[string]func([]chain.Row) []chain.Row{
		"few":     func(r []chain.Row) []chain.Row { return r[1:] },
		"order":   func(r []chain.Row) []chain.Row { r[0].Chain, r[1].Chain = 1, 0; return r },
		"members": func(r []chain.Row) []chain.Row { r[9].Members = nil; return r },
	} {
		if err := checkTable(change(table(1, "n1"))); err == nil {
			t.Errorf("took a table with bad %s", what)
		}
	}
}

// FuzzApply: whatever stands in a key is refused, or can be shown, written again, and
// read to the same.
func FuzzApply(f *testing.F) {
	for _, g := range golden {
		f.Add(g.key, g.value)
	}
	f.Add(preChain+"000", `{"epoch":1,"members":["a#1","b#18446744073709551615"]}`)
	f.Fuzz(func(t *testing.T, key, value string) {
		s := newState()
		if err := s.apply(key, cell{value, 1}, 1); err != nil {
			return
		}
		first := s.view(&view{})
		text := rewritten(key, s)
		if text == "" {
			return
		}
		other := newState()
		if err := other.apply(key, cell{text, 1}, 1); err != nil {
			t.Fatalf("%s: %q was written again as %q: %v", key, value, text, err)
		}
		if !reflect.DeepEqual(s.nodes, other.nodes) || !reflect.DeepEqual(s.rows, other.rows) || s.settings != other.settings {
			t.Fatalf("%s: %q and %q are not the same", key, value, text)
		}
		if !reflect.DeepEqual(first, other.view(&view{})) {
			t.Fatalf("%s: %q and %q do not look the same", key, value, text)
		}
	})
}
