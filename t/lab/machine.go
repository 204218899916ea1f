package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Machine is a network namespace with its loopback device up.
type Machine struct {
	lab  *Lab
	name string
	ns   string   // the namespace's name for the command ip
	file *os.File // the namespace

	ports []*Port // guarded by lab.mu
}

// Name is the machine's name in the lab.
func (m *Machine) Name() string { return m.name }

// String is the machine's name.
func (m *Machine) String() string { return m.name }

// Namespace is the machine's name for "ip netns", for a person who looks at a
// test that runs.
func (m *Machine) Namespace() string { return m.ns }

// Addr is the first address that the machine has got on a network, or the zero
// Addr.
func (m *Machine) Addr() netip.Addr {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	for _, p := range m.ports {
		if len(p.addrs) > 0 {
			return p.addrs[0].Addr()
		}
	}
	return netip.Addr{}
}

// Do calls f on a thread that is in the machine: sockets that f itself makes are
// the machine's, and so are the files of /proc/sys/net. Goroutines that f starts
// are not in the machine.
func (m *Machine) Do(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("enter machine %s: %w", m.name, err)
	}
	defer own.Close()
	if err := unix.Setns(int(m.file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter machine %s: %w", m.name, err)
	}
	defer func() {
		if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
			// The thread would go on to do the work of others in here.
			panic(fmt.Sprintf("lab: leave machine %s: %v", m.name, err))
		}
	}()
	return f()
}

// errLiteral: a name would be looked up outside of the machine.
var errLiteral = errors.New("neither an address and port nor a port alone")

// literal refuses an address that is not in numbers.
func literal(m *Machine, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err == nil && host != "" {
		_, err = netip.ParseAddr(host)
	}
	if err != nil {
		return fmt.Errorf("machine %s: address %q: %w", m.name, address, errLiteral)
	}
	return nil
}

// Dial connects from the machine, as a net.Dialer does, to an address in numbers.
func (m *Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := literal(m, address); err != nil {
		return nil, err
	}
	var c net.Conn
	err := m.Do(func() (err error) {
		var d net.Dialer
		c, err = d.DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens on the machine, as net.Listen does, at an address in numbers.
func (m *Machine) Listen(network, address string) (net.Listener, error) {
	if err := literal(m, address); err != nil {
		return nil, err
	}
	var ln net.Listener
	err := m.Do(func() (err error) {
		ln, err = net.Listen(network, address)
		return err
	})
	return ln, err
}

// ListenPacket listens on the machine, as net.ListenPacket does, at an address
// in numbers.
func (m *Machine) ListenPacket(network, address string) (net.PacketConn, error) {
	if err := literal(m, address); err != nil {
		return nil, err
	}
	var c net.PacketConn
	err := m.Do(func() (err error) {
		c, err = net.ListenPacket(network, address)
		return err
	})
	return c, err
}

// Sysctl sets a value of the kernel that each machine has of its own, such as
// "net.ipv4.ip_forward". A device's name must have no dot.
func (m *Machine) Sysctl(name, value string) {
	m.lab.t.Helper()
	if err := m.sysctl(name, value); err != nil {
		m.lab.t.Fatalf("lab: machine %s: %v", m.name, err)
	}
}

func (m *Machine) sysctl(name, value string) error {
	path := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
	return m.Do(func() error { return os.WriteFile(path, []byte(value), 0) })
}

// Etc writes a file that programs started afterwards on this machine, and on no
// other, find in /etc, such as "resolv.conf". The computer has to have a file of
// that name.
func (m *Machine) Etc(name, content string) {
	m.lab.t.Helper()
	dir := filepath.Join(etcDir, m.ns)
	// The end of another lab takes the folder of all away if it is empty.
	err := alone(func() error { return os.MkdirAll(dir, 0o755) })
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
	}
	if err != nil {
		m.lab.t.Fatalf("lab: machine %s: %v", m.name, err)
	}
}

// Run runs a program on the machine to its end, for 30 seconds at most, and
// returns all that it has written. It fails the test if the program does.
func (m *Machine) Run(name string, args ...string) string {
	m.lab.t.Helper()
	out, err := m.Try(name, args...)
	if err != nil {
		m.lab.t.Fatalf("lab: %v", err)
	}
	return out
}

// Try is Run for a program that may fail, from any goroutine; the error has what
// it wrote.
func (m *Machine) Try(name string, args ...string) (string, error) {
	path, err := program(name)
	if err != nil {
		return "", fmt.Errorf("machine %s: %w", m.name, err)
	}
	out, err := run("", "ip", slices.Concat([]string{"netns", "exec", m.ns, path}, args)...)
	if err != nil {
		err = fmt.Errorf("machine %s: %w", m.name, err)
	}
	return out, err
}

// IP is the command ip about the machine: IP("route", "add", ...). It fails the
// test if the command does.
func (m *Machine) IP(args ...string) string {
	m.lab.t.Helper()
	out, err := run("", "ip", slices.Concat([]string{"-n", m.ns}, args)...)
	if err != nil {
		m.lab.t.Fatalf("lab: machine %s: %v", m.name, err)
	}
	return out
}

// Kill ends every process on the machine at once with SIGKILL, also what others
// have started, and returns when they are gone: a power failure but for the disk.
func (m *Machine) Kill() {
	if err := killAll(filepath.Join(netnsDir, m.ns)); err != nil {
		m.lab.t.Errorf("lab: kill machine %s: %v", m.name, err)
	}
	for _, p := range m.started() {
		p.Kill()
	}
}

// Pause stops all programs that were started on the machine, and returns when
// they stand still.
func (m *Machine) Pause() {
	list := m.started()
	for _, p := range list {
		p.Signal(syscall.SIGSTOP)
	}
	for _, p := range list {
		p.Pause()
	}
}

// Resume lets the programs that were paused go on.
func (m *Machine) Resume() {
	for _, p := range m.started() {
		p.Resume()
	}
}

// started are the processes that were started on the machine.
func (m *Machine) started() []*Process {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	var list []*Process
	for _, p := range m.lab.processes {
		if p.machine == m {
			list = append(list, p)
		}
	}
	return list
}
