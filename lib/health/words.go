package health

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"namecast/lib/ndb"
	"namecast/lib/probe"
	"namecast/lib/watch"
)

// words are those of a line.
type words struct{ ndb.Words }

// list takes words with commas between them.
func (w *words) list(name string) []string {
	text := w.Take(name)
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// count takes a number of things.
func (w *words) count(name string, without int) (int, error) {
	text := w.Take(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s=%q is not a number from 1 to 65535", name, text)
	}
	return int(n), nil
}

// rate takes a number of things a second.
func (w *words) rate(name string) (float64, error) {
	text := w.Take(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%s=%q is no rate", name, text)
	}
	return n, nil
}

// maxTime is the longest time that a configuration may say.
const maxTime = 30 * 24 * time.Hour

// duration takes a time of more than nothing.
func (w *words) duration(name string, without time.Duration) (time.Duration, error) {
	text := w.Take(name)
	if text == "" {
		return without, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Millisecond || d > maxTime {
		return 0, fmt.Errorf("%s=%q is not a time from 1ms to %v", name, text, maxTime)
	}
	return d, nil
}

// file gives the path of a file that a line names.
func (b *builder) file(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.folder, name)
}

// timing takes the words of a timing line.
func (b *builder) timing(value string) (err error) {
	if value != "" {
		return errors.New("timing has no value")
	}
	t := &b.plan.Watch.Timing
	for _, x := range []struct {
		name string
		to   *time.Duration
	}{
		{"verify", &t.Verify}, {"calm", &t.Calm}, {"backoff", &t.Backoff}, {"backoff-max", &t.BackoffMax},
		{"restarts-in", &t.RestartsIn}, {"trust", &t.Trust}, {"settle", &t.Settle}, {"last-resort", &t.LastResort},
		{"repeat", &t.Repeat}, {"fresh", &t.Fresh}, {"hear", &t.Hear}, {"busy", &t.Busy}, {"blind", &t.Blind},
		{"ask", &t.Ask}, {"vote", &t.Vote}, {"lease", &t.Lease},
	} {
		if *x.to, err = b.duration(x.name, *x.to); err != nil {
			return err
		}
	}
	if t.Restarts, err = b.count("restarts", t.Restarts); err != nil {
		return err
	}
	if t.Outside, err = b.count("outside", t.Outside); err != nil {
		return err
	}
	for _, text := range b.list("hold") {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > maxTime {
			return fmt.Errorf("hold=: %q is no time", text)
		}
		t.Hold = append(t.Hold, d)
	}
	return nil
}

// How a kind of probe is run if its line does not say.
type manner struct {
	interval, timeout time.Duration
	fall, rise        int
	level             watch.Level
}

var manners = map[string]manner{
	"dns":     {250 * time.Millisecond, 250 * time.Millisecond, 2, 4, watch.Fatal},
	"update":  {5 * time.Second, 3 * time.Second, 2, 1, watch.Drain},
	"http":    {time.Second, time.Second, 2, 2, watch.Fatal},
	"metric":  {time.Second, time.Second, 2, 2, watch.Fatal},
	"command": {2 * time.Second, 2 * time.Second, 2, 2, watch.Fatal},
	"counter": {500 * time.Millisecond, 500 * time.Millisecond, 1, 1, watch.Tell},
	"bgp":     {500 * time.Millisecond, 500 * time.Millisecond, 2, 1, watch.Tell},
}

// own are the words of a probe's line that are not its kind's.
var own = []string{"probe", "component", "level", "label", "interval", "timeout", "fall", "rise", "sessions"}

func (b *builder) probe(kind string) error {
	m, ok := manners[kind]
	if !ok {
		return fmt.Errorf("probe=%q is no kind of probe", kind)
	}
	l := Look{Probe: watch.Probe{Component: b.Take("component")}}
	if err := b.manner(&l.Probe, m); err != nil {
		return err
	}
	label := b.Take("label")
	rest := slices.DeleteFunc(slices.Clone(b.Record), func(a ndb.Attr) bool { return slices.Contains(own, a.Name) })
	var err error
	if kind == "bgp" {
		l.Name = "bgp"
		b.plan.bgp = true
		l.BGP, err = b.count("sessions", 1)
	} else {
		err = b.look(&l, kind, rest)
	}
	if err != nil || l.Look == nil && kind != "bgp" {
		return err
	}
	if label != "" {
		l.Name = label
	}
	for _, o := range b.plan.Looks {
		if o.Name == l.Name {
			return fmt.Errorf("a second probe %q: give it a label=", l.Name)
		}
	}
	b.plan.Looks = append(b.plan.Looks, l)
	b.plan.Watch.Probes = append(b.plan.Watch.Probes, l.Probe)
	return nil
}

// look makes what looks; a counter is kept apart.
func (b *builder) look(l *Look, kind string, rest ndb.Record) error {
	for i, a := range rest {
		if a.Name == "key" {
			rest[i].Value = b.file(a.Value)
		}
		b.Known(a.Name)
	}
	p, err := probe.Parse(kind, rest)
	if err != nil {
		return err
	}
	l.Name, l.Look = p.Name, p.Look
	if p.Counter != nil {
		b.plan.Counters = append(b.plan.Counters, Counter{l.Component, p.Counter, l.Interval})
	}
	b.questions = append(b.questions, p.Questions...)
	return nil
}

// manner takes the words that all kinds have.
func (b *builder) manner(p *watch.Probe, m manner) (err error) {
	if p.Component == "" {
		return errors.New("a probe has no component=")
	}
	if p.Interval, err = b.duration("interval", m.interval); err != nil {
		return err
	}
	if p.Timeout, err = b.duration("timeout", min(m.timeout, p.Interval)); err != nil {
		return err
	}
	if p.Timeout > p.Interval {
		return fmt.Errorf("timeout=%v is longer than interval=%v", p.Timeout, p.Interval)
	}
	if p.Fall, err = b.count("fall", m.fall); err != nil {
		return err
	}
	if p.Rise, err = b.count("rise", m.rise); err != nil {
		return err
	}
	switch level := b.Take("level"); level {
	case "":
		p.Level = m.level
	case "fatal":
		p.Level = watch.Fatal
	case "drain":
		p.Level = watch.Drain
	case "tell":
		p.Level = watch.Tell
	default:
		return fmt.Errorf("level=%q is none of fatal, drain and tell", level)
	}
	return nil
}
