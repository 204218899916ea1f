package trial

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A fault is something that is done to a node, and taken back after a while.
type fault struct {
	name        string
	least, most time.Duration // how long it lasts
	do          func(*node, *rand.Rand) error
	undo        func(*node) error
}

// faults are all that there are.
var faults = []fault{
	{"kill", 0, 4 * time.Second, func(n *node, _ *rand.Rand) error { n.kill(); return nil }, restart},
	{"restart", 0, time.Second, end, restart},
	{"outage", 0, 2 * time.Second, killAll, restartAll},
	{"stop", time.Second, 10 * time.Second, pause, resume},
	{"cut", 300 * time.Millisecond, 6 * time.Second, cut, heal},
	{"isolate", 300 * time.Millisecond, 6 * time.Second, isolate, heal},
	{"cut-oneway", 300 * time.Millisecond, 6 * time.Second, cutOneWay, heal},
	{"cut-etcd", 500 * time.Millisecond, 6 * time.Second, cutEtcd, healEtcd},
	{"disk-full", 500 * time.Millisecond, 3 * time.Second, fill, free},
	{"fsync-error", 500 * time.Millisecond, 3 * time.Second, failSync, endSync},
	{"torn-journal", 0, 2 * time.Second, tear, restart},
	{"damaged-journal", 0, 2 * time.Second, damage, restartEmpty},
	{"clock", 0, 2 * time.Second, shift, restart},
}

// kill ends the node's process, as a power failure does but for the disk.
func (n *node) kill() {
	n.killed = true
	n.process.Kill()
}

func restart(n *node) error {
	n.start()
	return nil
}

// end asks the process to end, as for an upgrade.
func end(n *node, _ *rand.Rand) error {
	n.killed = true
	if err := n.process.Stop(); err != nil {
		return fmt.Errorf("%s was told to end: %w", n.name, err)
	}
	return nil
}

// killAll kills every node, one soon after the other, the target first.
func killAll(n *node, r *rand.Rand) error {
	n.kill()
	for _, i := range r.Perm(nodeCount) {
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond) // the moments are the test's subject
		n.c.nodes[i].kill()
	}
	return nil
}

func restartAll(n *node) error {
	for _, other := range n.c.nodes {
		other.start()
	}
	return nil
}

// restartEmpty does what the manual has the operator do: where the node refuses its
// damaged folder, that is moved away.
func restartEmpty(n *node) error {
	n.start()
	line, err := n.process.TryWaitFor(startLimit, "msg=registered|: damaged: ")
	if err != nil || !strings.Contains(line, "damaged") {
		return err
	}
	if err := n.process.Wait(10 * time.Second); err == nil || n.process.Code() != 1 {
		return fmt.Errorf("%s ended with %d and not with 1: %s", n.name, n.process.Code(), line)
	}
	if err := os.RemoveAll(filepath.Join(n.dir(), "chains")); err != nil {
		return err
	}
	return restart(n)
}

func pause(n *node, _ *rand.Rand) error {
	n.killed = true // it cannot be asked
	n.process.Pause()
	return nil
}

func resume(n *node) error {
	n.killed = false
	n.process.Resume()
	return nil
}

// cut cuts a node off from the other nodes, and not from its clients.
func cut(n *node, _ *rand.Rand) error {
	for _, other := range n.c.nodes {
		if other != n {
			n.c.lan.Cut(n.machine, other.machine)
		}
	}
	return nil
}

// isolate cuts a node off from everything.
func isolate(n *node, _ *rand.Rand) error {
	n.c.lan.Isolate(n.machine)
	return nil
}

// cutOneWay makes that a node cannot be heard by others or cannot hear them; by some
// or by all.
func cutOneWay(n *node, r *rand.Rand) error {
	mute, all := r.IntN(2) == 0, r.IntN(3) > 0
	for _, other := range n.c.nodes {
		switch {
		case other == n || !all && r.IntN(2) == 0:
		case mute:
			n.c.lan.CutOneWay(n.machine, other.machine)
		default:
			n.c.lan.CutOneWay(other.machine, n.machine)
		}
	}
	return nil
}

func heal(n *node) error {
	n.c.lan.Heal()
	return nil
}

// cutEtcd cuts a node, and its member, off from the members of the others; links
// between nodes stay.
func cutEtcd(n *node, _ *rand.Rand) error {
	const rules = `add table inet trial
add chain inet trial in { type filter hook input priority 0; }
add chain inet trial out { type filter hook output priority 0; }
add rule inet trial in iif != lo tcp dport 7154-7155 drop
add rule inet trial in iif != lo tcp sport 7154-7155 drop
add rule inet trial out oif != lo ip daddr != %[1]s tcp dport 7154-7155 drop
add rule inet trial out oif != lo ip daddr != %[1]s tcp sport 7154-7155 drop
`
	file := filepath.Join(n.c.dir, n.name+".nft")
	if err := os.WriteFile(file, fmt.Appendf(nil, rules, n.addr), 0o600); err != nil {
		return err
	}
	_, err := n.machine.Try("nft", "-f", file)
	return err
}

func healEtcd(n *node) error {
	_, err := n.machine.Try("nft", "delete", "table", "inet", "trial")
	return err
}

// fill leaves no room on the node's disk. A node that has to write ends then.
func fill(n *node, _ *rand.Rand) error {
	n.mayEnd = true
	n.disk.Fill()
	return nil
}

func free(n *node) error {
	n.disk.Free()
	return nil
}

// failSync has every fsync of the node fail from now on.
func failSync(n *node, _ *rand.Rand) error {
	const calls = "fsync,fdatasync"
	n.mayEnd = true
	n.tracer = exec.Command("strace", "-f", "-q", "-o", n.trace(), "-e", "trace="+calls, "-e", "inject="+calls+":error=EIO", "-p", fmt.Sprint(n.process.Pid()))
	return n.tracer.Start()
}

// trace is the file with the system calls that have failed.
func (n *node) trace() string { return filepath.Join(n.c.lab.Logs(), n.name+".strace") }

// endSync lets them succeed again. A node that goes on after a failed fsync would
// trust its disk: it has to end.
func endSync(n *node) error {
	_ = n.tracer.Process.Signal(syscall.SIGTERM) // it may have ended with the node
	_ = n.tracer.Wait()                          // by that signal
	n.process.Signal(syscall.SIGCONT)            // strace may have left it stopped
	text, err := os.ReadFile(n.trace())
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), "(INJECTED)") {
		return nil // there was none
	}
	select {
	case <-n.process.Done():
		return nil
	case <-time.After(10 * time.Second):
		n.process.Signal(syscall.SIGQUIT) // its log has what it waits for then
		_ = n.process.Wait(5 * time.Second)
		return fmt.Errorf("%s has not ended 10 s after a fsync that failed", n.name)
	}
}

// journal is the newest journal of a node's chains.
func (n *node) journal() (string, error) {
	files, err := filepath.Glob(filepath.Join(n.dir(), "chains", "*.log"))
	if err == nil && len(files) == 0 {
		files, err = filepath.Glob(filepath.Join(n.dir(), "chains", "*", "*.log"))
	}
	if err != nil || len(files) == 0 {
		return "", errors.Join(err, fmt.Errorf("no journal in %s", n.dir()))
	}
	newest := files[0]
	for _, f := range files {
		if strings.Compare(filepath.Base(f), filepath.Base(newest)) > 0 {
			newest = f
		}
	}
	return newest, nil
}

// tear kills a node and takes away the end of what it has written.
func tear(n *node, r *rand.Rand) error {
	n.kill()
	file, err := n.journal()
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Truncate(file, max(0, info.Size()-1-r.Int64N(4000)))
}

// damage kills a node and changes an octet of what it has written.
func damage(n *node, r *rand.Rand) error {
	n.kill()
	file, err := n.journal()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil || len(text) == 0 {
		return err
	}
	text[r.IntN(len(text))] ^= byte(1 + r.IntN(255))
	return os.WriteFile(file, text, 0o600)
}

// shift kills a node; it comes back with another clock.
func shift(n *node, r *rand.Rand) error {
	n.kill()
	n.ahead = time.Duration(1+r.IntN(7200)) * time.Second
	if r.IntN(3) == 0 {
		n.ahead = -time.Duration(1+r.IntN(100)) * time.Second
	}
	return nil
}
