package sock

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// A sockaddr is struct sockaddr_in or sockaddr_in6 as the kernel writes it: the
// family in the machine's order of octets, the port and the address in that of
// the network, and in an IPv6 address the number of the interface last.
type sockaddr [unix.SizeofSockaddrInet6]byte

// addrPort is the address without its zone, or the zero AddrPort of what is
// neither family.
func (s *sockaddr) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(s[2:])
	switch s.family() {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[4:])), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(s[8:])), port)
	}
	return netip.AddrPort{}
}

// zone is the number of the interface that a link-local address belongs to,
// else nothing.
func (s *sockaddr) zone() string {
	id := binary.NativeEndian.Uint32(s[24:])
	if s.family() != unix.AF_INET6 || id == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(id), 10)
}

func (s *sockaddr) family() uint16 { return binary.NativeEndian.Uint16(s[:]) }

// size is the length of the structure, 0 of what is neither family.
func (s *sockaddr) size() int {
	switch s.family() {
	case unix.AF_INET:
		return unix.SizeofSockaddrInet4
	case unix.AF_INET6:
		return unix.SizeofSockaddrInet6
	}
	return 0
}
