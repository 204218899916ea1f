package anycast

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"namecast/lib/bfd"
	"namecast/lib/ndb"
	"namecast/lib/quorum"
	"namecast/lib/route"
	"namecast/lib/speaker"
)

// ErrConfig marks an error of the operator's words.
var ErrConfig = errors.New("")

// What a configuration has where it says nothing.
const (
	defaultHold   = 9 * time.Second
	defaultLinger = 10 * time.Second
)

// keep is the linger of addresses that stay.
const keep time.Duration = -1

// A prefix is one that this node may announce.
type prefix struct {
	netip.Prefix
	attrs        route.Attrs
	drainPrepend int
	address      netip.Addr // on the loopback device, or the zero Addr
}

// settings are what a configuration file says.
type settings struct {
	speaker  speaker.Config
	prefixes []prefix
	bfd      []bfd.Session
	linger   time.Duration // of addresses after a withdrawal, or keep

	name    string // of this node; "" is: no votes
	nodes   quorum.Nodes
	votes   netip.AddrPort
	minLive int
}

// load reads a configuration file. An error is ErrConfig and names the file and the
// line.
func load(path string) (settings, error) {
	s, err := read(path)
	if err != nil {
		return settings{}, fmt.Errorf("%wconfiguration %w", ErrConfig, err)
	}
	return s, nil
}

func read(path string) (settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return settings{}, fmt.Errorf("%q: %w", path, cause(err))
	}
	defer f.Close()
	lines, err := ndb.Parse(f)
	if err != nil {
		return settings{}, fmt.Errorf("%q, %w", path, err)
	}
	r := reader{dir: filepath.Dir(path), seen: map[string]bool{}, settings: settings{linger: defaultLinger, minLive: 1}}
	for _, line := range lines {
		if err := r.line(line.Record); err != nil {
			return settings{}, fmt.Errorf("%q, line %d: %w", path, line.Number, err)
		}
	}
	if err := r.finish(); err != nil {
		return settings{}, fmt.Errorf("%q: %w", path, err)
	}
	return r.settings, nil
}

// cause drops the path that package os puts before what went wrong.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// A reader reads a file line by line.
type reader struct {
	settings
	dir       string          // of the file: other files are named from there
	seen      map[string]bool // first words that have come
	nodesFile string
}

// line reads one line, whose first word says what it is about.
func (r *reader) line(record ndb.Record) error {
	first, rest := record[0], record[1:]
	if err := r.once(first); err != nil {
		return err
	}
	var err error
	switch first.Name {
	case "local":
		err = r.readLocal(first.Value, rest)
	case "neighbor":
		err = r.readNeighbor(first.Value, rest)
	case "prefix":
		err = r.readPrefix(first.Value, rest)
	case "fallback":
		var p netip.Prefix
		p, err = route.ParsePrefix(first.Value)
		r.speaker.Fallback = append(r.speaker.Fallback, p)
		if err == nil {
			err = errors.Join(speaker.CheckPrefix(p), set(rest, nil))
		}
	default:
		return fmt.Errorf("unknown line %q", first.Name)
	}
	if err != nil && first.Value != "" {
		return fmt.Errorf("%s=%s: %w", first.Name, first.Value, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", first.Name, err)
	}
	return nil
}

// once refuses a second line about the same.
func (r *reader) once(first ndb.Attr) error {
	word := ndb.Record{first}.String()
	if r.seen[word] {
		return fmt.Errorf("%s: twice", word)
	}
	r.seen[word] = true
	return nil
}

func (r *reader) readLocal(value string, rest ndb.Record) error {
	if value != "" {
		return errors.New("it takes no value")
	}
	c := &r.speaker
	return set(rest, map[string]setter{
		"as":       number(&c.AS, 1, 1<<32-2),
		"id":       address(&c.ID),
		"name":     text(&r.name),
		"nodes":    text(&r.nodesFile),
		"votes":    addrPort(&r.votes),
		"min-live": number(&r.minLive, 1, quorum.MaxNodes),
		"linger": func(v string) error {
			if v == "keep" {
				r.linger = keep
				return nil
			}
			return duration(&r.linger, 0, time.Hour)(v)
		},
	})
}

func (r *reader) readPrefix(value string, rest ndb.Record) error {
	p := prefix{}
	var err error
	if p.Prefix, err = route.ParsePrefix(value); err != nil {
		return err
	}
	if err := speaker.CheckPrefix(p.Prefix); err != nil {
		return err
	}
	attr := func(name string) setter { return func(v string) error { return p.attrs.Set(name, v) } }
	err = set(rest, map[string]setter{
		"address":       address(&p.address),
		"med":           attr("med"),
		"prepend":       attr("prepend"),
		"community":     attr("community"),
		"large":         attr("large"),
		"drain-prepend": number(&p.drainPrepend, 1, route.MaxPrepend),
	}, "community", "large")
	if err != nil {
		return err
	}
	if p.address.IsValid() {
		if !p.Contains(p.address) {
			return fmt.Errorf("address %s is not in it", p.address)
		}
		if slices.ContainsFunc(r.prefixes, func(other prefix) bool { return other.address == p.address }) {
			return fmt.Errorf("address %s is another prefix's", p.address)
		}
	}
	r.prefixes = append(r.prefixes, p)
	r.speaker.Prefixes = append(r.speaker.Prefixes, p.Prefix)
	return nil
}

// finish reads what the file names, and checks it as a whole.
func (r *reader) finish() error {
	if !r.seen["local"] {
		return errors.New("there is no line that begins with the word local")
	}
	if err := r.speaker.Check(); err != nil {
		return err
	}
	var given []string
	for name, is := range map[string]bool{"name": r.name != "", "nodes": r.nodesFile != "", "votes": r.votes.IsValid()} {
		if is {
			given = append(given, name)
		}
	}
	switch len(given) {
	case 0:
		return nil
	case 3:
		return r.readNodes()
	}
	slices.Sort(given)
	return fmt.Errorf("votes of other nodes need name=, nodes= and votes=, and there is only %s=", strings.Join(given, "= and "))
}

func (r *reader) readNodes() error {
	f, err := os.Open(r.path(r.nodesFile))
	if err != nil {
		return fmt.Errorf("nodes %q: %w", r.nodesFile, cause(err))
	}
	defer f.Close()
	if r.nodes, err = quorum.ParseNodes(f); err != nil {
		return fmt.Errorf("nodes %q: %w", r.nodesFile, err)
	}
	if _, ok := r.nodes.Get(r.name); !ok {
		return fmt.Errorf("nodes %q: no node %q", r.nodesFile, r.name)
	}
	return nil
}

// path is that of a file which the configuration names.
func (r *reader) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}
