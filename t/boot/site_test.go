package boot

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"namecast/t/lab"
)

// Addresses of the samples in lib/systemd.
const (
	service4, service6 = "192.0.2.53", "2001:db8:53::53"
	password           = "change-this"
	serviceName        = "namecast.example"
)

// holdDown has a node be announced soon after each of the many faults of the test, but
// not before the routers could be asked.
const holdDown = "timing verify=5s hold=1s restarts=100\n"

// comes is how long a route may take to come back: all has to be verified first.
const comes = 120 * time.Second

// A site is two nodes on one network with two upstream routers, and behind these a
// client. It is configured by the samples, as README.md says.
type site struct {
	t      *testing.T
	lab    *lab.Lab
	bin    string       // the tools
	home   string       // of the client
	client *lab.Machine // behind r1
	other  *lab.Machine // behind r2
	a, b   *node
	r1     *lab.Machine // with BIRD
	r2     *lab.FRR
}

// newSite makes the machines and starts the routers; the nodes are off.
func newSite(t *testing.T) *site {
	t.Helper()
	lower := debian(t)
	s := &site{t: t, lab: lab.New(t), home: t.TempDir()}
	for _, program := range []string{"bird", "birdc"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing (Debian's package bird2)", program)
		}
	}
	s.bin = build(t)
	upstream, clients := s.lab.LAN("upstream"), s.lab.LAN("clients")
	s.r1 = s.lab.Machine("r1")
	r2 := s.lab.Machine("r2")
	for i, r := range []*lab.Machine{s.r1, r2} {
		upstream.Join(r, fmt.Sprintf("198.51.100.%d/24", i+1), fmt.Sprintf("2001:db8:a::%d/64", i+1))
		clients.Join(r, fmt.Sprintf("203.0.113.%d/24", i+1), fmt.Sprintf("2001:db8:c::%d/64", i+1))
		r.Sysctl("net.ipv4.ip_forward", "1")
		r.Sysctl("net.ipv6.conf.all.forwarding", "1")
	}
	s.client, s.other = s.lab.Machine("client"), s.lab.Machine("other")
	for i, m := range []*lab.Machine{s.client, s.other} {
		clients.Join(m, fmt.Sprintf("203.0.113.%d/24", i+10), fmt.Sprintf("2001:db8:c::%d/64", i+10))
		route(m, fmt.Sprintf("203.0.113.%d", i+1), fmt.Sprintf("2001:db8:c::%d", i+1))
	}
	var nodes []*node
	for i, name := range []string{"a", "b"} {
		m := s.lab.Machine(name)
		upstream.Join(m, fmt.Sprintf("198.51.100.%d/24", i+10), fmt.Sprintf("2001:db8:a::%d/64", i+10))
		route(m, "198.51.100.1", "2001:db8:a::1")
		n := newNode(t, s.lab, m, lower)
		install(t, s.bin, n.root)
		nodes = append(nodes, n)
	}
	s.a, s.b = nodes[0], nodes[1]
	s.routers(r2)
	return s
}

// route has a machine send to all others by way of a router.
func route(m *lab.Machine, via4, via6 string) {
	m.IP("route", "add", "default", "via", via4)
	m.IP("-6", "route", "add", "default", "via", via6)
}

// routers starts BIRD and FRR with the samples for the upstream's side.
func (s *site) routers(r2 *lab.Machine) {
	s.t.Helper()
	conf, err := filepath.Abs(filepath.Join(source, "upstream/bird.conf"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.r1.Start("bird", "-f", "-c", conf, "-s", s.socket(), "-P", s.socket()+".pid")
	s.r2 = s.lab.FRR(r2, lab.Router{AS: 64497, ID: netip.MustParseAddr("198.51.100.2")})
	text, err := os.ReadFile(filepath.Join(source, "upstream/frr.conf"))
	if err != nil {
		s.t.Fatal(err)
	}
	if out := s.r2.Vtysh("configure terminal\n" + string(text)); strings.Contains(out, "%") {
		s.t.Fatalf("FRR refuses the sample: %s", out)
	}
}

// socket is that of BIRD's control.
func (s *site) socket() string { return filepath.Join(s.home, "bird") }

// tool runs one of the user's tools on the client, by a shell line.
func (s *site) tool(line string) (string, error) {
	return s.client.Try("env", "PATH="+s.bin+":"+os.Getenv("PATH"), "HOME="+s.home, "sh", "-c", "cd $HOME && "+line)
}

// run is tool for a line that must not fail.
func (s *site) run(line string) string {
	s.t.Helper()
	out, err := s.tool(line)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// configure writes the configuration of both nodes: the samples, which are that of
// node a, and their keys.
func (s *site) configure() {
	s.t.Helper()
	list := s.sample("nodes")
	for _, n := range []*node{s.a, s.b} {
		name := n.Name()
		s.run(fmt.Sprintf("nc-keygen -o %s.key && nc-keygen -server %s@%s:8153 -o %[1]s.test.key", name, serviceName, service4))
		public := strings.Fields(s.run("nc-keygen -pub < " + name + ".key"))[3]
		for line := range strings.Lines(list) {
			if strings.HasPrefix(line, "node="+name+" ") {
				words := strings.Fields(line)
				words[len(words)-1] = strings.Replace(public, "public=", "key=", 1)
				list = strings.Replace(list, line, strings.Join(words, " ")+"\n", 1)
			}
		}
	}
	for _, n := range []*node{s.a, s.b} {
		n.write("/etc/namecast/nodes", list, 0o644)
		for _, file := range []string{"serve.env", "chain.env", "bgp.conf"} {
			n.write("/etc/namecast/"+file, n.own(s.sample(file)), 0o644)
		}
		n.write("/etc/namecast/node.conf", n.own(s.sample("node.conf"))+holdDown, 0o644)
	}
}

// sample is the text of a sample.
func (s *site) sample(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(source, "etc", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// own makes of a sample, which is that of node a, a node's own.
func (n *node) own(text string) string {
	if n.Name() == "a" {
		return text
	}
	text = strings.NewReplacer(
		"name=a ", "name=b ", "node=a ", "node=b ", "-name a ", "-name b ", "-id a ", "-id b ",
		"id=198.51.100.10", "id=198.51.100.11", "votes=198.51.100.10", "votes=198.51.100.11",
		"next-hop6=2001:db8:a::10", "next-hop6=2001:db8:a::11", "-listen 198.51.100.10", "-listen 198.51.100.11",
	).Replace(text)
	if strings.Contains(text, "\nFLAGS=-name b ") {
		text = strings.TrimSpace(text) + " -join /var/lib/namecast/chain/token -via 198.51.100.10:7153\n"
	}
	return text
}

// secret puts a file with a secret in its place, its reader's own.
func (n *node) secret(user, path, text string) {
	n.t.Helper()
	n.write("/root/secret", text, 0o600)
	n.in("install", "-o", user, "-g", user, "-m", "600", "/root/secret", path)
	n.in("rm", "/root/secret")
}

// secrets gives a node that has booted its secrets: its own keys, what it shares
// with the other node, and its identity to the storage.
func (s *site) secrets(n *node, authority string) {
	s.t.Helper()
	name := n.Name()
	n.secret("nc-watch", "/etc/namecast/watch/node.key", s.file(name+".key"))
	n.secret("nc-watch", "/etc/namecast/watch/test.key", s.file(name+".test.key"))
	n.secret("nc-bgp", "/etc/namecast/bgp/password", password+"\n")
	n.secret("nc-serve", "/etc/namecast/serve/cookies", s.file("cookies"))
	n.secret("nc-serve", "/etc/namecast/serve/dnssec", s.file("dnssec"))
	if err := os.WriteFile(filepath.Join(s.home, "authority"), []byte(authority), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("nc-keygen -ca -issue -o " + name + ".pem client/" + name + " < authority")
	n.secret("nc-serve", "/var/lib/namecast/serve/identity.pem", s.file(name+".pem"))
}

// file is the text of a file of the client.
func (s *site) file(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.home, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// units are what is enabled on a node beside nc-chain.
var units = []string{"nc-serve", "nc-bgp", "nc-watch", "nc-restart@nc-serve.path", "namecast.target"}

// start boots both nodes and enables everything on them, and returns when both
// routers have the routes of both.
func (s *site) start() {
	s.t.Helper()
	s.configure()
	s.run("nc-keygen -dnssec -o dnssec && head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' > cookies")
	s.a.boot()
	s.b.boot()
	s.a.in("systemctl", "enable", "--now", "nc-chain")
	authority := s.a.in("cat", "/var/lib/namecast/chain/authority.pem") + "\n"
	s.secrets(s.a, authority)
	s.secrets(s.b, authority)
	s.run("nc-keygen -ca -join -host 198.51.100.11 -o b.token node/b < authority")
	s.b.secret("nc-chain", "/var/lib/namecast/chain/token", s.file("b.token"))
	s.b.in("systemctl", "enable", "--now", "nc-chain")
	for _, n := range []*node{s.a, s.b} {
		n.in(append([]string{"systemctl", "enable", "--now"}, units...)...)
	}
	s.announced(s.a, s.b)
}

// A view is what a router has of one of the prefixes.
type view struct {
	router, prefix string
	show           func() (string, error)
}

// views are those of both routers.
func (s *site) views() (list []view) {
	for family, prefix := range map[string]string{"ipv4": "192.0.2.0/24", "ipv6": "2001:db8:53::/48"} {
		list = append(list,
			view{"BIRD", prefix, func() (string, error) { return s.birdc("show route for " + prefix + " all") }},
			view{"FRR", prefix, func() (string, error) { return s.r2.TryVtysh("show bgp " + family + " unicast " + prefix) }})
	}
	return list
}

func (s *site) birdc(command string) (string, error) {
	return s.client.Try("birdc", append([]string{"-s", s.socket()}, strings.Fields(command)...)...)
}

// announced waits until both routers have the routes of these nodes, of both
// families, and of no others.
func (s *site) announced(nodes ...*node) {
	s.t.Helper()
	s.lab.Expect(comes, func() error {
		for _, v := range s.views() {
			out, err := v.show()
			if err != nil {
				return err
			}
			for _, n := range []*node{s.a, s.b} {
				if has := strings.Contains(out, n.Addr().String()); has != slices.Contains(nodes, n) {
					return fmt.Errorf("%s: %s from node %s: %t, want %t:\n%s", v.router, v.prefix, n.Name(), has, !has, out)
				}
			}
		}
		return nil
	})
}

// withdrawn waits until each router has been without each route of a node. On a busy
// computer the first may be back before the last is looked at.
func (s *site) withdrawn(n *node) {
	s.t.Helper()
	views := s.views()
	errs := make([]error, len(views))
	for i, v := range views {
		errs[i] = fmt.Errorf("%s has had %s from node %s all the time", v.router, v.prefix, n.Name())
	}
	s.lab.Expect(comes, func() error {
		var looks sync.WaitGroup
		for i, v := range views {
			looks.Go(func() {
				if out, err := v.show(); err == nil && !strings.Contains(out, n.Addr().String()) {
					errs[i] = nil
				}
			})
		}
		looks.Wait()
		return errors.Join(errs...)
	})
}

// session is since when BIRD has the session with a node.
func (s *site) session(n *node) string {
	s.t.Helper()
	out, err := s.birdc("show protocols node_" + n.Name())
	if err != nil || !strings.Contains(out, "Established") {
		s.t.Errorf("node %s has no session: %v\n%s", n.Name(), err, out)
	}
	return out
}
