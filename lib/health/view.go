package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"namecast/lib/route"
	"namecast/lib/watch"
)

// A view is everything that is shown to people, as of one moment.
type view struct {
	Node     string
	Headline string
	At       time.Time
	Up       time.Duration
	OK       bool // every prefix is announced for everybody
	Sections []section
	now      time.Duration
	shot     watch.Snapshot
	sessions []session
	routes   map[string]route.State // by the prefix
	linked   bool
	hash     [8]byte
}

// A section is a table of a view.
type section struct {
	Title string
	Head  []string
	Rows  []row
}

// A row is one line of a table.
type row struct {
	Mood  string // "bad", "warn" or ""
	Cells []string
}

func (s *section) add(mood string, cells ...string) {
	s.Rows = append(s.Rows, row{mood, cells})
}

// errSilent: the loop has not answered; nc-bgp misses it as well then.
var errSilent = errors.New("the decision loop does not answer: it hangs, or the machine is overloaded")

// look gives the view of now.
func (d *daemon) look(ctx context.Context) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	v := &view{At: time.Now(), Up: time.Since(d.started).Round(time.Second), routes: map[string]route.State{}}
	err := d.loop.call(ctx, func() {
		v.shot = d.loop.watch.State()
		v.sessions, v.linked = d.link.all(), d.link.to != nil
		for p, s := range d.link.routes {
			v.routes[p.String()] = s
		}
		v.Node, v.hash = d.loop.plan.Watch.Name, d.loop.plan.Hash
	})
	if err != nil {
		return nil, errSilent
	}
	v.now = d.now()
	v.Headline = headline(v.shot)
	v.OK = !slices.ContainsFunc(v.shot.Prefixes, func(p watch.PrefixShot) bool { return p.Route != watch.Announce })
	v.Sections = []section{v.prefixes(), v.components(), v.probes(), v.neighbours(d.Route), v.others(), events(d.notes.newest())}
	v.Sections = slices.DeleteFunc(v.Sections, func(s section) bool { return len(s.Rows) == 0 })
	return v, nil
}

// headline says in a sentence what is announced and why.
func headline(s watch.Snapshot) string {
	if len(s.Prefixes) == 0 {
		return "This node announces nothing and only watches others."
	}
	first := s.Prefixes[0]
	same := func(p watch.PrefixShot) bool { return p.Route == first.Route && p.Why == first.Why }
	if len(s.Prefixes) > 1 && !slices.ContainsFunc(s.Prefixes, func(p watch.PrefixShot) bool { return !same(p) }) {
		return fmt.Sprintf("All %d prefixes are %v: %s", len(s.Prefixes), first.Route, first.Why)
	}
	var parts []string
	for _, p := range s.Prefixes {
		parts = append(parts, fmt.Sprintf("%v is %v: %s", p.Prefix, p.Route, p.Why))
	}
	return strings.Join(parts, "; ")
}

func (v *view) prefixes() section {
	s := section{Title: "Routes", Head: []string{"prefix", "decision", "since", "in nc-bgp", "held down", "orders", "rule", "why"}}
	for _, p := range v.shot.Prefixes {
		mood, out := "", "not told"
		if r, ok := v.routes[p.Prefix.String()]; ok {
			out = fmt.Sprintf("%s in %d of %d sessions", r.Is, r.Out, r.Of)
		}
		switch p.Route {
		case watch.Withdraw:
			mood = "bad"
		case watch.Last:
			mood = "warn"
		}
		order := ""
		if p.Ordered > v.now {
			order = fmt.Sprintf("withdrawn by %s for %v more", strings.Join(p.By, ","), (p.Ordered - v.now).Round(time.Second))
		}
		s.add(mood, p.Prefix.String(), p.Route.String(), v.ago(p.Since), out, v.left(p.Hold), order, p.Row, p.Why)
	}
	return s
}

func (v *view) components() section {
	s := section{Title: "Components", Head: []string{"component", "state", "since", "restarts", "next restart", "last restart's error", "why"}}
	for _, c := range v.shot.Components {
		mood := "bad"
		switch c.State {
		case "well":
			mood = ""
		case "unknown", "overloaded":
			mood = "warn"
		}
		s.add(mood, c.Name, c.State, v.ago(c.Since), fmt.Sprint(c.Restarts), v.left(c.NextTry), c.LastError, c.Why)
	}
	return s
}

func (v *view) probes() section {
	s := section{Title: "Probes", Head: []string{"probe", "of", "level", "state", "since", "in a row", "last", "saw", "last error"}}
	for _, p := range v.shot.Probes {
		mood, streak := "", fmt.Sprintf("%d good", p.Good)
		if p.Bad > 0 {
			mood, streak = "warn", fmt.Sprintf("%d bad", p.Bad)
		}
		switch {
		case p.State == "failing" && p.Level == watch.Fatal:
			mood = "bad"
		case p.State != "passing" || p.Blind:
			mood = "warn"
		}
		s.add(mood, p.Name, p.Component, p.Level.String(), p.State, v.ago(p.Since), streak, v.ago(p.LastAt), p.Detail, p.LastError)
	}
	return s
}

func (v *view) neighbours(path string) section {
	s := section{Title: "Neighbours of nc-bgp", Head: []string{"neighbour", "session", "BFD"}}
	if path != "" && !v.linked {
		s.add("bad", "nc-bgp is not connected", path, "")
	}
	for _, n := range v.sessions {
		mood := ""
		if n.Is != route.Established || n.BFD == route.Down {
			mood = "bad"
		}
		s.add(mood, n.Addr.String(), string(n.Is), string(n.BFD))
	}
	return s
}

// others shows what every other node says, and how it looks from here.
func (v *view) others() section {
	s := section{Title: "Other nodes", Head: []string{"node", "heard", "says", "finds well", "from outside", "configuration", "vote"}}
	for _, p := range v.shot.Peers {
		mood, heard, outside, config := "", "never", "not asked", ""
		if p.Heard > 0 {
			heard, config = v.ago(p.Heard)+" ago", "same"
			if p.Config != v.hash {
				config = "another"
			}
		}
		if !p.Fresh {
			mood = "warn"
		}
		if p.Outside != 0 {
			outside = fmt.Sprintf("%v: %s", p.Outside, p.Detail)
			if p.Bad > 0 {
				mood, outside = "bad", fmt.Sprintf("%d bad in a row, %s", p.Bad, outside)
			}
		}
		var says []string
		for _, c := range p.Claims {
			says = append(says, fmt.Sprintf("%v %v", c.Prefix, c.Standing))
		}
		s.add(mood, p.Name, heard, strings.Join(says, ", "), strings.Join(p.Sees, " "), outside, config, p.Voting)
	}
	return s
}

func events(list []note) section {
	s := section{Title: "Events", Head: []string{"time", "about", "what"}}
	for _, n := range list {
		mood := ""
		switch {
		case n.Alarm:
			mood = "bad"
		case n.Warn:
			mood = "warn"
		}
		s.add(mood, n.At.UTC().Format("2006-01-02 15:04:05.000Z"), n.About, n.Text)
	}
	return s
}

// ago is how long a reading of the clock is past.
func (v *view) ago(t time.Duration) string {
	if t == 0 {
		return ""
	}
	return round(v.now - t).String()
}

// left is how long it is until a reading of the clock.
func (v *view) left(t time.Duration) string {
	if t <= v.now {
		return ""
	}
	return round(t - v.now).String()
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// health tells why not every prefix is announced for everybody; nil if all are.
func (d *daemon) health() error {
	v, err := d.look(context.Background())
	if err == nil && !v.OK {
		err = errors.New(v.Headline)
	}
	return err
}
