package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstGiven is the first descriptor that a supervisor gives, and maxGiven how many it may.
const (
	firstGiven = 3
	maxGiven   = 64
)

// Sockets are those that a supervisor has opened for this process. They outlive it: what
// programs ask while it is started again waits in them.
type sockets struct {
	udp []*net.UDPConn
	tcp []net.Listener
}

// inherited takes the sockets over, as sd_listen_fds(3) has it: LISTEN_FDS of them, from
// descriptor 3 on, if LISTEN_PID is this process. What they are they say themselves, so
// LISTEN_FDNAMES is not regarded. Children get neither the sockets nor the variables.
func inherited() (s sockets, err error) {
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name) // fails only of names that cannot be one
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return s, nil // they are somebody else's
	}
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil || n > maxGiven {
		return s, fmt.Errorf("LISTEN_FDS is %q, no number up to %d", count, maxGiven)
	}
	for fd := firstGiven; fd < firstGiven+int(n); fd++ {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "socket "+strconv.Itoa(fd))
		err = errors.Join(err, s.add(f), f.Close())
	}
	if err != nil {
		s.close()
	}
	return s, err
}

// add takes a socket of UDP, or one of TCP that listens.
func (s *sockets) add(f *os.File) error {
	kind, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("the supervisor's %s: %w", f.Name(), err)
	}
	if kind == unix.SOCK_DGRAM {
		c, err := net.FilePacketConn(f)
		if err != nil {
			return fmt.Errorf("the supervisor's %s: %w", f.Name(), err)
		}
		if u, ok := c.(*net.UDPConn); ok {
			s.udp = append(s.udp, u)
			return nil
		}
		c.Close()
		return fmt.Errorf("the supervisor's %s is not one of UDP", f.Name())
	}
	l, err := net.FileListener(f)
	if err != nil {
		return fmt.Errorf("the supervisor's %s: %w", f.Name(), err)
	}
	if _, ok := l.(*net.TCPListener); ok {
		s.tcp = append(s.tcp, l)
		return nil
	}
	l.Close()
	return fmt.Errorf("the supervisor's %s is not one of TCP", f.Name())
}

func (s *sockets) close() {
	for _, c := range s.udp {
		c.Close()
	}
	for _, l := range s.tcp {
		l.Close()
	}
}

// missing are those of some addresses that are still to be opened. An answer that is too
// long for UDP is asked for again over TCP, so each address has to have both.
func (s *sockets) missing(addrs []string) (list []string, err error) {
	var udp, tcp []netip.AddrPort
	for _, c := range s.udp {
		udp = append(udp, plain(c.LocalAddr().(*net.UDPAddr).AddrPort()))
	}
	for _, l := range s.tcp {
		tcp = append(tcp, plain(l.Addr().(*net.TCPAddr).AddrPort()))
	}
	for _, a := range slices.Concat(udp, tcp) {
		if !slices.Contains(udp, a) || !slices.Contains(tcp, a) {
			return nil, fmt.Errorf("the supervisor has opened %v for one of UDP and TCP only: it has to be both", a)
		}
	}
	for _, text := range addrs {
		a, err := netip.ParseAddrPort(text)
		if err != nil || !slices.Contains(udp, a) {
			list = append(list, text)
		}
	}
	return list, nil
}

func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// openStub opens the stub's sockets, but for those that the supervisor has opened.
func (d *daemon) openStub() error {
	given, err := inherited()
	if err != nil {
		return err
	}
	addrs, err := given.missing(d.Listen)
	if err == nil {
		d.stub, err = listenStub(addrs, d.loop)
	}
	if err != nil {
		given.close()
		return err
	}
	d.stub.udp, d.stub.tcp = append(given.udp, d.stub.udp...), append(given.tcp, d.stub.tcp...)
	return nil
}
