package boot

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"namecast/t/lab"
)

// pipeConf is a node alone, without systemd: its process is found by a file.
const pipeConf = `node=a
prefix=192.0.2.0/24
component=dns pid-file=%s
probe=dns component=dns at=192.0.2.53:53 name=namecast.example
timing hold=1s restarts=100
`

// TestPipe runs lib/systemd/announce.sh: nc-watch and nc-bgp joined by a pipe.
func TestPipe(t *testing.T) {
	l := lab.New(t)
	a, r := l.Machine("a"), l.Machine("r")
	link := l.LAN("link")
	link.Join(a, "198.51.100.10/24")
	link.Join(r, "198.51.100.1/24")
	node := netip.MustParseAddr("198.51.100.10")
	bird := l.Bird(r, lab.Router{AS: 64496, Neighbors: []lab.Neighbor{{Addr: node, AS: 64500}}})
	routed := func(want bool) {
		t.Helper()
		l.Expect(comes, func() error {
			out, err := bird.TryBirdc("show route")
			if err == nil && strings.Contains(out, node.String()) != want {
				err = fmt.Errorf("the route is there: %t, want %t", !want, want)
			}
			return err
		})
	}
	script := announce(t, a)
	routed(true)
	for _, tool := range []string{"nc-watch", "nc-bgp"} {
		began := time.Now()
		kill(t, script.Pid(), tool)
		routed(false)
		gone := time.Since(began)
		routed(true)
		t.Logf("%s is killed: the route was seen gone after %.2fs, and back after %.1fs", tool, gone.Seconds(), time.Since(began).Seconds())
	}
	// To the script alone, as a supervisor would.
	if err := syscall.Kill(script.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := script.Wait(runTime); err != nil {
		t.Errorf("the script ended with %v", err)
	}
	routed(false)
}

// announce starts nc-serve and the script on a machine.
func announce(t *testing.T, a *lab.Machine) *lab.Process {
	t.Helper()
	bin, dir := build(t), t.TempDir()
	serve := a.Start(filepath.Join(bin, "nc-serve"), "-domain", serviceName, "-ns", "ns1."+serviceName+"="+service4, "-db", filepath.Join(dir, "db"))
	for name, text := range map[string]string{
		"pid":       fmt.Sprintln(serve.Pid()),
		"node.conf": fmt.Sprintf(pipeConf, filepath.Join(dir, "pid")),
		"bgp.conf":  "local as=64500 id=198.51.100.10 linger=keep\nneighbor=198.51.100.1 as=64496\nprefix=192.0.2.0/24 address=192.0.2.53\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a.StartCommand(lab.Command{
		Path: "sh", Name: "announce", Args: []string{filepath.Join(source, "announce.sh")},
		Env: []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "CONFIG=" + dir, "DIR=" + filepath.Join(dir, "watch")},
	})
}

// kill ends a program that a process has started.
func kill(t *testing.T, parent int, name string) {
	t.Helper()
	for _, pid := range children(parent) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // it may be gone
		if strings.TrimSpace(string(comm)) == name {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s does not run", name)
}
