package peer

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"namecast/t/lab"
)

// peerPort is where the daemons speak with each other.
const peerPort = 5390

// A nic is a device of a machine, for whole frames.
type nic struct {
	fd    int
	index int
	mac   net.HardwareAddr
}

var macText = regexp.MustCompile(`link/ether ([0-9a-f:]{17})`)

// openNIC opens a device for whole frames; the test closes it at its end.
func openNIC(t *testing.T, m *lab.Machine, device string) *nic {
	t.Helper()
	found := macText.FindStringSubmatch(m.IP("-o", "link", "show", device))
	if found == nil {
		t.Fatalf("%v: no device %s", m, device)
	}
	n := &nic{}
	n.mac, _ = net.ParseMAC(found[1])
	err := m.Do(func() error {
		dev, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		n.index = dev.Index
		all := int(htons(syscall.ETH_P_ALL))
		if n.fd, err = syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return syscall.Bind(n.fd, &syscall.SockaddrLinklayer{Protocol: htons(syscall.ETH_P_ALL), Ifindex: n.index})
	})
	if err != nil {
		t.Fatalf("%v: open %s: %v", m, device, err)
	}
	t.Cleanup(func() { syscall.Close(n.fd) })
	return n
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// A parcel is a UDP datagram with all that an attacker can choose of it.
type parcel struct {
	from, to netip.AddrPort
	ttl      byte
	data     []byte
}

// send puts a parcel on the wire, for the device with a MAC address; nil is that of the
// multicast group or broadcast that it goes to. A full queue is waited for.
func (n *nic) send(t *testing.T, p parcel, mac net.HardwareAddr) {
	t.Helper()
	if mac == nil {
		mac = groupMAC(p.to.Addr())
	}
	frame := append(append(append([]byte(nil), mac...), n.mac...), p.packet()...)
	for {
		err := syscall.Sendto(n.fd, frame, 0, &syscall.SockaddrLinklayer{Ifindex: n.index, Halen: 6})
		switch err {
		case nil:
			return
		case syscall.ENOBUFS, syscall.EAGAIN, syscall.EINTR:
			time.Sleep(time.Millisecond) // the device has no signal for its queue
		default:
			t.Fatal(err)
		}
	}
}

// groupMAC is the address on the wire of a multicast group (RFC 1112, RFC 2464), and else
// of all.
func groupMAC(a netip.Addr) net.HardwareAddr {
	b := a.AsSlice()
	switch {
	case a.Is4() && a.IsMulticast():
		return net.HardwareAddr{1, 0, 0x5e, b[1] & 0x7f, b[2], b[3]}
	case a.Is6() && a.IsMulticast():
		return net.HardwareAddr{0x33, 0x33, b[12], b[13], b[14], b[15]}
	}
	return net.HardwareAddr{255, 255, 255, 255, 255, 255}
}

// packet makes the frame's type and the IP packet of a parcel.
func (p parcel) packet() []byte {
	be := binary.BigEndian
	udp := be.AppendUint16(nil, p.from.Port())
	udp = be.AppendUint16(udp, p.to.Port())
	udp = be.AppendUint16(udp, uint16(8+len(p.data)))
	udp = append(append(udp, 0, 0), p.data...)
	from, to := p.from.Addr().AsSlice(), p.to.Addr().AsSlice()
	pseudo := append(append([]byte(nil), from...), to...)
	pseudo = append(be.AppendUint32(pseudo, uint32(len(udp))), 0, 0, 0, 17)
	be.PutUint16(udp[6:], checksum(append(pseudo, udp...)))
	if p.to.Addr().Is6() {
		head := append([]byte{0x86, 0xdd, 0x60, 0, 0, 0}, byte(len(udp)>>8), byte(len(udp)), 17, p.ttl)
		return append(append(append(head, from...), to...), udp...)
	}
	head := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, p.ttl, 17, 0, 0}
	head = append(append(head, from...), to...)
	be.PutUint16(head[2:], uint16(len(head)+len(udp)))
	be.PutUint16(head[10:], checksum(head))
	return append(append([]byte{8, 0}, head...), udp...)
}

// checksum is that of RFC 1071; of UDP never zero, which would mean that there is none.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if ^uint16(sum) == 0 {
		return 0xffff
	}
	return ^uint16(sum)
}

// A tap takes down what a machine sends.
type tap struct {
	*nic
	kept func(parcel) bool // datagrams that are remembered
	stop chan struct{}
	done chan struct{}

	mu   sync.Mutex
	sent map[netip.Addr]int // packets by where they went; not neighbour discovery or group reports
	said []parcel           // datagrams, the last of them
}

// maxSaid is how many datagrams a tap remembers.
const maxSaid = 4096

// tapOutgoing is a filter of the kernel: what the machine sends itself (packet(7),
// PACKET_OUTGOING), and nothing that comes in, however much that is.
var tapOutgoing = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0xfffff004}, // SKF_AD_OFF + SKF_AD_PKTTYPE
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: syscall.PACKET_OUTGOING},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
	{Code: unix.BPF_RET | unix.BPF_K},
}

// newTap begins to take down what a machine sends on its first network; it remembers
// datagrams of the peer port.
func newTap(t *testing.T, m *lab.Machine) *tap {
	t.Helper()
	return newTapOn(t, m, "eth0", func(pc parcel) bool { return pc.from.Port() == peerPort })
}

// newTapOn begins to take down what a machine sends by a device.
func newTapOn(t *testing.T, m *lab.Machine, device string, kept func(parcel) bool) *tap {
	t.Helper()
	p := &tap{nic: openNIC(t, m, device), kept: kept, stop: make(chan struct{}), done: make(chan struct{}), sent: map[netip.Addr]int{}}
	program := unix.SockFprog{Len: uint16(len(tapOutgoing)), Filter: &tapOutgoing[0]}
	if err := unix.SetsockoptSockFprog(p.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetsockoptTimeval(p.fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 50_000}); err != nil {
		t.Fatal(err)
	}
	go p.run()
	t.Cleanup(func() { close(p.stop); <-p.done })
	return p
}

func (p *tap) run() {
	defer close(p.done)
	b := make([]byte, 4096)
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		if n, _, err := syscall.Recvfrom(p.fd, b, 0); err == nil {
			p.note(b[:n])
		}
	}
}

// note takes a frame down.
func (p *tap) note(b []byte) {
	if len(b) < 14 {
		return
	}
	var pc parcel
	var src, dst netip.Addr
	var proto byte
	ip := b[14:]
	switch {
	case b[12] == 8 && b[13] == 0 && len(ip) >= 28:
		src, dst = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
		pc.ttl, proto, ip = ip[8], ip[9], ip[int(ip[0]&15)*4:]
	case b[12] == 0x86 && b[13] == 0xdd && len(ip) >= 48:
		src, dst = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
		pc.ttl, proto, ip = ip[7], ip[6], ip[40:]
		if proto == 58 && ip[0] >= 133 && ip[0] <= 143 {
			return // neighbour discovery and group reports (RFC 4861, RFC 3810)
		}
	default:
		return // ARP
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[dst]++
	if proto != 17 || len(ip) < 8 {
		return
	}
	pc.from = netip.AddrPortFrom(src, binary.BigEndian.Uint16(ip))
	pc.to = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(ip[2:]))
	if !p.kept(pc) {
		return
	}
	pc.data = append([]byte(nil), ip[8:]...)
	if p.said = append(p.said, pc); len(p.said) > maxSaid {
		p.said = p.said[1:]
	}
}

// datagrams are those that are remembered.
func (p *tap) datagrams() []parcel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]parcel(nil), p.said...)
}

// packets are how many were sent to each address.
func (p *tap) packets() map[netip.Addr]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[netip.Addr]int{}
	for a, n := range p.sent {
		all[a] = n
	}
	return all
}

// memory is what of a process is in memory, in octets.
func memory(t *testing.T, m *member) int64 {
	t.Helper()
	var kB int64
	text := m.Run("grep", "VmRSS", fmt.Sprintf("/proc/%d/status", m.peer.Pid()))
	if _, err := fmt.Sscanf(text, "VmRSS: %d kB", &kB); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return kB << 10
}
