package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Lab is the machines and networks of one test.
type Lab struct {
	t    testing.TB
	home *home
	logs string   // the folder of what processes write
	hub  *Machine // has the bridges

	mu        sync.Mutex
	machines  []*Machine
	nets      []*Net
	processes []*Process
	closers   []func() // to be run before the namespaces go
	disks     int
	ports     int
}

// New makes an empty lab and takes away what killed tests have left. It skips
// the test without root, or without what the computer has to have. The lab ends
// with the test; if that has failed, the ends of all logs are shown.
func New(t testing.TB) *Lab {
	t.Helper()
	if reason := missing(); reason != "" {
		t.Skip("lab: " + reason)
	}
	h, err := openHome()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	l := &Lab{t: t, home: h, logs: t.ArtifactDir()}
	t.Cleanup(l.close)
	hub, err := l.newMachine("hub")
	if err == nil {
		err = l.openTable(hub)
	}
	if err != nil {
		t.Skipf("lab: the kernel does not give what is needed: %v", err)
	}
	l.hub = hub
	return l
}

// missing says what the computer lacks, or nothing.
func missing() string {
	if os.Geteuid() != 0 {
		return "machines and networks are for root only"
	}
	for _, name := range []string{"ip", "nft"} {
		if _, err := program(name); err != nil {
			return fmt.Sprintf("command %s is missing (Debian's packages iproute2 and nftables)", name)
		}
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Sprintf("the kernel has no TAP devices: open /dev/net/tun: %v", err)
	}
	_ = unix.Close(fd)
	return ""
}

// Logs is the folder where the processes' output is, one file each; with the
// flag -artifacts of "go test" it stays.
func (l *Lab) Logs() string { return l.logs }

// Hub is the machine that has the bridges of all LANs, for commands about their
// ports (see Port.Outer).
func (l *Lab) Hub() *Machine { return l.hub }

// Machine makes a machine. Its name has small letters, digits and hyphens.
func (l *Lab) Machine(name string) *Machine {
	l.t.Helper()
	m, err := l.newMachine(name)
	if err != nil {
		l.t.Fatalf("lab: machine %s: %v", name, err)
	}
	return m
}

var machineName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

func (l *Lab) newMachine(name string) (*Machine, error) {
	if !machineName.MatchString(name) {
		return nil, errors.New("not a name of small letters, digits and hyphens")
	}
	l.mu.Lock()
	taken := slices.ContainsFunc(l.machines, func(m *Machine) bool { return m.name == name })
	l.mu.Unlock()
	if taken {
		return nil, errors.New("there is one of this name")
	}
	m := &Machine{lab: l, name: name, ns: l.home.id + "." + name}
	if _, err := run("", "ip", "netns", "add", m.ns); err != nil {
		return nil, err
	}
	var err error
	if m.file, err = os.Open(filepath.Join(netnsDir, m.ns)); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.machines = append(l.machines, m)
	l.mu.Unlock()
	// Duplicate address detection would keep every IPv6 address unusable for
	// more than a second.
	for _, name := range []string{"net.ipv6.conf.all.accept_dad", "net.ipv6.conf.default.accept_dad"} {
		if err := m.sysctl(name, "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	_, err = run("", "ip", "-n", m.ns, "link", "set", "lo", "up")
	return m, err
}

// whenClosed has f run at the end, before the namespaces go.
func (l *Lab) whenClosed(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closers = append(l.closers, f)
}

// close ends everything, the newest first.
func (l *Lab) close() {
	if l.t.Failed() {
		l.showLogs()
	}
	for _, p := range slices.Backward(l.processes) {
		p.Kill()
	}
	for _, f := range slices.Backward(l.closers) {
		f()
	}
	for _, m := range l.machines {
		_ = m.file.Close()
	}
	if err := alone(l.home.remove); err != nil {
		l.t.Errorf("lab: clean up: %v", err)
	}
}

// shown is how much of the end of a log a failed test shows, in octets.
const shown = 4000

func (l *Lab) showLogs() {
	for _, p := range l.processes {
		l.t.Logf("lab: end of the log of %s (%s):\n%s", p, p.state(), tail(p.Log(), shown))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// poll is how often a condition is looked at.
const poll = 2 * time.Millisecond

// Expect calls cond until it answers nil, and fails the test with its last error
// if that takes longer than within.
func (l *Lab) Expect(within time.Duration, cond func() error) {
	l.t.Helper()
	if err := until(within, cond); err != nil {
		l.t.Fatalf("lab: not within %v: %v", within, err)
	}
}

// errEnded ends the waiting for a line of a program that has ended.
var errEnded = errors.New("the program has ended")

// until calls cond until it answers nil or errEnded, at least once and once more
// at the end; then its last error is the result.
func until(within time.Duration, cond func() error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	end := time.Now().Add(within)
	for {
		late := time.Now().After(end)
		err := cond()
		if err == nil || late || errors.Is(err, errEnded) {
			return err
		}
		<-tick.C
	}
}
