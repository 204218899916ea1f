package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/host"
	"namecast/lib/chain/plan"
	"namecast/lib/clock"
	"namecast/lib/coord"
)

// A Cluster is what an operator is shown of all of it.
type Cluster struct {
	Name       string
	By         string // the node that tells
	Replicas   int    // members that a chain should have
	Wanted     int    // those that it can have, with the nodes that there are
	Lease      time.Duration
	Controller string // the elected node, or ""
	Nodes      []NodeStatus
	Chains     []ChainStatus
	Members    []coord.MemberStatus // of the coordinator
	Err        string               // what could not be had; "" if all is here
}

// A NodeStatus is one node.
type NodeStatus struct {
	Name, Addr, Zone string
	Incarnation      chain.Incarnation
	Live, Drain      bool
	Silent           time.Duration // since its last renewal was seen
	Misses           []string      `json:",omitempty"` // nodes that it has no connection with
	Err              string        // why it does not tell more; "" if it does
	Host             *host.Status  `json:",omitempty"`
}

// A ChainStatus is one chain.
type ChainStatus struct {
	chain.Row
	Why []string `json:",omitempty"` // it does not fully serve; nothing if it does
}

// load counts the chains that each node takes part in.
func (c *Cluster) load() map[string]int {
	var rows []chain.Row
	for _, s := range c.Chains {
		rows = append(rows, s.Row)
	}
	return plan.Load(rows)
}

// askTime is how long a node has to tell its status.
const askTime = 2 * time.Second

// status asks all nodes how they are.
func (d *daemon) status(ctx context.Context) Cluster {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	p := d.coord.Picture()
	c := Cluster{
		Name: d.credentials.Identity().Name.Cluster, By: d.Name,
		Replicas: p.Settings.Replicas, Wanted: wanted(p), Lease: p.Settings.Lease, Controller: p.Controller,
	}
	var err error
	if c.Members, err = d.coord.Members(ctx); err != nil {
		c.Err = err.Error()
	}
	var asks sync.WaitGroup
	c.Nodes = make([]NodeStatus, len(p.Nodes))
	for i, n := range p.Nodes {
		c.Nodes[i] = NodeStatus{Name: n.Name, Addr: n.Addr, Zone: n.Zone, Incarnation: n.Inc, Live: n.Live, Drain: n.Drain, Misses: n.Silent}
		if n.Live {
			c.Nodes[i].Silent = clock.Boot() - n.Renewed
		}
		asks.Go(func() { d.askNode(ctx, &c.Nodes[i]) })
	}
	asks.Wait()
	c.explain(p, d.cluster(p))
	return c
}

// wanted is how many members a chain can have: no more than there are nodes.
func wanted(p *coord.Picture) int {
	n := 0
	for _, node := range p.Nodes {
		if !node.Drain {
			n++
		}
	}
	return min(p.Settings.Replicas, n)
}

// askNode has a node tell its status.
func (d *daemon) askNode(ctx context.Context, n *NodeStatus) {
	switch {
	case n.Name == d.Name:
		s := d.host.Load().Status()
		n.Host = &s
		return
	case !n.Live:
		n.Err = "it is not registered"
		return
	}
	text, err := d.nodes.Ask(ctx, n.Name, "status")
	if err == nil {
		n.Host = new(host.Status)
		err = json.Unmarshal(text, n.Host)
	}
	if err != nil {
		n.Host, n.Err = nil, err.Error()
	}
}

// explain says of each chain why it does not fully serve: what the table lacks, and
// what its members have to say.
func (c *Cluster) explain(p *coord.Picture, nodes *plan.Cluster) {
	said := map[chain.ID][]string{}
	for _, n := range c.Nodes {
		if n.Host == nil {
			continue
		}
		for _, s := range n.Host.Chains {
			if s.Why != "" {
				said[s.Chain] = append(said[s.Chain], n.Name+": "+s.Why)
			}
		}
	}
	nodes.Replicas = c.Wanted
	for _, row := range p.Rows {
		s := ChainStatus{Row: row}
		if why := plan.Explain(row, facts(p, row.Chain), nodes); why != "" {
			s.Why = append(s.Why, why)
		}
		s.Why = append(s.Why, said[row.Chain]...)
		c.Chains = append(c.Chains, s)
	}
}

// PrintStatus prints what the daemon on a folder tells of the cluster. The error is
// one without words if a chain does not fully serve.
func PrintStatus(ctx context.Context, dir string, raw bool, w io.Writer) error {
	var c Cluster
	if err := ask(ctx, dir, http.MethodGet, "/status", &c); err != nil {
		return err
	}
	if raw {
		e := json.NewEncoder(w)
		e.SetIndent("", "\t")
		if err := e.Encode(c); err != nil {
			return err
		}
	} else if err := c.print(w); err != nil {
		return err
	}
	if len(c.Chains) == 0 || slices.ContainsFunc(c.Chains, func(s ChainStatus) bool { return len(s.Why) > 0 }) {
		return ErrNotWhole
	}
	return nil
}

// print writes the cluster as lines: what it is, its nodes, and the chains that do
// not fully serve.
func (c *Cluster) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s: %d nodes, chains of %d", c.Name, len(c.Nodes), c.Replicas)
	if c.Wanted < c.Replicas {
		fmt.Fprintf(&b, " once there are as many nodes, now of %d", c.Wanted)
	}
	fmt.Fprintf(&b, ", lease %v, controller %s\n", c.Lease, orNone(c.Controller))
	load := c.load()
	for _, n := range c.Nodes {
		n.print(&b, load[n.Name])
	}
	for _, m := range c.Members {
		if m.Learner {
			fmt.Fprintf(&b, "etcd %s: it has not caught up yet\n", orNone(m.Name))
		}
	}
	if c.Err != "" {
		fmt.Fprintf(&b, "etcd: %s\n", c.Err)
	}
	c.printChains(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// printChains writes what is the same of several chains once.
func (c *Cluster) printChains(b *strings.Builder) {
	if len(c.Chains) == 0 {
		b.WriteString("there is no chain table: if the log says so, -recover makes one\n")
		return
	}
	whole := 0
	var short grouped
	for _, s := range c.Chains {
		if len(s.Why) == 0 {
			whole++
			continue
		}
		short.add(s.Chain, fmt.Sprintf("on %s: %s", members(s.Row), strings.Join(s.Why, "; ")))
	}
	short.print(b)
	fmt.Fprintf(b, "%d of %d chains fully serve\n", whole, len(c.Chains))
}

// A grouped list has chains by what there is to say of them, in the order in which it
// was said first.
type grouped struct {
	texts []string
	of    map[string][]chain.ID
}

func (g *grouped) add(id chain.ID, text string) {
	if g.of == nil {
		g.of = map[string][]chain.ID{}
	}
	if g.of[text] == nil {
		g.texts = append(g.texts, text)
	}
	g.of[text] = append(g.of[text], id)
}

func (g *grouped) print(w io.Writer) {
	for _, text := range g.texts {
		fmt.Fprintf(w, "%s %s\n", ranges(g.of[text]), text)
	}
}

// ranges writes chains as "chain 7" or "chains 1-3,7".
func ranges(list []chain.ID) string {
	if len(list) == 1 {
		return fmt.Sprintf("chain %d", list[0])
	}
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		part := fmt.Sprint(list[i])
		if j > i {
			part += fmt.Sprintf("-%d", list[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return "chains " + strings.Join(parts, ",")
}

// print writes a node as one line.
func (n *NodeStatus) print(b *strings.Builder, chains int) {
	fmt.Fprintf(b, "node %s %s", n.Name, orNone(n.Addr))
	if n.Zone != "" {
		fmt.Fprintf(b, " zone=%s", n.Zone)
	}
	fmt.Fprintf(b, " incarnation=%d chains=%d", n.Incarnation, chains)
	if n.Drain {
		b.WriteString(" drained")
	}
	switch {
	case !n.Live:
		b.WriteString(": gone")
	case n.Host == nil:
		fmt.Fprintf(b, ": registered, last heard of %v ago, but %s", n.Silent.Round(time.Millisecond), n.Err)
	default:
		h := n.Host
		fmt.Fprintf(b, ": up %v, lease %v", h.Age.Round(time.Second), h.Lease.Round(time.Millisecond))
		for _, halt := range h.Halts {
			fmt.Fprintf(b, ", chain %d stopped %d times: %s", halt.Chain, halt.Times, halt.Reason)
		}
	}
	if len(n.Misses) > 0 {
		fmt.Fprintf(b, ", no connection with %s", strings.Join(n.Misses, ", "))
	}
	b.WriteString("\n")
}

// members names those of a row in their order, and the recruit.
func members(r chain.Row) string {
	var names []string
	for _, m := range r.Members {
		names = append(names, m.Node)
	}
	s := strings.Join(names, " ")
	if !r.Recruit.IsZero() {
		s += " (" + r.Recruit.Node + ")"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// ErrNotWhole: a chain does not fully serve. What there is to say was printed.
var ErrNotWhole = errors.New("")
