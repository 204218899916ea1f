package watch

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// build makes what a configuration says, with the state that there is of things
// of the same name.
func (w *Watch) build(c Config) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	old := *w
	w.conf = c
	w.components = nil
	for _, conf := range sorted(c.Components) {
		w.components = append(w.components, keep(old.component(conf.Name), component{conf: conf, starting: w.now + conf.Start, awaited: conf.Process}, func(n *component) { n.conf = conf }))
	}
	for _, n := range w.components {
		n.below = w.closure(n.conf.Needs)
		n.answers = answers(n.conf, c.Components)
	}
	w.probes = nil
	for _, conf := range c.Probes {
		fresh := probe{conf: conf, lastAt: w.now, since: w.now}
		w.probes = append(w.probes, keep(old.probe(conf.Name), fresh, func(n *probe) { n.conf = conf }))
	}
	for _, n := range w.components {
		n.probes = [Tell + 1][]*probe{}
	}
	for _, p := range w.probes {
		of := &w.component(p.conf.Component).probes[p.conf.Level]
		*of = append(*of, p)
	}
	w.peers = nil
	for _, conf := range c.Peers {
		fresh := peer{conf: conf, votes: make(map[netip.Prefix]campaign)}
		w.peers = append(w.peers, keep(old.peer(conf.Name), fresh, func(n *peer) { n.conf, n.votes = conf, maps.Clone(n.votes) }))
	}
	w.buildPrefixes(&old)
	return nil
}

// buildPrefixes is the part of build about prefixes.
func (w *Watch) buildPrefixes(old *Watch) {
	w.prefixes, w.dropped = nil, slices.Clone(old.dropped)
	for _, conf := range w.conf.Prefixes {
		n := keep(old.prefix(conf.Prefix), prefix{conf: conf, since: w.now, why: text("nothing was decided yet")}, func(n *prefix) { n.conf = conf })
		n.needs = nil
		for _, c := range w.components {
			if len(conf.Needs) == 0 || slices.Contains(conf.Needs, c.conf.Name) {
				n.needs = append(n.needs, c)
			}
		}
		w.prefixes = append(w.prefixes, n)
	}
	for _, p := range old.prefixes {
		w.dropped = append(w.dropped, p.conf.Prefix)
	}
	slices.SortFunc(w.dropped, netip.Prefix.Compare)
	w.dropped = slices.DeleteFunc(slices.Compact(w.dropped), func(p netip.Prefix) bool { return w.prefix(p) != nil })
}

// keep copies the state there is, or takes a new one.
func keep[T any](old *T, fresh T, adapt func(*T)) *T {
	if old != nil {
		fresh = *old
	}
	adapt(&fresh)
	return &fresh
}

// closure are the components of the names, and all that those need.
func (w *Watch) closure(names []string) []*component {
	var all []*component
	for _, c := range slices.Backward(w.components) {
		if slices.Contains(names, c.conf.Name) {
			all = append(all, c)
			names = append(slices.Clone(names), c.conf.Needs...)
		}
	}
	return all
}

// answers reports whether clients are answered by a component.
func answers(c Component, all []Component) bool {
	if slices.ContainsFunc(all, func(o Component) bool { return o.Answers }) {
		return c.Answers
	}
	return !slices.ContainsFunc(all, func(o Component) bool { return slices.Contains(o.Needs, c.Name) })
}

// sorted are the components, each after those that it needs; fewer if some need
// each other.
func sorted(components []Component) []Component {
	var out []Component
	has := func(name string) bool {
		return slices.ContainsFunc(out, func(c Component) bool { return c.Name == name })
	}
	for range components {
		for _, c := range components {
			missing := slices.ContainsFunc(c.Needs, func(n string) bool { return !has(n) })
			if !missing && !has(c.Name) {
				out = append(out, c)
			}
		}
	}
	return out
}

// checked gives a configuration with its defaults, if it holds together.
func (c Config) checked() (Config, error) {
	c.Timing = c.Timing.withDefaults()
	setDefault(&c.MinLive, 1)
	c.Probes, c.Components = slices.Clone(c.Probes), slices.Clone(c.Components)
	for i := range c.Components {
		setDefault(&c.Components[i].Start, 10*time.Second)
	}
	for i := range c.Probes {
		p := &c.Probes[i]
		setDefault(&p.Interval, 250*time.Millisecond)
		setDefault(&p.Timeout, 250*time.Millisecond)
		setDefault(&p.Fall, 2)
		setDefault(&p.Rise, 4)
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c, nil
}
