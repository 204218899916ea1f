package endure

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/t/tools"
)

// A cluster is the storage nodes.
type cluster struct {
	t        *testing.T
	bin, dir string
	port     int
	nodes    [5]*tools.Daemon // nil while it is dead
}

func (c *cluster) name(i int) string { return fmt.Sprintf("n%d", i+1) }
func (c *cluster) addr(i int) string { return fmt.Sprintf("127.0.0.1:%d", c.port+3*i) }
func (c *cluster) file(name string) string {
	return filepath.Join(c.dir, name)
}

// newCluster starts five nodes, three of them with a member of etcd.
func newCluster(t *testing.T, bin string) *cluster {
	port, err := tools.Ports(15)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, bin: bin, dir: t.TempDir(), port: port}
	t.Cleanup(func() {
		for i, d := range c.nodes {
			if d != nil {
				d.Kill()
			}
			if text, err := os.ReadFile(c.file(c.name(i) + ".log")); err == nil && t.Failed() {
				t.Logf("%s:\n%s", c.name(i), last(string(text), 40))
			}
		}
	})
	c.start(0)
	for i := 1; i < len(c.nodes); i++ {
		token := c.file(c.name(i) + ".token")
		c.tool(c.read("n1/authority.pem"), "nc-keygen", "-ca", "-join", "-host", "127.0.0.1", "-o", token, "node/"+c.name(i))
		args := []string{"-join", token, "-via", c.addr(0)}
		if i < 3 {
			args = append(args, "-member")
		}
		c.start(i, args...)
	}
	c.whole()
	return c
}

func last(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// start starts a node, which may have been there before.
func (c *cluster) start(i int, more ...string) {
	c.t.Helper()
	log, err := os.OpenFile(c.file(c.name(i)+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	args := []string{"-name", c.name(i), "-listen", c.addr(i), "-db", c.file(c.name(i)), "-recruit-after", "3s"}
	cmd := exec.Command(filepath.Join(c.bin, "nc-chain"), append(args, more...)...)
	cmd.Stderr = log
	if c.nodes[i], err = tools.Start(cmd); err != nil {
		c.t.Fatalf("%s: %v\n%s", c.name(i), err, last(c.read(c.name(i)+".log"), 20))
	}
}

// kill kills a node.
func (c *cluster) kill(i int) {
	c.nodes[i].Kill()
	c.nodes[i] = nil
}

func (c *cluster) read(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(c.file(name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// tool runs a tool with text on its standard input.
func (c *cluster) tool(input, name string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Stdin = strings.NewReader(input)
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, talk.String())
	}
	return string(out)
}

// recovery is how long the cluster may take to be whole again.
const recovery = 2 * time.Minute

// whole waits until every chain fully serves.
func (c *cluster) whole() {
	c.t.Helper()
	var out []byte
	for end := time.Now().Add(recovery); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		if out, err = exec.Command(filepath.Join(c.bin, "nc-chain"), "-status", "-db", c.file("n1")).CombinedOutput(); err == nil {
			return
		}
	}
	c.t.Fatalf("not whole after %v:\n%s", recovery, out)
}

// serve starts an nc-serve on the cluster.
func (c *cluster) serve(name string) *tools.Daemon {
	c.t.Helper()
	identity, dir := c.file(name+".pem"), c.file(name)
	c.tool(c.read("n1/authority.pem"), "nc-keygen", "-ca", "-issue", "-o", identity, "client/"+name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	var addrs []string
	for i := range c.nodes {
		addrs = append(addrs, c.addr(i))
	}
	return tools.Serve(c.t, c.bin, dir, "-ns", "ns1.namecast.example=192.0.2.53", "-id", name, "-dnssec", "none",
		"-rate-source", "none", "-rate-account", "none", "-rate-new", "none", "-rate-new-source", "none",
		"-store", "chain://"+strings.Join(addrs, ","), "-identity", identity)
}
