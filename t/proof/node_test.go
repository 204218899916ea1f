package proof

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/peers"
)

// build compiles the tools.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/...")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

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
	n := &node{t: t, bin: build(t), dir: t.TempDir()}
	sockets, err := os.MkdirTemp("", "nc") // short: a socket's path has 108 octets at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(sockets, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	cmd := exec.Command(filepath.Join(n.bin, "nc-serve"), append([]string{
		"-domain", "namecast.example", "-ns", "ns1.namecast.example=127.0.53.3",
		"-dns", "127.0.0.1:0", "-nup", "127.0.0.1:0", "-db", filepath.Join(n.dir, "db"),
		"-resolver", w.Resolver.Addr, "-proof-private", "-proof-port", fmt.Sprint(w.Port),
	}, args...)...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+notify.LocalAddr().String())
	log, err := os.Create(filepath.Join(n.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.process = cmd.Process
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("nc-serve: %v\n%s", err, n.log())
		}
	})
	notify.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	size, err := notify.Read(buf)
	if err != nil {
		t.Fatalf("nc-serve is not ready: %v\n%s", err, n.log())
	}
	for word := range strings.FieldsSeq(string(buf[:size])) {
		word = strings.TrimPrefix(word, "STATUS=")
		if a, ok := strings.CutPrefix(word, "dns="); ok {
			n.dns = a
		}
		if a, ok := strings.CutPrefix(word, "nup="); ok {
			n.nup = a
		}
	}
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

// lines gives the answers of a message, "NXDOMAIN" and the like if not NOERROR.
func lines(a *dns.Msg) string {
	if a.Rcode != dns.RcodeSuccess {
		return dns.RcodeToString[a.Rcode]
	}
	var list []string
	for _, r := range a.Answer {
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
