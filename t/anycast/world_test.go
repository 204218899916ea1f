package anycast

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"namecast/t/lab"
)

// What a world is made of.
const (
	domain     = "namecast.example"
	service    = "192.0.2.53" // and service6 are where the service is, on every node
	service6   = "2001:db8:53::53"
	good       = "203.0.113.7"
	bad        = "203.0.113.66"
	routerAddr = "10.0.0.254"
	nodeAS     = 65001
	routerAS   = 65000
	distance   = 50 * time.Millisecond // of the client from the router
)

// prefix and prefix6 are what the nodes announce; the second one in the same session,
// by multiprotocol extensions (RFC 4760).
var (
	prefix  = netip.MustParsePrefix("192.0.2.0/24")
	prefix6 = netip.MustParsePrefix("2001:db8:53::/48")
)

// mainTable is the kernel's table of routes.
const mainTable = 254

// patience is how long anything may take on a busy machine that has not to do
// with the failure.
const patience = 60 * time.Second

func unhex(s string) (string, error) {
	b, err := hex.DecodeString(s)
	return string(b), err
}

// machineNote says what the figures were measured on.
func machineNote() string {
	model := "unknown processor"
	cpu, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpu)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d processors (%s), Linux %s, %s, %s.", runtime.NumCPU(), model,
		strings.TrimSpace(string(release)), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
}

// A router is a routing daemon of package lab.
type router interface {
	Learned(neighbor netip.Addr, prefix netip.Prefix) error
}

// options are what a world can have otherwise.
type options struct {
	restart bool // nc-watch can restart nc-serve
	bfd     bool // between the nodes and the router
	frr     bool // the router is FRR
	second  bool // there is a second router, without clients
	logs    bool // nc-bgp and nc-watch have their logs on the node's disk
	many    int  // so many routes are sent to the nodes by the first router
}

// A world is a service, its router and its client.
type world struct {
	t       *testing.T
	bin     string
	dir     string
	lab     *lab.Lab
	lan     *lab.Net // of the nodes and the routers
	up      *lab.Machine
	routers []*lab.Machine // up, and a second one if there is
	routes  *lab.Routes    // of up
	bird    *lab.Bird      // on up, or nil
	router  router         // on up
	second  *lab.Bird      // on the second router, or nil
	nodes   []*node
	client  *client
	logs    bool // as in options
	account string
	key     string // the file of the account's key
}

// newWorld makes the machines, and starts nc-serve on each of three nodes, with
// the same record in all. Nothing is announced.
func newWorld(t *testing.T, bin string, o options) *world {
	w := &world{t: t, bin: bin, dir: t.TempDir(), lab: lab.New(t), logs: o.logs}
	w.lan = w.lab.LAN("lan")
	w.up = w.lab.Machine("up")
	w.lan.Join(w.up, routerAddr+"/24", "2001:db8::254/64")
	w.up.Sysctl("net.ipv4.ip_forward", "1")
	w.routers = append(w.routers, w.up)
	if o.second {
		m := w.lab.Machine("up2")
		w.lan.Join(m, "10.0.0.253/24", "2001:db8::253/64")
		w.routers = append(w.routers, m)
	}
	slow := w.lab.SlowLAN("far", lab.Path{Delay: distance})
	slow.Join(w.up, "10.1.0.254/24")
	far := w.lab.Machine("client")
	slow.Join(far, "10.1.0.1/24")
	far.IP("route", "add", "default", "via", "10.1.0.254")
	w.routes = w.up.Watch()
	w.key = filepath.Join(w.dir, "me.key")
	w.tool("", "nc-keygen", "-o", w.key)
	w.account = strings.TrimSpace(w.tool(w.read(w.key), "nc-keygen", "-hash"))
	for _, name := range []string{"a", "b", "c"} {
		w.nodes = append(w.nodes, w.newNode(name))
	}
	for _, n := range w.nodes {
		n.process["nc-serve"].WaitFor(patience, "msg=ready")
		n.update("replace www 1 A " + good)
	}
	w.startRouters(o)
	w.client = newClient(t, far, service+":53", w.name("www"))
	return w
}

// startRouters starts the router that has the client, and the second one.
func (w *world) startRouters(o options) {
	r := w.neighbors(o)
	for i := range o.many {
		r.Static = append(r.Static, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24))
	}
	if o.second {
		w.second = w.lab.Bird(w.routers[1], w.neighbors(o))
	}
	if o.frr {
		w.router = w.lab.FRR(w.up, r)
		return
	}
	w.bird = w.lab.Bird(w.up, r)
	w.router = w.bird
}

// neighbors is what a router is told: the nodes are its neighbours.
func (w *world) neighbors(o options) lab.Router {
	r := lab.Router{AS: routerAS}
	for _, n := range w.nodes {
		to := lab.Neighbor{Addr: n.machine.Addr(), AS: nodeAS, Send: lab.SendStatic}
		if o.bfd {
			to.BFD, to.BFDMultiplier = 300*time.Millisecond, 3
		}
		r.Neighbors = append(r.Neighbors, to)
	}
	return r
}

// name is a name of the account.
func (w *world) name(label string) string {
	return label + "." + w.account + "." + domain + "."
}

// node is one by its name.
func (w *world) node(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	w.t.Fatalf("no node is called %q", name)
	return nil
}

// file writes a file of the world and gives its path.
func (w *world) file(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) read(path string) string {
	w.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// tool runs a tool that needs no network, and gives what it writes.
func (w *world) tool(stdin, name string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.bin, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

// steady waits until the router is a neighbour of all nodes and the client is
// answered, and gives the node that does it.
func (w *world) steady() *node {
	w.t.Helper()
	for _, n := range w.nodes {
		for _, p := range w.announced() {
			w.lab.Expect(patience, func() error { return w.router.Learned(n.machine.Addr(), p) })
		}
		if n.process["nc-watch"] != nil {
			w.lab.Expect(patience, func() error { return n.well() })
		}
	}
	w.lab.Expect(patience, func() error {
		by, to, since := w.client.serving(), w.best(), time.Time{}
		for _, p := range w.announced() {
			name, at := w.routed(p)
			if name != to {
				return fmt.Errorf("the route for %v is to %q, and that for %v to %q", p, name, prefix, to)
			}
			if at.After(since) {
				since = at
			}
		}
		if by != to || time.Since(since) < calm {
			return fmt.Errorf("the client is answered by %q, and the routes are to %q since %v", by, to, time.Since(since))
		}
		return nil
	})
	return w.node(w.best())
}

// calm is how long the router has to have changed nothing before it is believed to
// know all that it is told.
const calm = 500 * time.Millisecond

// announced are the prefixes that the nodes announce.
func (w *world) announced() []netip.Prefix {
	if w.nodes[0].process["nc-bgp"] == nil {
		return []netip.Prefix{prefix}
	}
	return []netip.Prefix{prefix, prefix6}
}

// announces returns nil if the router has the node's route.
func (w *world) announces(n *node) error { return w.router.Learned(n.machine.Addr(), prefix) }

// best is the node that the router's kernel sends the service's packets to, as it
// was told last, and nobody if to none.
func (w *world) best() string {
	name, _ := w.routed(prefix)
	return name
}

// routed is the node that a prefix is routed to, and since when.
func (w *world) routed(p netip.Prefix) (name string, since time.Time) {
	for _, r := range w.routes.Seen() {
		if r.Prefix == p && r.Table == mainTable {
			name, since = w.gateway(r), r.Time
		}
	}
	return name, since
}

// gateway is the node that a change has made the next hop; nobody if it took the
// route away.
func (w *world) gateway(r lab.Route) string {
	if !r.Added {
		return ""
	}
	for _, n := range w.nodes {
		if r.Gateway == n.machine.Addr() || r.Gateway.String() == n.addr6() {
			return n.name
		}
	}
	return r.Gateway.String()
}

// leaves waits until none of the router's routes leads to that node any more, and
// gives the time since then.
func (w *world) leaves(n *node, since time.Time, within time.Duration) (took time.Duration) {
	w.t.Helper()
	for _, p := range w.announced() {
		r := w.routes.Wait(within, since, func(r lab.Route) bool {
			return r.Prefix == p && r.Table == mainTable && w.gateway(r) != n.name
		})
		took = max(took, r.Time.Sub(since))
	}
	return took
}

// answered waits until the client has an answer of another node, and gives the
// time since then.
func (w *world) answered(n *node, since time.Time, within time.Duration) time.Duration {
	w.t.Helper()
	var first time.Time
	w.lab.Expect(within, func() error {
		if first = w.client.other(n.name, since); first.IsZero() {
			return fmt.Errorf("the client has no answer of another node than %s", n.name)
		}
		return nil
	})
	return first.Sub(since)
}
