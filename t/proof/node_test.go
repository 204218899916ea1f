package proof

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/peers"
	"namecast/t/tools"
)

// A node is a running nc-serve.
type node struct {
	t        *testing.T
	bin, dir string
	dns, nup string
	process  *os.Process
}

// log is what the node has written.
func (n *node) log() string {
	b, _ := os.ReadFile(filepath.Join(n.dir, "log"))
	return string(b)
}

// reload makes the node read the operator's files again and waits until it has.
func (n *node) reload() {
	n.t.Helper()
	before := strings.Count(n.log(), "msg=reloaded")
	n.process.Signal(syscall.SIGHUP)
	for limit := time.Now().Add(10 * time.Second); strings.Count(n.log(), "msg=reloaded") == before; {
		if time.Now().After(limit) {
			n.t.Fatalf("the node does not reload\n%s", n.log())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// startNode runs nc-serve with the world's resolver until the test ends, and
// then expects it to end well.
func startNode(t *testing.T, w *peers.World, args ...string) *node {
	t.Helper()
	n := &node{t: t, bin: tools.Build(t), dir: t.TempDir()}
	d := tools.Serve(t, n.bin, n.dir, append([]string{
		"-ns", "ns1.namecast.example=127.0.53.3",
		"-resolver", w.Resolver.Addr, "-proof-private", "-proof-port", fmt.Sprint(w.Port),
	}, args...)...)
	n.process, n.dns, n.nup = d.Process, d.Words["dns"], d.Words["nup"]
	return n
}

// answer asks the node over DNS and gives the answers' text, one a line.
func (n *node) answer(name string, qtype uint16) string {
	n.t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), qtype)
	a, _, err := new(dns.Client).Exchange(m, n.dns)
	if err != nil {
		n.t.Fatalf("ask the node for %s: %v", name, err)
	}
	return lines(a)
}

// lines gives the answers of a message without signatures, "NXDOMAIN" and the
// like if not NOERROR.
func lines(a *dns.Msg) string {
	if a.Rcode != dns.RcodeSuccess {
		return dns.RcodeToString[a.Rcode]
	}
	var list []string
	for _, r := range a.Answer {
		if r.Header().Rrtype == dns.TypeRRSIG {
			continue
		}
		list = append(list, strings.Join(strings.Fields(r.String()), " "))
	}
	return strings.Join(list, "\n")
}

// A user has a key of a node's.
type user struct {
	node    *node
	key     string // path
	account string
}

func (n *node) newUser(args ...string) *user {
	n.t.Helper()
	file, err := os.CreateTemp(n.dir, "*.key")
	if err != nil {
		n.t.Fatal(err)
	}
	defer file.Close()
	u := &user{node: n, key: file.Name()}
	cmd := u.tool("nc-keygen", args...)
	cmd.Stdout = file
	if err := cmd.Run(); err != nil {
		n.t.Fatalf("nc-keygen: %v", err)
	}
	cmd = u.tool("nc-keygen", "-hash")
	if cmd.Stdin, err = os.Open(u.key); err != nil {
		n.t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("nc-keygen -hash: %v", err)
	}
	u.account = strings.TrimSpace(string(out))
	return u
}

// proof is the name of the user's proof record for a domain, with a dot.
func (u *user) proof(domain string) string { return "validate-" + u.account + "." + domain + "." }

func (u *user) tool(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(u.node.bin, name), args...)
	cmd.Env = append(os.Environ(), "NAMECAST_KEY="+u.key, "NAMECAST_SERVER=namecast.example@"+u.node.nup,
		"PATH="+u.node.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return cmd
}

// send is what people do: nc-sign | nc-send. It gives what nc-send printed and
// its exit number.
func (u *user) send(update string) (out string, exit int) {
	u.node.t.Helper()
	cmd := u.tool("sh", "-c", "nc-sign | nc-send")
	cmd.Path = "/bin/sh"
	cmd.Stdin = strings.NewReader(update + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		u.node.t.Fatal(err)
	}
	u.node.t.Logf("$ echo %q | nc-sign | nc-send\n%s%s", update, b, stderr.String())
	return string(b), cmd.ProcessState.ExitCode()
}
