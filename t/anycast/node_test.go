package anycast

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"

	"namecast/t/lab"
)

// A node is a machine with the programs of a node.
type node struct {
	w       *world
	name    string
	number  int // from 1
	machine *lab.Machine
	db      *lab.Disk               // of nc-serve
	run     *lab.Disk               // of nc-bgp and nc-watch: their sockets, and their logs if those are not the lab's
	process map[string]*lab.Process // by the tool's name
}

// newNode makes a machine with nc-serve on it.
func (w *world) newNode(name string) *node {
	n := &node{w: w, name: name, number: len(w.nodes) + 1, process: map[string]*lab.Process{}}
	n.machine = w.lab.Machine(name)
	w.lan.Join(n.machine, n.addr()+"/24", n.addr6()+"/64")
	n.machine.IP("route", "add", "default", "via", routerAddr)
	n.db, n.run = w.lab.Disk(64<<20), w.lab.Disk(1<<20)
	n.serve()
	return n
}

// addr is the node's own address.
func (n *node) addr() string { return fmt.Sprintf("10.0.0.%d", n.number) }

// addr6 is that of IPv6.
func (n *node) addr6() string { return fmt.Sprintf("2001:db8::%d", n.number) }

// protocol is the router's name of the session with the node, in BIRD.
func (n *node) protocol() string { return fmt.Sprintf("n%d", n.number) }

// start starts a tool and notes its number in a file, for nc-watch.
func (n *node) start(tool string, args ...string) {
	n.w.t.Helper()
	c := lab.Command{Path: filepath.Join(n.w.bin, tool), Args: args}
	if n.w.logs && tool != "nc-serve" {
		// The shell becomes the tool.
		c = lab.Command{Path: "sh", Name: tool, Args: append([]string{"-c", `exec "$0" "$@" >>"$LOG" 2>&1`, c.Path}, args...),
			Env: []string{"LOG=" + filepath.Join(n.run.Dir(), tool+".log")}}
	}
	p := n.machine.StartCommand(c)
	n.process[tool] = p
	n.w.file(n.pidFile(tool), fmt.Sprintln(p.Pid()))
}

// pidFile is the name of the file with a tool's process number.
func (n *node) pidFile(tool string) string { return n.name + "." + tool + ".pid" }

// serve starts nc-serve.
func (n *node) serve() {
	n.w.t.Helper()
	n.start("nc-serve", n.serveArgs()...)
}

// serveArgs are the arguments of nc-serve.
func (n *node) serveArgs() []string {
	return []string{"-domain", domain, "-ns", "ns1." + domain + "=" + service, "-id", n.name,
		"-dns", "0.0.0.0:53,[::]:53", "-nup", "0.0.0.0:8153", "-db", filepath.Join(n.db.Dir(), "db"),
		"-rrl", "none", "-dnssec", "none"}
}

// update sends an update to the node.
func (n *node) update(lines ...string) {
	n.w.t.Helper()
	n.send(n.sign(lines...))
}

// server is what nc-sign and nc-send call the node.
func (n *node) server() string { return domain + "@" + n.addr() + ":8153" }

// sign signs an update for the node.
func (n *node) sign(lines ...string) (packets string) {
	n.w.t.Helper()
	return n.pipe(strings.Join(lines, "\n")+"\n", "nc-sign", "-k", n.w.key, "-s", n.server())
}

// send sends packets to the node and returns when they are accepted.
func (n *node) send(packets string) {
	n.w.t.Helper()
	if err := n.trySend(packets); err != nil {
		n.w.t.Fatal(err)
	}
}

// trySend is send from any goroutine.
func (n *node) trySend(packets string) error {
	_, err := n.tryPipe(packets, "nc-send", "-s", n.server())
	return err
}

// pipe runs a tool on the machine with an input.
func (n *node) pipe(stdin, tool string, args ...string) string {
	n.w.t.Helper()
	out, err := n.tryPipe(stdin, tool, args...)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return out
}

// tryPipe is pipe from any goroutine.
func (n *node) tryPipe(stdin, tool string, args ...string) (string, error) {
	args = append([]string{"netns", "exec", n.machine.Namespace(), filepath.Join(n.w.bin, tool)}, args...)
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s on %s: %w: %s%s", tool, n.name, err, out, complaint.String())
	}
	return string(out), err
}

// bird announces the service with BIRD alone, which no failure of nc-serve stops.
func (n *node) bird() {
	n.w.t.Helper()
	n.machine.IP("addr", "add", service+"/32", "dev", "lo")
	n.process["bird"] = n.w.lab.Bird(n.machine, lab.Router{AS: nodeAS, Neighbors: []lab.Neighbor{
		{Addr: n.w.up.Addr(), AS: routerAS, Send: lab.SendStatic},
	}, Static: []netip.Prefix{prefix}}).Process
}
