package main

import "testing"

// reach explores all states without a fingerprint, reduced or as they are.
func reach(m *model, reduced bool) map[string]bool {
	all := map[string]bool{}
	var next []string
	keep := func(s *state) {
		if reduced {
			m.reduce(s)
		}
		if b := m.pack(nil, s); !all[string(b)] {
			all[string(b)] = true
			next = append(next, string(b))
		}
	}
	m.visit = func(t *state, _ step, _ string) { keep(t) }
	keep(m.first())
	for len(next) > 0 {
		var s state
		m.unpack([]byte(next[0]), &s)
		next = next[1:]
		m.next(&s)
	}
	return all
}

// TestReduce checks that nothing that matters is lost in reducing: the states
// that are reached with reduction are those that are reached without it, and
// then reduced. If a state could go where its reduced form cannot, or the other
// way, the two would differ.
func TestReduce(t *testing.T) {
	for name, b := range map[string]bounds{
		"recruits": {nodes: 2, spares: 1, writes: 1, epochs: 4, reads: readBoth},
		"crashes":  {nodes: 2, spares: 1, writes: 1, epochs: 3, crashes: 2, outage: true, reads: readBoth},
		"three":    {nodes: 3, writes: 2, epochs: 2, crashes: 1, reads: readBoth},
		"clients":  {nodes: 2, spares: 1, writes: 1, epochs: 3, crashes: 1, outage: true, reads: readLease, clients: true},
		"spares":   {nodes: 1, spares: 3, writes: 1, epochs: 4, reads: readLease},
		"unsafe":   {nodes: 2, spares: 1, writes: 1, epochs: 3, crashes: 1, outage: true, reads: readBoth, off: 1<<guardWait | 1<<guardHello | 1<<guardFence | 1<<guardReady},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(b)
			want := map[string]bool{}
			raw := reach(m, false)
			for text := range raw {
				var s state
				m.unpack([]byte(text), &s)
				m.reduce(&s)
				want[string(m.pack(nil, &s))] = true
			}
			got := reach(m, true)
			missing, extra := 0, 0
			for text := range want {
				if !got[text] {
					missing++
				}
			}
			for text := range got {
				if !want[text] {
					extra++
				}
			}
			if missing > 0 || extra > 0 {
				t.Errorf("of %d reduced states %d are missing, %d are not reached without reduction", len(want), missing, extra)
			}
			t.Logf("%d states, %d reduced", len(raw), len(got))
		})
	}
}
