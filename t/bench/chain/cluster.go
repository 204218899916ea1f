package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/link"
)

// startLimit is how long a cluster may take until all its chains are whole.
const startLimit = 90 * time.Second

// members is how many nodes of a cluster run a member of etcd.
const members = 3

// A cluster is nodes of nc-chain, each a process, on this machine.
type cluster struct {
	b     *bench
	name  string
	dir   string
	nodes []*node

	load   *links         // one connection with each node
	client *client.Client // what programs use
	ended  chan struct{}  // closed when the client has
	stop   context.CancelFunc
}

// A node is one process of nc-chain.
type node struct {
	*process
	name, dir string
	addr      string // of its links
	http      string
	args      []string
	cpu       int
}

// cluster starts a cluster whose chains are on all its nodes, in a folder below
// dir, on one processor, or on all if cpu is negative.
func (b *bench) cluster(name, dir string, size, cpu int) (c *cluster, err error) {
	c = &cluster{b: b, name: name, dir: filepath.Join(dir, name)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("cluster %s: %w", name, err)
			c.close()
		}
	}()
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return c, err
	}
	b.clusters = append(b.clusters, c)
	if err := c.identities(size); err != nil {
		return c, err
	}
	if err := c.place(size, cpu); err != nil {
		return c, err
	}
	for _, n := range c.nodes {
		if err := c.start(n); err != nil {
			return c, err
		}
	}
	for _, n := range c.nodes {
		if err := n.wait(b.ctx, startLimit); err != nil {
			return c, fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return c, c.connect()
}

// file is the path of a file of the cluster.
func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

// identities makes the cluster's authority and the files of its members.
func (c *cluster) identities(size int) error {
	if err := c.b.keygen(nil, "-ca", "-o", c.file("ca.key"), "bench"); err != nil {
		return err
	}
	for i := range size {
		if err := c.issue(fmt.Sprintf("node/n%d", i+1)); err != nil {
			return err
		}
	}
	return errors.Join(c.issue("client/load"), c.issue("client/program"))
}

// issue makes the file of a member, which is named for it.
func (c *cluster) issue(name string) error {
	authority, err := os.Open(c.file("ca.key"))
	if err != nil {
		return err
	}
	defer authority.Close()
	_, id, _ := strings.Cut(name, "/")
	return c.b.keygen(authority, "-ca", "-issue", "-host", "127.0.0.1", "-o", c.file(id+".pem"), name)
}

// keygen runs nc-keygen to its end.
func (b *bench) keygen(stdin *os.File, args ...string) error {
	cmd := exec.CommandContext(b.ctx, b.tool("nc-keygen"), args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nc-keygen %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// place says where the nodes are: three ports each, one behind the other, and one
// for the status page.
func (c *cluster) place(size, cpu int) error {
	ports, err := freePorts(size)
	if err != nil {
		return err
	}
	var peers []string
	for i, port := range ports[:min(size, members)] {
		peers = append(peers, fmt.Sprintf("n%d=127.0.0.1:%d", i+1, port+1))
	}
	for i, port := range ports {
		n := &node{name: fmt.Sprintf("n%d", i+1), addr: fmt.Sprintf("127.0.0.1:%d", port), http: fmt.Sprintf("127.0.0.1:%d", port+3), cpu: cpu}
		n.dir = c.file(n.name)
		n.args = []string{"-name", n.name, "-listen", n.addr, "-db", n.dir, "-identity", c.file(n.name + ".pem"),
			"-cluster", "bench", "-replicas", fmt.Sprint(size), "-http", n.http, "-pprof", "-recruit-after", "3s"}
		if i < members {
			n.args = append(n.args, "-member", "-peers", strings.Join(peers, ","))
		} else {
			n.args = append(n.args, "-via", c.nodes[0].addr)
		}
		c.nodes = append(c.nodes, n)
	}
	return nil
}

// freePorts finds ports of 127.0.0.1, each the first of four free ones.
func freePorts(n int) (ports []int, err error) {
	const first, last, each = 20000, 32000, 4
	for port := first + 4*(os.Getpid()%1000); port < last && len(ports) < n; port += each {
		if portsFree(port, each) && !slices.Contains(given, port) {
			ports = append(ports, port)
			given = append(given, port)
		}
	}
	if len(ports) < n {
		return nil, errors.New("no free ports")
	}
	return ports, nil
}

// given are the ports that were found before, whose processes may not listen yet.
var given []int

func portsFree(port, n int) bool {
	for i := range n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// start runs a node, which may have run before.
func (c *cluster) start(n *node) (err error) {
	n.process, err = spawn(n.cpu, c.dir, n.name, c.b.tool("nc-chain"), n.args...)
	return err
}

// connect makes the client and the load's links, and waits until every chain is on
// all nodes.
func (c *cluster) connect() (err error) {
	creds, err := link.Load(c.file("program.pem"), func(error) {})
	if err != nil {
		return err
	}
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.addr)
	}
	c.client = client.New(client.Config{Credentials: creds, Addrs: addrs})
	ctx, stop := context.WithCancel(c.b.ctx)
	c.stop, c.ended = stop, make(chan struct{})
	go func() { defer close(c.ended); c.client.Run(ctx) }() // ends with its context
	if err := c.whole(len(c.nodes), startLimit); err != nil {
		return err
	}
	c.load, err = dial(c.b.ctx, c.file("load.pem"), addrs)
	return err
}

// whole waits until all chains have that many members and no recruit.
func (c *cluster) whole(size int, limit time.Duration) error {
	var short int
	for began := time.Now(); time.Since(began) < limit; {
		rows := c.client.Table().Rows
		short = chain.Chains - len(rows)
		for _, row := range rows {
			if len(row.Members) != size || !row.Recruit.IsZero() {
				short++
			}
		}
		if short == 0 {
			return nil
		}
		if err := sleep(c.b.ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d chains are not whole after %s; the first node says:\n%s", short, limit, c.nodes[0].tail())
}

// row is a chain's row as the client knows it.
func (c *cluster) row(id chain.ID) chain.Row { return c.client.Table().Rows[id] }

// processes are those of all nodes.
func (c *cluster) processes() (list []*process) {
	for _, n := range c.nodes {
		if n.process != nil {
			list = append(list, n.process)
		}
	}
	return list
}

// share gives each node a group of its own with so many percent of a processor.
func (c *cluster) share(g *groups, percent int) error {
	for _, n := range c.nodes {
		dir, err := g.make(c.name+"-"+n.name, percent)
		if err != nil {
			return err
		}
		if err := g.put(dir, n.cmd.Process.Pid); err != nil {
			return fmt.Errorf("limit %s: %w", n.name, err)
		}
	}
	return nil
}

// close ends all that the cluster has, and deletes what it wrote.
func (c *cluster) close() {
	if c.load != nil {
		c.load.close()
		c.load = nil
	}
	if c.stop != nil {
		c.stop()
		<-c.ended
		c.stop = nil
	}
	var all sync.WaitGroup
	for _, p := range c.processes() {
		all.Go(p.stop)
	}
	all.Wait()
	os.RemoveAll(c.dir)
}
