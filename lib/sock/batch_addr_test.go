package sock

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzSockaddr gives any octets for an address.
func FuzzSockaddr(f *testing.F) {
	family := func(n uint16, rest ...byte) []byte { return append(binary.NativeEndian.AppendUint16(nil, n), rest...) }
	f.Add([]byte{})
	f.Add(family(unix.AF_UNIX, 1, 2, 3))
	f.Add(family(unix.AF_INET, 0, 53, 127, 0, 0, 1))
	f.Add(family(unix.AF_INET6, []byte{1: 53, 6: 0xfe, 7: 0x80, 21: 1, 22: 7, 25: 0}...))
	f.Add(family(unix.AF_INET6, []byte{1: 53, 16: 0xff, 17: 0xff, 18: 127, 21: 1, 25: 0}...))
	f.Fuzz(func(t *testing.T, octets []byte) {
		var s sockaddr
		copy(s[:], octets)
		want, size := netip.AddrPort{}, 0
		switch binary.NativeEndian.Uint16(s[:]) {
		case unix.AF_INET:
			a, _ := netip.AddrFromSlice(s[4:8])
			want, size = netip.AddrPortFrom(a, uint16(s[2])<<8|uint16(s[3])), 16
		case unix.AF_INET6:
			a, _ := netip.AddrFromSlice(s[8:24])
			want, size = netip.AddrPortFrom(a, uint16(s[2])<<8|uint16(s[3])), 28
		}
		if s.addrPort() != want || s.size() != size {
			t.Errorf("%x: want %s, %d octets, got %s, %d", s, want, size, s.addrPort(), s.size())
		}
		if n, err := strconv.ParseUint(s.zone(), 10, 32); s.zone() != "" && (err != nil || n == 0 || size != 28) {
			t.Errorf("%x: zone %q", s, s.zone())
		}
	})
}
