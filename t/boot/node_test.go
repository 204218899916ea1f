package boot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"namecast/t/lab"
)

// How long things may take on a busy computer.
const (
	bootTime = 60 * time.Second
	stopTime = 60 * time.Second
	runTime  = 60 * time.Second
)

// rebooting is how systemd-nspawn ends when the container wants to be rebooted.
const rebooting = 133

// A node is a machine of the lab on which Debian runs, with a disk of its own.
type node struct {
	*lab.Machine
	t    *testing.T
	lab  *lab.Lab
	root string // its disk, as this computer has it
	proc *lab.Process
}

// newNode makes a node's disk, without booting it. What is written to it is kept as
// long as the test lasts.
func newNode(t *testing.T, l *lab.Lab, m *lab.Machine, lower string) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{Machine: m, t: t, lab: l, root: filepath.Join(dir, "root")}
	for _, name := range []string{"root", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, dir, dir)
	if out, err := exec.Command("mount", "-t", "overlay", "overlay", "-o", options, n.root).CombinedOutput(); err != nil {
		t.Skipf("a copy of Debian cannot be laid over it: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if n.proc != nil {
			n.keepJournal()
			n.proc.Kill()
		}
		if out, err := exec.Command("umount", n.root).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	n.write("/etc/hostname", m.Name()+"\n", 0o644)
	// With this folder the journal outlasts a reboot.
	if err := os.MkdirAll(filepath.Join(n.root, "var/log/journal"), 0o755); err != nil {
		t.Fatal(err)
	}
	return n
}

// boot starts Debian and returns when it has come up, with nothing failed.
func (n *node) boot() {
	n.t.Helper()
	n.proc = n.StartCommand(lab.Command{
		Path: "nsenter", Name: "console",
		Args: []string{
			// The lab's machines have a /sys of their own, which has no control groups.
			fmt.Sprintf("--mount=/proc/%d/ns/mnt", os.Getpid()), "--", "systemd-nspawn",
			"--quiet", "--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
			"--machine=" + n.Name(), "--network-namespace-path=/run/netns/" + n.Namespace(), "--capability=CAP_NET_ADMIN",
			"--boot", "--directory=" + n.root,
		},
		Env: []string{"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0"},
	})
	n.lab.Expect(bootTime, func() error {
		if n.proc.Ended() {
			n.t.Fatalf("node %s does not boot:\n%s", n.Name(), n.proc.Log())
		}
		state, err := n.try("systemctl", "is-system-running")
		if strings.TrimSpace(state) == "degraded" {
			failed, _ := n.try("systemctl", "list-units", "--failed", "--no-legend", "--plain")
			n.t.Fatalf("node %s has failed units: %s", n.Name(), failed)
		}
		return err
	})
}

// reboot has the node reboot itself, and does what a computer does then.
func (n *node) reboot(meanwhile func()) {
	n.t.Helper()
	n.in("systemctl", "reboot", "--no-block")
	select {
	case <-n.proc.Done():
	case <-time.After(stopTime):
		n.t.Fatalf("node %s does not reboot:\n%s", n.Name(), n.proc.Log())
	}
	if n.proc.Code() != rebooting {
		n.t.Fatalf("node %s has ended with %d instead of rebooting:\n%s", n.Name(), n.proc.Code(), n.proc.Log())
	}
	meanwhile()
	n.boot()
}

// leader is the number of the node's first process.
func (n *node) leader() (string, error) {
	pids := children(n.proc.Pid())
	if len(pids) != 1 {
		return "", errors.New("it has no first process")
	}
	return fmt.Sprint(pids[0]), nil
}

// children are the processes that a process has started itself, and that are there.
func children(pid int) (pids []int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid)) // one that is gone has none
	for _, word := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(word); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// try runs a program on the node, and returns what it has written to its standard
// output.
func (n *node) try(args ...string) (string, error) {
	leader, err := n.leader()
	if err != nil {
		return "", fmt.Errorf("node %s: %w", n.Name(), err)
	}
	line := []string{fmt.Sprint(int(runTime.Seconds())), "nsenter", "--target", leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	cmd := exec.Command("timeout", append(line, args...)...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "SYSTEMD_PAGER="}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("node %s: %s: %w: %s%s", n.Name(), strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out), err
}

// in is try for a program that must not fail.
func (n *node) in(args ...string) string {
	n.t.Helper()
	out, err := n.try(args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// write writes a file on the node's disk.
func (n *node) write(path, text string, mode os.FileMode) {
	n.t.Helper()
	path = filepath.Join(n.root, path)
	err := os.WriteFile(path, []byte(text), mode)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// show is a property of a unit.
func (n *node) show(unit, property string) string {
	n.t.Helper()
	return n.in("systemctl", "show", "--property="+property, "--value", unit)
}

// journal is what the journal has of a unit.
func (n *node) journal(unit string) string {
	n.t.Helper()
	return n.in("journalctl", "--no-pager", "--output=short-precise", "--unit="+unit)
}

// keepJournal writes the journal to where the lab's logs are.
func (n *node) keepJournal() {
	text, err := n.try("journalctl", "--no-pager", "--output=short-precise")
	if err == nil {
		err = os.WriteFile(filepath.Join(n.lab.Logs(), n.Name()+"-journal.log"), []byte(text), 0o600)
	}
	if err != nil && n.t.Failed() {
		n.t.Logf("the journal is not kept: %v", err)
	}
}
