package anycast

import "namecast/lib/route"

// say writes one state to who commands, if there is anybody.
func (n *node) say(s route.State) {
	if n.owner != nil {
		_, _ = n.owner.out.Write([]byte(s.String() + "\n"))
	}
}

// tell writes the states that are not as they were told last.
func (n *node) tell() {
	for subject, s := range n.states() {
		if text := s.String(); n.told[subject] != text {
			n.told[subject] = text
			n.say(s)
		}
	}
}

// tellAll writes all states.
func (n *node) tellAll() {
	clear(n.told)
	n.tell()
}

// gone tells the routes' end, when there are no neighbours any more.
func (n *node) gone() {
	for _, p := range n.settings.prefixes {
		s := route.State{Kind: route.Route, Prefix: p.Prefix, Is: route.Withdrawn}
		if n.told[subject(s)] != s.String() {
			n.say(s)
		}
	}
}

// states gives each state with its subject.
func (n *node) states() func(yield func(string, route.State) bool) {
	var list []route.State
	for _, p := range n.speaker.Peers() {
		list = append(list, route.State{Kind: route.Peer, Addr: p.Addr, Is: p.Is})
	}
	for _, p := range n.settings.prefixes {
		out, of := n.speaker.Out(p.Prefix)
		list = append(list, route.State{Kind: route.Route, Prefix: p.Prefix, Is: n.shown(p), Out: out, Of: of})
	}
	for _, p := range n.settings.speaker.Fallback {
		out, of := n.speaker.Out(p)
		list = append(list, route.State{Kind: route.Route, Prefix: p, Is: route.Announced, Out: out, Of: of})
	}
	n.mu.Lock()
	for _, s := range n.settings.bfd {
		is := route.Down
		if n.bfd[s.Peer] {
			is = route.Up
		}
		list = append(list, route.State{Kind: route.BFD, Addr: s.Peer, Is: is})
	}
	n.mu.Unlock()
	for _, p := range n.settings.prefixes {
		if o, is := n.orders[p.Prefix]; is {
			list = append(list, route.State{Kind: route.Order, Prefix: p.Prefix, Is: route.Withdrawn, Until: o.Until, By: o.By})
		}
	}
	return func(yield func(string, route.State) bool) {
		for _, s := range list {
			if !yield(subject(s), s) {
				return
			}
		}
	}
}

// subject is what a state is about.
func subject(s route.State) string {
	if s.Prefix.IsValid() {
		return string(s.Kind) + " " + s.Prefix.String()
	}
	return string(s.Kind) + " " + s.Addr.String()
}

// shown is how a prefix is announced.
func (n *node) shown(p prefix) route.Condition {
	if n.addresses.faulty(p.address) {
		return route.Withdrawn
	}
	return n.wanted(p).Is
}
