package anycast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// A capture has the payloads of all UDP datagrams over IPv4 that have come to a
// port of a node.
type capture struct {
	file *os.File
	port uint16
	done chan struct{}

	mu   sync.Mutex
	list []datagram
}

// A datagram is one as it came.
type datagram struct {
	from    netip.Addr
	payload []byte
}

// capture begins to listen; it ends with the test.
func (n *node) capture(port uint16) *capture {
	n.w.t.Helper()
	fd := -1
	err := n.machine.Do(func() (err error) {
		kind := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_IP))
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(kind))
		return err
	})
	if err != nil {
		n.w.t.Fatalf("capture on %s: %v", n.name, err)
	}
	c := &capture{file: os.NewFile(uintptr(fd), "capture"), port: port, done: make(chan struct{})}
	n.w.t.Cleanup(func() {
		_ = c.file.Close()
		<-c.done
	})
	go c.read()
	return c
}

// read keeps what comes until the file is closed.
func (c *capture) read() {
	defer close(c.done)
	buf := make([]byte, 1<<16)
	for {
		n, err := c.file.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			continue // such as a device that went down
		}
		if d, ok := parseUDP(buf[:n], c.port); ok {
			c.mu.Lock()
			c.list = append(c.list, d)
			c.mu.Unlock()
		}
	}
}

// parseUDP takes a datagram out of an IPv4 packet that is whole.
func parseUDP(b []byte, port uint16) (d datagram, ok bool) {
	const header = 8
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != unix.IPPROTO_UDP {
		return d, false
	}
	size, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if size < 20 || total > len(b) || total < size+header || binary.BigEndian.Uint16(b[size+2:]) != port {
		return d, false
	}
	d.from = netip.AddrFrom4([4]byte(b[12:16]))
	d.payload = slices.Clone(b[size+header : total])
	return d, true
}

// from are the payloads that have come from a node, in their order.
func (c *capture) from(n *node) (list [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.list {
		if d.from == n.machine.Addr() {
			list = append(list, d.payload)
		}
	}
	return list
}

// inject sends payloads to a port of another node.
func (n *node) inject(to *node, port uint16, payloads ...[]byte) {
	n.w.t.Helper()
	conn, err := n.machine.ListenPacket("udp", ":0")
	if err != nil {
		n.w.t.Fatal(err)
	}
	defer conn.Close()
	addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.machine.Addr(), port))
	for _, p := range payloads {
		if _, err := conn.WriteTo(p, addr); err != nil {
			n.w.t.Fatal(fmt.Errorf("inject from %s: %w", n.name, err))
		}
	}
}
