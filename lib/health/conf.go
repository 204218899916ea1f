package health

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"namecast/lib/key"
	"namecast/lib/ndb"
	"namecast/lib/probe"
	"namecast/lib/quorum"
	"namecast/lib/route"
	"namecast/lib/watch"
)

// A Plan is a configuration that was read: what is decided by it, and what is
// done for it.
type Plan struct {
	Watch    watch.Config
	Looks    []Look
	Parts    map[string]Part // by the component's name
	Counters []Counter
	Nodes    quorum.Nodes   // none: the node is alone
	Key      *key.Secret    // of the node, nil if it is alone
	Outside  *probe.DNS     // what other nodes are asked, nil if nothing; At is each node's own
	Hash     [8]byte        // of what all nodes have alike
	Listen   netip.AddrPort // where the others are heard
	bgp      bool           // one of the probes looks at nc-bgp
}

// A Look is a probe that looks again and again.
type Look struct {
	watch.Probe
	Look probe.Func // nil for the probe of nc-bgp's sessions
	BGP  int        // how many sessions that one wants
}

// A Part is what is done for a component.
type Part struct {
	Pid     probe.PidFunc // nil if the process is not watched
	Restart string        // the command, "" if there is none
	Limit   time.Duration // how long the command may take
}

// A Counter tells a component's progress.
type Counter struct {
	Component string
	Metric    *probe.Metric
	Interval  time.Duration
}

// Read reads a configuration file; the files that it names are looked for beside
// it. The error names file and line.
func Read(path string) (*Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := Parse(f, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse reads a configuration. Each line begins with what it is about:
//
//	node=NAME [nodes=FILE key=FILE [listen=ADDR:PORT]] [min-live=N] [keep] [absorb]
//	prefix=PREFIX [needs=COMPONENT,...]
//	component=NAME [needs=COMPONENT,...] [pid=COMMAND | pid-file=FILE] [restart=COMMAND [limit=TIME]]
//	          [start=TIME] [answers] [respawns] [busy=RATE]
//	probe=KIND component=NAME [level=fatal|drain|tell] [interval=TIME] [timeout=TIME] [fall=N] [rise=N]
//	          [label=TEXT] and the words of its kind, see probe.Parse
//	probe=bgp component=NAME [sessions=N] ...
//	outside=dns name=... and on as those of a dns probe, without at=
//	timing [verify=TIME] [hold=TIME,...] ...
//
// Folder is where files with relative names are.
func Parse(r io.Reader, folder string) (*Plan, error) {
	lines, err := ndb.Parse(r)
	if err != nil {
		return nil, err
	}
	b := &builder{folder: folder, plan: &Plan{Parts: map[string]Part{}}}
	b.plan.Watch.Rand = rand.Float64
	for _, l := range lines {
		read := lineKinds[l.Record[0].Name]
		if read == nil {
			err = fmt.Errorf("unknown line %q", l.Record[0].Name)
		} else {
			b.words = words{ndb.Words{Record: l.Record}}
			b.Known(l.Record[0].Name)
			err = read(b, l.Record[0].Value)
		}
		if err == nil {
			err = b.Left(probe.QuestionWords...)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.Number, err)
		}
	}
	return b.plan, b.finish()
}

// lineKinds read the kinds of lines.
var lineKinds = map[string]func(*builder, string) error{
	"node":      (*builder).node,
	"prefix":    (*builder).prefix,
	"component": (*builder).component,
	"probe":     (*builder).probe,
	"outside":   (*builder).outside,
	"timing":    (*builder).timing,
}

// A builder makes a plan of lines.
type builder struct {
	folder string
	plan   *Plan
	named  bool // a node line was there
	words       // of the line at hand

	questions []probe.Question // of all dns probes so far
}

func (b *builder) node(name string) (err error) {
	if b.named {
		return errors.New("a second node= line")
	}
	b.named = true
	c := &b.plan.Watch
	if c.Name = name; name == "" {
		return errors.New("node= has no name")
	}
	if c.MinLive, err = b.count("min-live", 0); err != nil {
		return err
	}
	c.Keep, c.Absorb = b.Has("keep"), b.Has("absorb")
	nodes, secret, listen := b.Take("nodes"), b.Take("key"), b.Take("listen")
	if nodes == "" && secret == "" && listen == "" {
		return nil
	}
	if nodes == "" || secret == "" {
		return errors.New("nodes= and key= belong together")
	}
	if err := b.peers(name, b.file(nodes), b.file(secret)); err != nil || listen == "" {
		return err
	}
	if b.plan.Listen, err = netip.ParseAddrPort(listen); err != nil {
		return fmt.Errorf("listen=%q is not ADDRESS:PORT", listen)
	}
	return nil
}

// peers reads who the other nodes are, and this node's key.
func (b *builder) peers(name, nodes, secret string) error {
	f, err := os.Open(nodes)
	if err != nil {
		return err
	}
	defer f.Close()
	p := b.plan
	if p.Nodes, err = quorum.ParseNodes(f); err != nil {
		return fmt.Errorf("%s: %w", nodes, err)
	}
	self, ok := p.Nodes.Get(name)
	if !ok {
		return fmt.Errorf("%s: no node %q", nodes, name)
	}
	file, err := key.Load(secret)
	switch {
	case err != nil:
		return fmt.Errorf("key %q: %w", secret, err)
	case file.Secret == nil || file.Public != self.Key:
		return fmt.Errorf("key %q: not the secret key of node %q in %s", secret, name, nodes)
	}
	p.Key, p.Listen = file.Secret, self.Watch
	p.Watch.Remote = p.Nodes.Allowed()
	for _, n := range p.Nodes.Others(name) {
		p.Watch.Peers = append(p.Watch.Peers, watch.Peer{Name: n.Name, Asked: n.DNS.IsValid(), Voting: n.BGP.IsValid()})
	}
	return nil
}

func (b *builder) prefix(text string) error {
	p, err := route.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf("prefix=%q: %w", text, err)
	}
	b.plan.Watch.Prefixes = append(b.plan.Watch.Prefixes, watch.Prefix{Prefix: p, Needs: b.list("needs")})
	return nil
}

func (b *builder) component(name string) (err error) {
	if name == "" || strings.ContainsAny(name, ", ") {
		return fmt.Errorf("component=%q is no name", name)
	}
	if _, twice := b.plan.Parts[name]; twice {
		return fmt.Errorf("component=%q stands twice", name)
	}
	part := Part{Restart: b.Take("restart")}
	if part.Limit, err = b.duration("limit", time.Minute); err != nil {
		return err
	}
	pid, file := b.Take("pid"), b.Take("pid-file")
	switch {
	case pid != "" && file != "":
		return errors.New("pid= and pid-file= exclude each other")
	case pid != "":
		part.Pid = probe.PidCommand(pid)
	case file != "":
		part.Pid = probe.PidFile(b.file(file))
	}
	c := watch.Component{Name: name, Needs: b.list("needs"), Process: part.Pid != nil, Answers: b.Has("answers"),
		Respawns: b.Has("respawns"), Restart: part.Restart != ""}
	if c.Start, err = b.duration("start", 0); err != nil {
		return err
	}
	if c.Busy, err = b.rate("busy"); err != nil {
		return err
	}
	b.plan.Parts[name] = part
	b.plan.Watch.Components = append(b.plan.Watch.Components, c)
	return nil
}

// outside reads what other nodes are asked.
func (b *builder) outside(kind string) error {
	if kind != "dns" {
		return fmt.Errorf("outside=%q: only dns is asked from outside", kind)
	}
	if b.plan.Outside != nil {
		return errors.New("a second outside= line")
	}
	d, err := probe.ParseQuestions(b.Record[1:])
	b.plan.Outside = &probe.DNS{Questions: d}
	b.Known(probe.QuestionWords...)
	return err
}

// finish sees that the lines together make a configuration.
func (b *builder) finish() error {
	p := b.plan
	if !b.named {
		return errors.New("no node= line")
	}
	if p.Outside == nil {
		p.Outside = b.ownQuestions()
	}
	if p.Outside == nil {
		for i := range p.Watch.Peers {
			p.Watch.Peers[i].Asked = false
		}
	}
	for _, l := range p.Looks {
		if _, ok := p.Parts[l.Component]; !ok {
			return fmt.Errorf("probe %q: no component %q", l.Name, l.Component)
		}
	}
	for _, c := range p.Counters {
		if _, ok := p.Parts[c.Component]; !ok {
			return fmt.Errorf("counter %q: no component %q", c.Metric.Name, c.Component)
		}
	}
	if len(p.Watch.Peers) > 0 && len(p.Watch.Prefixes) > quorum.MaxPrefixes {
		return fmt.Errorf("%d prefixes: other nodes are told of %d at most", len(p.Watch.Prefixes), quorum.MaxPrefixes)
	}
	p.Hash = p.hash()
	_, err := watch.New(p.Watch, 1)
	return err
}

// ownQuestions are those that this node asks itself.
func (b *builder) ownQuestions() *probe.DNS {
	d := &probe.DNS{}
	for _, q := range b.questions {
		same := func(o probe.Question) bool { return o.Name == q.Name && o.Type == q.Type }
		if !slices.ContainsFunc(d.Questions, same) {
			d.Questions = append(d.Questions, q)
		}
	}
	if len(d.Questions) == 0 {
		return nil
	}
	return d
}

// hash is that of the nodes and the prefixes, by which others see that their
// configuration is another one.
func (p *Plan) hash() (sum [8]byte) {
	h := sha256.New()
	for _, n := range p.Nodes.All() {
		fmt.Fprintf(h, "node %s %x %v %v %v\n", n.Name, n.Key.Bytes(), n.Watch, n.BGP, n.DNS)
	}
	var prefixes []string
	for _, x := range p.Watch.Prefixes {
		prefixes = append(prefixes, x.Prefix.String())
	}
	slices.Sort(prefixes)
	fmt.Fprintf(h, "prefixes %v\n", prefixes)
	copy(sum[:], h.Sum(nil))
	return sum
}
