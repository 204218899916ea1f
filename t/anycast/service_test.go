package anycast

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newService makes a world whose nodes announce the service by nc-bgp and nc-watch.
func newService(t *testing.T, bin string, o options) *world {
	w := newWorld(t, bin, o)
	nodes := w.file("nodes", w.nodesFile())
	for _, n := range w.nodes {
		n.bgp(n.bgpConf(nodes, o))
	}
	for _, n := range w.nodes {
		n.watch(n.nodeConf(nodes, o))
	}
	return w
}

// nodesFile makes a key for each node and lists them all.
func (w *world) nodesFile() string {
	var list strings.Builder
	for _, n := range w.nodes {
		key := n.key("node")
		w.tool("", "nc-keygen", "-o", key)
		public := ""
		for word := range strings.FieldsSeq(w.tool(w.read(key), "nc-keygen", "-pub")) {
			if value, ok := strings.CutPrefix(word, "public="); ok {
				public = value
			}
		}
		fmt.Fprintf(&list, "node=%s key=%s watch=%s:8154 bgp=%[3]s:%[4]d dns=%[3]s:53\n", n.name, public, n.addr(), votes)
	}
	return list.String()
}

// key is the file of one of the node's keys.
func (n *node) key(purpose string) string {
	return filepath.Join(n.w.dir, n.name+"."+purpose+".key")
}

// bgpConf is the configuration of nc-bgp.
func (n *node) bgpConf(nodes string, o options) string {
	bfd := ""
	if o.bfd {
		bfd = " bfd=300ms bfd-multiplier=3"
	}
	conf := fmt.Sprintf("local as=%d id=%s name=%s nodes=%s votes=%[2]s:%[5]d\n", nodeAS, n.addr(), n.name, nodes, votes)
	conf += fmt.Sprintf("prefix=%v address=%s\nprefix=%v address=%s\n", prefix, service, prefix6, service6)
	for _, router := range n.w.routers {
		conf += fmt.Sprintf("neighbor=%v as=%d next-hop6=%s%s\n", router.Addr(), routerAS, n.addr6(), bfd)
	}
	return conf
}

// nodeConf is the configuration of nc-watch.
func (n *node) nodeConf(nodes string, o options) string {
	restart := ""
	if o.restart {
		restart = " restart='" + n.restart() + "'"
	}
	// A new key for each node: no two may change the same record.
	n.w.tool("", "nc-keygen", "-o", n.key("probe"))
	return fmt.Sprintf(`node=%s nodes=%s key=%s
prefix=%v
prefix=%v
component=dns pid-file=%s%s
probe=dns component=dns at=127.0.0.1:53 name=%s type=A expect=%s
probe=dns component=dns tcp at=[::1]:53 name=%s
probe=update component=dns key=%s at=127.0.0.1:53 server=127.0.0.1:8153 service=%[10]s
`, n.name, nodes, n.key("node"), prefix, prefix6,
		filepath.Join(n.w.dir, n.pidFile("nc-serve")), restart, n.w.name("www"), good, domain, n.key("probe"))
}

// bgp starts nc-bgp with a configuration.
func (n *node) bgp(conf string) {
	n.w.t.Helper()
	n.w.file(n.name+".bgp.conf", conf)
	n.bgpAgain()
}

// bgpAgain starts nc-bgp with the configuration that it has.
func (n *node) bgpAgain() {
	n.w.t.Helper()
	n.start("nc-bgp", "-f", filepath.Join(n.w.dir, n.name+".bgp.conf"), "-listen", n.socket())
}

// socket is where nc-bgp listens to nc-watch.
func (n *node) socket() string { return filepath.Join(n.run.Dir(), "route") }

// watch starts nc-watch with a configuration.
func (n *node) watch(conf string) {
	n.w.t.Helper()
	n.start("nc-watch", "-f", n.w.file(n.name+".node.conf", conf), "-route", n.socket(), "-dir", n.run.Dir())
}

// command has nc-watch do something, as an operator would.
func (n *node) command(args ...string) string {
	n.w.t.Helper()
	return n.pipe("", "nc-watch", append(args, "-dir", n.run.Dir())...)
}

// well returns nil if nc-watch says that the service is announced for everybody.
func (n *node) well() error {
	_, err := n.tryPipe("", "nc-watch", "-status", "-dir", n.run.Dir())
	return err
}

// soon is a limit that only a machine with very much to do needs.
const soon = 10 * time.Second
