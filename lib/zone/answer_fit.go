package zone

import (
	"sort"

	"github.com/miekg/dns"
)

// fit puts the groups into m, whose additional section has at most the OPT
// record so far, so that it packs into limit octets. What is not needed goes
// first, from the end; if the needed does not fit either, whole RRsets from the
// front are kept and TC is set (RFC 2181 section 9).
func fit(m *dns.Msg, groups []group, limit int) {
	tail := m.Extra // OPT stays last
	if place(m, groups, tail) <= limit {
		return
	}
	var needed, rest []group
	for _, g := range groups {
		if g.needed {
			needed = append(needed, g)
		} else {
			rest = append(rest, g)
		}
	}
	if place(m, needed, tail) <= limit {
		n := most(len(rest), func(n int) bool { return place(m, join(needed, rest[:n]), tail) <= limit })
		place(m, join(needed, rest[:n]), tail)
		return
	}
	m.Truncated = true
	n := most(len(needed), func(n int) bool { return place(m, needed[:n], tail) <= limit })
	place(m, needed[:n], tail)
}

// place sets the sections of m and returns its length in octets.
func place(m *dns.Msg, groups []group, tail []dns.RR) int {
	var sections [inAdditional + 1][]dns.RR
	for _, g := range groups {
		sections[g.section] = append(sections[g.section], g.records...)
	}
	m.Answer, m.Ns = sections[inAnswer], sections[inAuthority]
	m.Extra = append(sections[inAdditional], tail...)
	return m.Len()
}

func join(a, b []group) []group { return append(append([]group(nil), a...), b...) }

// most is the largest n up to top for which fits is true; fits(0) is taken to be.
func most(top int, fits func(n int) bool) int {
	return sort.Search(top, func(i int) bool { return !fits(i + 1) })
}
