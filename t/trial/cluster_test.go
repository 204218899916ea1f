package trial

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/storage"
	"namecast/t/lab"
)

// What a cluster of trials is made of.
const (
	nodeCount   = 5
	memberCount = 3 // nodes with a member of etcd
	diskSize    = 1 << 30
	port        = "7153"
)

// How long nodes may take to begin, and a cluster to become whole, on a busy machine.
var startLimit, wholeLimit = 90 * time.Second, 90 * time.Second

// A cluster is five nodes and the driver, each on a machine of its own.
type cluster struct {
	t      *testing.T
	bin    string
	dir    string // of what the operator has: identities and tokens
	lab    *lab.Lab
	lan    *lab.Net
	nodes  []*node
	driver *lab.Process
	drains *exec.Cmd // nc-chain -drain, or nil
	orders int
}

// A node is a machine with nc-chain.
type node struct {
	c       *cluster
	i       int
	name    string
	addr    string // of the machine
	machine *lab.Machine
	disk    *lab.Disk
	process *lab.Process
	ahead   time.Duration // by which its clock is ahead, from its next start on
	killed  bool          // it is meant to be gone, or cannot be asked
	mayEnd  bool          // its fault makes it end, now or later: once
	tracer  *exec.Cmd     // that has its system calls fail, or nil
}

// newCluster starts a cluster, and returns when all its chains are whole.
func newCluster(t *testing.T, bin string) *cluster {
	c := &cluster{t: t, bin: bin, dir: t.TempDir(), lab: lab.New(t)}
	c.lan = c.lab.LAN("lan")
	for i := range nodeCount {
		n := &node{c: c, i: i, name: fmt.Sprintf("n%d", i+1), addr: fmt.Sprintf("10.71.0.%d", i+1), disk: c.lab.Disk(diskSize)}
		n.machine = c.lab.Machine(n.name)
		c.lan.Join(n.machine, n.addr+"/24")
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		var more []string
		if n.i > 0 {
			more = append(more, "-join", c.token(n), "-via", c.nodes[0].links())
		}
		if n.i > 0 && n.i < memberCount {
			more = append(more, "-member")
		}
		n.start(more...)
		n.process.WaitFor(startLimit, "msg=ready")
	}
	c.startDriver()
	if err := c.whole(startLimit); err != nil {
		t.Fatalf("the cluster has just begun: %v", err)
	}
	return c
}

// links is where the node takes links.
func (n *node) links() string { return n.addr + ":" + port }

func (n *node) dir() string { return filepath.Join(n.disk.Dir(), "db") }

// start runs nc-chain on the node.
func (n *node) start(more ...string) {
	n.c.t.Helper()
	args := []string{"-name", n.name, "-listen", n.links(), "-db", n.dir(), "-zone", zone(n.i), "-recruit-after", "2s"}
	n.process = n.machine.StartCommand(lab.Command{
		Path: filepath.Join(n.c.bin, "nc-chain"), Args: append(args, more...), Name: n.name, Ahead: n.ahead,
	})
	n.killed = false
}

// token makes a token for a node to join with.
func (c *cluster) token(n *node) string {
	file := filepath.Join(c.dir, n.name+".token")
	c.keygen("-join", "-host", n.addr, "-o", file, "node/"+n.name)
	return file
}

// keygen runs nc-keygen with the cluster's authority.
func (c *cluster) keygen(args ...string) {
	c.t.Helper()
	authority, err := os.Open(filepath.Join(c.nodes[0].dir(), "authority.pem"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer authority.Close()
	cmd := exec.Command(filepath.Join(c.bin, "nc-keygen"), append([]string{"-ca"}, args...)...)
	cmd.Stdin = authority
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("nc-keygen: %v\n%s", err, out)
	}
}

// startDriver runs the clients on a machine of their own.
func (c *cluster) startDriver() {
	c.t.Helper()
	p := plan{Dir: c.dir}
	for i := range roamers + nodeCount {
		c.keygen("-issue", "-o", filepath.Join(c.dir, clientName(i)+".pem"), "client/"+clientName(i))
	}
	c.keygen("-issue", "-o", filepath.Join(c.dir, "node.pem"), "node/driver")
	for _, n := range c.nodes {
		p.Nodes = append(p.Nodes, n.links())
	}
	for _, n := range c.nodes[:memberCount] {
		p.Etcd = append(p.Etcd, n.addr+":7155")
	}
	text, err := json.Marshal(p)
	if err != nil {
		c.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	m := c.lab.Machine("driver")
	c.lan.Join(m, "10.71.0.100/24")
	c.driver = m.StartCommand(lab.Command{Path: self, Env: []string{driverEnv + "=" + string(text)}, Name: "driver", Pipe: true})
}

// order has the driver do something, and gives its answer.
func (c *cluster) order(within time.Duration, o order) (string, error) {
	c.orders++
	o.Number = c.orders
	line, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	if _, err := c.driver.Input.Write(append(line, '\n')); err != nil {
		return "", fmt.Errorf("driver: %w", err)
	}
	head := fmt.Sprintf("%s %d: ", o.Do, o.Number)
	answer, err := c.driver.TryWaitFor(within, "^"+head)
	if err != nil {
		return "", err
	}
	answer = strings.TrimPrefix(answer, head)
	if why, is := strings.CutPrefix(answer, "error: "); is {
		return "", errors.New("driver: " + why)
	}
	return answer, nil
}

// status asks a node how the cluster is.
func (c *cluster) status() (s storage.Cluster, err error) {
	for _, n := range c.nodes {
		if n.killed || n.process.Ended() {
			continue
		}
		var out, text bytes.Buffer
		cmd := exec.Command(filepath.Join(c.bin, "nc-chain"), "-status", "-json", "-db", n.dir())
		cmd.Stdout, cmd.Stderr = &out, &text
		err = cmd.Run() // 1 if a chain does not fully serve
		if out.Len() > 0 {
			return s, json.Unmarshal(out.Bytes(), &s)
		}
		err = fmt.Errorf("nc-chain -status at %s: %w: %s", n.name, err, strings.TrimSpace(text.String()))
	}
	return s, err
}

// whole waits until all nodes are there and every chain fully serves. Nodes that have
// ended by themselves are an error at once.
func (c *cluster) whole(within time.Duration) error {
	end := time.Now().Add(within)
	for {
		err := c.isWhole()
		if err == nil || time.Now().After(end) {
			return err
		}
		for _, n := range c.nodes {
			if n.process.Ended() && n.mayEnd {
				n.mayEnd = false
				n.start()
			}
			if n.process.Ended() {
				return fmt.Errorf("%s has ended by itself, with %d:\n%s", n.name, n.process.Code(), tail(n.process.Log(), 5))
			}
		}
		time.Sleep(250 * time.Millisecond) // to ask costs something
	}
}

func (c *cluster) isWhole() error {
	s, err := c.status()
	if err != nil {
		return err
	}
	for _, n := range s.Nodes {
		if !n.Live || n.Host == nil {
			return fmt.Errorf("node %s is not there: %s", n.Name, n.Err)
		}
		for _, h := range n.Host.Halts {
			return fmt.Errorf("node %s has stopped chain %d: %s", n.Name, h.Chain, h.Reason)
		}
	}
	if len(s.Nodes) != nodeCount || len(s.Chains) != chain.Chains {
		return fmt.Errorf("%d nodes and %d chains", len(s.Nodes), len(s.Chains))
	}
	short, example := 0, ""
	for _, row := range s.Chains {
		if len(row.Why) > 0 || len(row.Members) != 3 || !row.Recruit.IsZero() {
			short++
			example = fmt.Sprintf("chain %d: %v %s", row.Chain, row.Row, strings.Join(row.Why, "; "))
		}
	}
	if short > 0 {
		return fmt.Errorf("%d chains are not whole, as %s", short, example)
	}
	return nil
}

// drain has all chains moved away from a node, until undrain.
func (c *cluster) drain(n *node) error {
	c.drains = exec.Command(filepath.Join(c.bin, "nc-chain"), "-drain", n.name, "-db", c.asked().dir())
	return c.drains.Start() // it waits until the node is empty
}

// undrain lets it have chains again; it tries until the coordinator answers.
func (c *cluster) undrain(n *node) error {
	_ = c.drains.Process.Kill() // it may have ended
	_ = c.drains.Wait()         // by that
	for end := time.Now().Add(wholeLimit); ; {
		out, err := exec.Command(filepath.Join(c.bin, "nc-chain"), "-undrain", n.name, "-db", c.asked().dir()).CombinedOutput()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("undrain %s: %w: %s", n.name, err, out)
		}
		time.Sleep(250 * time.Millisecond) // to ask costs something
	}
}

// asked is a node that runs.
func (c *cluster) asked() *node {
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return !n.killed && !n.process.Ended() })
	return c.nodes[max(i, 0)]
}

// alarm is what no log of a node may say.
var alarm = regexp.MustCompile(`(?m)^(panic:|fatal error:|WARNING: DATA RACE|.*(stopped for good|assertion|invariant)).*$`)

// alarms looks for it in all logs.
func (c *cluster) alarms() (found []string) {
	files, err := filepath.Glob(filepath.Join(c.lab.Logs(), "*.log"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			c.t.Fatal(err)
		}
		if at := alarm.FindIndex(text); at != nil {
			found = append(found, fmt.Sprintf("%s: %s", filepath.Base(file), tail(string(text[at[0]:min(at[0]+3000, len(text))]), 40)))
		}
	}
	return found
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}
