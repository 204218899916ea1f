package watch

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// check says what does not hold together.
func (c Config) check() error {
	switch {
	case c.Rand == nil:
		return errors.New("no source of chance")
	case c.MinLive < 1:
		return fmt.Errorf("%d nodes have to stay, and not at least one", c.MinLive)
	}
	for _, check := range []func(Config) error{Config.checkTiming, Config.checkComponents, Config.checkProbes, Config.checkPrefixes, Config.checkPeers} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkTiming() error {
	t := c.Timing
	for _, d := range append([]time.Duration{t.Verify, t.Calm, t.Backoff, t.BackoffMax, t.RestartsIn, t.Trust, t.Settle,
		t.LastResort, t.Repeat, t.Fresh, t.Hear, t.Busy, t.Blind, t.Ask, t.Vote, t.Lease}, t.Hold...) {
		if d <= 0 {
			return fmt.Errorf("a time of %v", d)
		}
	}
	switch {
	case t.Restarts < 1 || t.Outside < 1:
		return errors.New("a count below one")
	case t.BackoffMax < t.Backoff:
		return fmt.Errorf("pauses between restarts from %v to %v", t.Backoff, t.BackoffMax)
	case t.Fresh < 2*t.Repeat:
		return fmt.Errorf("heartbeats every %v that are believed for %v", t.Repeat, t.Fresh)
	case t.Lease < 2*t.Vote || t.Lease > time.Minute:
		return fmt.Errorf("votes every %v that hold for %v", t.Vote, t.Lease)
	case !slices.IsSorted(t.Hold):
		return errors.New("hold-downs that do not grow")
	}
	return nil
}

func (c Config) checkComponents() error {
	seen := make(map[string]bool)
	for _, n := range c.Components {
		switch {
		case n.Name == "":
			return errors.New("a component without a name")
		case seen[n.Name]:
			return fmt.Errorf("component %s twice", n.Name)
		case n.Start < 0 || n.Busy < 0:
			return fmt.Errorf("component %s: a negative number", n.Name)
		case !n.Process && !slices.ContainsFunc(c.Probes, func(p Probe) bool { return p.Component == n.Name && p.Level == Fatal }):
			return fmt.Errorf("component %s has neither a process nor a fatal probe", n.Name)
		}
		seen[n.Name] = true
	}
	for _, n := range c.Components {
		for _, need := range n.Needs {
			if !seen[need] {
				return fmt.Errorf("component %s needs %q, which is none", n.Name, need)
			}
		}
	}
	if len(sorted(c.Components)) < len(c.Components) {
		return errors.New("components that need each other")
	}
	return nil
}

func (c Config) checkProbes() error {
	seen := make(map[string]bool)
	for _, p := range c.Probes {
		switch {
		case p.Name == "":
			return errors.New("a probe without a name")
		case seen[p.Name]:
			return fmt.Errorf("probe %s twice", p.Name)
		case !slices.ContainsFunc(c.Components, func(n Component) bool { return n.Name == p.Component }):
			return fmt.Errorf("probe %s is of component %q, which is none", p.Name, p.Component)
		case p.Level > Tell:
			return fmt.Errorf("probe %s: no such level", p.Name)
		case p.Interval < 0 || p.Timeout < 0 || p.Fall < 0 || p.Rise < 0:
			return fmt.Errorf("probe %s: a negative number", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

func (c Config) checkPrefixes() error {
	seen := make(map[netip.Prefix]bool)
	for _, p := range c.Prefixes {
		switch {
		case !p.Prefix.IsValid() || p.Prefix != p.Prefix.Masked():
			return fmt.Errorf("prefix %v", p.Prefix)
		case seen[p.Prefix]:
			return fmt.Errorf("prefix %v twice", p.Prefix)
		case len(c.Components) == 0:
			return fmt.Errorf("prefix %v and no component", p.Prefix)
		}
		seen[p.Prefix] = true
		for _, need := range p.Needs {
			if !slices.ContainsFunc(c.Components, func(n Component) bool { return n.Name == need }) {
				return fmt.Errorf("prefix %v needs %q, which is no component", p.Prefix, need)
			}
		}
	}
	return nil
}

func (c Config) checkPeers() error {
	seen := map[string]bool{c.Name: true}
	for _, p := range c.Peers {
		if p.Name == "" || seen[p.Name] {
			return fmt.Errorf("node %q twice, or without a name", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}
