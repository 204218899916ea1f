// Package sock opens the sockets of a node and answers datagrams from the address
// that they were sent to.
package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen opens TCP and UDP sockets at an address, "host:port" with a numeric
// host or none for all addresses: one TCP listener and as many UDP sockets as
// there are processors, between which the kernel spreads the clients. Port 0 is
// a free port, the same for all of them.
func Listen(addr string) (udp []*net.UDPConn, tcp []net.Listener, err error) {
	hosts, port, err := split(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	for range 20 { // a free TCP port may not be free for UDP
		udp, tcp, err = open(hosts, port)
		if err == nil || port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	return udp, tcp, nil
}

// ListenUDP opens one UDP socket at an address, or one of each family for all
// addresses. The port is this process's alone.
func ListenUDP(addr string) ([]*net.UDPConn, error) {
	hosts, port, err := split(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	var list []*net.UDPConn
	for i, host := range hosts {
		c, err := listenUDP(&net.ListenConfig{}, host, port)
		if i > 0 && noIPv6(err) {
			break
		}
		if err != nil {
			closeAll(list, nil)
			return nil, fmt.Errorf("listen on %q: %w", addr, err)
		}
		list = append(list, c)
		port = uint16(c.LocalAddr().(*net.UDPAddr).Port)
	}
	return list, nil
}

// ListenTCP opens a TCP listener at an address, or one of each family for all
// addresses.
func ListenTCP(addr string) ([]net.Listener, error) {
	hosts, port, err := split(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	var list []net.Listener
	for i, host := range hosts {
		l, err := net.Listen(family("tcp", host), netip.AddrPortFrom(host, port).String())
		if i > 0 && noIPv6(err) {
			break
		}
		if err != nil {
			closeAll(nil, list)
			return nil, fmt.Errorf("listen on %q: %w", addr, err)
		}
		list = append(list, l)
		port = uint16(l.Addr().(*net.TCPAddr).Port)
	}
	return list, nil
}

func listenUDP(lc *net.ListenConfig, host netip.Addr, port uint16) (*net.UDPConn, error) {
	c, err := lc.ListenPacket(context.Background(), family("udp", host), netip.AddrPortFrom(host, port).String())
	if err != nil {
		return nil, err
	}
	u := c.(*net.UDPConn)
	if err := errors.Join(noteDestination(u, host), growBuffers(u)); err != nil {
		u.Close()
		return nil, err
	}
	return u, nil
}

// bufferSize is the size of a socket's buffers in octets. The kernel counts some
// 800 octets for a small datagram and doubles the size: there is room for a
// burst of about 10000, which are answered in well under 100 ms.
const bufferSize = 4 << 20

// growBuffers makes a socket's buffers large, so that a burst is not lost, nor
// replies to some neighbours that do not exist hold up those to others. A process
// without privileges gets what the system allows, net.core.rmem_max and wmem_max,
// and is content.
func growBuffers(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, o[0], bufferSize) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, o[1], bufferSize)
			}
		}
	})
}

// split reads the address. All addresses are two, one of each family, so that
// neither takes what is the other's.
func split(addr string) (hosts []netip.Addr, port uint16, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, 0, err
	}
	p, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, 0, fmt.Errorf("bad port %q", text)
	}
	if host == "" {
		return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}, uint16(p), nil
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return nil, 0, fmt.Errorf("bad address %q", host)
	}
	return []netip.Addr{a}, uint16(p), nil
}

// open opens all sockets or none. TCP comes first: its port is this process's
// alone, whereas UDP sockets of two processes may share one.
func open(hosts []netip.Addr, port uint16) (udp []*net.UDPConn, tcp []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(udp, tcp)
		}
	}()
	share := net.ListenConfig{Control: sharePort}
	for i, host := range hosts {
		l, err := net.Listen(family("tcp", host), netip.AddrPortFrom(host, port).String())
		if i > 0 && noIPv6(err) {
			break
		}
		if err != nil {
			return udp, tcp, err
		}
		tcp = append(tcp, l)
		port = uint16(l.Addr().(*net.TCPAddr).Port)
		for range runtime.GOMAXPROCS(0) {
			c, err := listenUDP(&share, host, port)
			if err != nil {
				return udp, tcp, err
			}
			udp = append(udp, c)
		}
	}
	return udp, tcp, nil
}

func closeAll(udp []*net.UDPConn, tcp []net.Listener) {
	for _, c := range udp {
		c.Close()
	}
	for _, l := range tcp {
		l.Close()
	}
}

func family(network string, a netip.Addr) string {
	if a.Unmap().Is4() {
		return network + "4"
	}
	return network + "6"
}

// noIPv6 reports whether the machine has no IPv6, which is no fault where all
// addresses are asked for.
func noIPv6(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

func sharePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}
