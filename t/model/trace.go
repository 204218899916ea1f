package main

import "fmt"

// A stepKind says what happens in a step. From stepCrash on they are what does
// not happen all the time.
type stepKind uint8

const (
	stepWrite stepKind = iota
	stepAccept
	stepLearn
	stepHello
	stepCommit
	stepReady
	stepInstall
	stepSync
	stepCrash
	stepRegister
	stepRenew
	stepRemove
	stepDrop
	stepRecruit
	stepPromote
	stepRestart
)

// A step is what leads from one state to the next.
type step struct {
	kind  stepKind
	node  uint8
	other uint8 // another node, or the write
	epoch uint8 // of a message or row
}

// describe says in words what led to s.
func (m *model) describe(s *state, by step) string {
	n, other := m.name(by.node), ""
	if int(by.other) < maxNodes {
		other = m.name(by.other)
	}
	at := s.nodes[by.node].epoch
	size := s.nodes[by.node].log.size()
	switch by.kind {
	case stepWrite:
		return fmt.Sprintf("a client sends write %d to head %s, which makes it LSN %d of epoch %d", by.other, n, size, at)
	case stepAccept:
		sent := ""
		if by.epoch != at {
			sent = fmt.Sprintf(" sent in epoch %d", by.epoch)
		}
		return fmt.Sprintf("%s, in epoch %d, accepts LSN %d from %s%s", n, at, size, other, sent)
	case stepLearn:
		return fmt.Sprintf("%s learns of the commit of LSN %d", n, s.nodes[by.node].commit)
	case stepHello:
		return fmt.Sprintf("tail %s of epoch %d gets hello from %s and is active", n, at, other)
	case stepCommit:
		return fmt.Sprintf("tail %s commits LSN %d in epoch %d", n, s.nodes[by.node].commit, at)
	case stepReady:
		return fmt.Sprintf("tail %s turns its gate on and reports recruit %s ready in epoch %d", n, other, at)
	case stepInstall:
		return fmt.Sprintf("%s installs epoch %d", n, at)
	case stepSync:
		return fmt.Sprintf("%s makes its log durable, up to LSN %d", n, size)
	case stepCrash:
		return fmt.Sprintf("%s crashes and starts again; the records on its disk: %d", n, size)
	case stepRegister:
		return fmt.Sprintf("%s learns that it was removed and registers anew", n)
	case stepRenew:
		return fmt.Sprintf("%s renews its lease", n)
	}
	return m.describeRow(s, by)
}

// describeRow says what the controller published.
func (m *model) describeRow(s *state, by step) string {
	n := m.name(by.node)
	why := map[stepKind]string{
		stepRemove: "removes", stepDrop: "drops recruit", stepRecruit: "recruits",
		stepPromote: "promotes", stepRestart: "restarts the dead chain from",
	}[by.kind]
	r := &s.rows[s.last]
	chain := ""
	for i := range r.size {
		chain += m.name(r.members[i])
	}
	if r.recruit > 0 {
		chain += "+" + m.name(r.recruit-1)
	}
	planned := ""
	if by.epoch+1 != s.last {
		planned = fmt.Sprintf(", as planned from epoch %d", by.epoch)
	}
	return fmt.Sprintf("the controller %s %s%s: epoch %d is %s", why, n, planned, s.last, chain)
}

// replay follows a path of choices and says what happens, and what is broken at
// its end. A search renumbers nodes; here they keep the letters of the beginning.
func (m *model) replay(path []uint16) (trace []string, broken string) {
	names, visit := m.names, m.visit
	defer func() { m.names, m.visit = names, visit }()
	s := *m.first()
	for _, choice := range path {
		at := 0
		var t state
		m.visit = func(u *state, by step, wrong string) {
			if at == int(choice) {
				t, broken = *u, wrong
				trace = append(trace, m.describe(u, by)+m.shown(&s, u))
			}
			at++
		}
		m.next(&s)
		before := m.names
		for i, n := range m.reduce(&t) {
			m.names[i] = before[n]
		}
		s = t
	}
	if broken == "" {
		broken = m.check(&s)
	}
	return trace, broken
}

// shown says what a step added to what is seen.
func (m *model) shown(s, t *state) string {
	if t.seen.size() == s.seen.size() {
		return ""
	}
	what := "committed"
	if m.clients {
		what = "seen by a client"
	}
	text := " ["
	for i := s.seen.size(); i < t.seen.size(); i++ {
		if i > s.seen.size() {
			text += ", "
		}
		text += fmt.Sprintf("LSN %d = %v", i+1, t.seen.at(i))
	}
	return text + " is " + what + "]"
}
