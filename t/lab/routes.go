package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Route is a change that the kernel has made to a machine's routes.
type Route struct {
	Time    time.Time // when it was told
	Added   bool      // or replaced; else it is gone
	Prefix  netip.Prefix
	Gateway netip.Addr // of a route by one gateway; else the zero Addr
	Device  int        // its index, of a route by one device; else 0
	Metric  uint32
	Table   uint32 // 254 is the main one, 255 that of the machine's own addresses
	Origin  byte   // the protocol of rtnetlink(7): 2 the kernel, 4 the administrator, 12 BIRD
}

// maxRoutes bounds what a Routes keeps.
const maxRoutes = 1 << 20

// A Routes watches the routes of a machine.
type Routes struct {
	machine *Machine
	file    *os.File
	done    chan struct{}

	mu   sync.Mutex
	list []Route
	err  error
}

// Watch begins to watch the machine's routes; it ends with the lab.
func (m *Machine) Watch() *Routes {
	m.lab.t.Helper()
	f, err := m.openRoutes()
	if err != nil {
		m.lab.t.Fatalf("lab: watch the routes of %s: %v", m.name, err)
	}
	r := &Routes{machine: m, file: f, done: make(chan struct{})}
	m.lab.whenClosed(func() {
		_ = r.file.Close()
		<-r.done
	})
	go r.read()
	return r
}

// watchBuffer is the room for events that were not read yet, in octets: about
// 10,000 of them.
const watchBuffer = 8 << 20

// openRoutes opens the kernel's route events of a machine.
func (m *Machine) openRoutes() (*os.File, error) {
	fd := -1
	err := m.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer); err != nil {
			return err
		}
		const v4, v6 = 1 << (unix.RTNLGRP_IPV4_ROUTE - 1), 1 << (unix.RTNLGRP_IPV6_ROUTE - 1)
		return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: v4 | v6})
	})
	if err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), "routes of "+m.name), nil
}

// read keeps what the kernel tells, until the file is closed.
func (r *Routes) read() {
	defer close(r.done)
	buf := make([]byte, 1<<16)
	for {
		n, err := r.file.Read(buf)
		now := time.Now()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		var list []Route
		if err == nil {
			list, err = parseRoutes(buf[:n], now)
		}
		if err != nil {
			err = fmt.Errorf("read route events: %w", err)
		}
		r.mu.Lock()
		r.list = append(r.list, list...)
		if err == nil && len(r.list) > maxRoutes {
			err = fmt.Errorf("more than %d changes", maxRoutes)
		}
		r.err = err // such as ENOBUFS: the kernel has told more than there was room for
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Seen are all changes until now.
func (r *Routes) Seen() []Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// Wait returns the first change after that time that is wanted. It fails the
// test if there is none within the limit.
func (r *Routes) Wait(within time.Duration, after time.Time, wanted func(Route) bool) Route {
	r.machine.lab.t.Helper()
	var found Route
	at := 0
	err := until(within, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for ; at < len(r.list); at++ {
			if found = r.list[at]; found.Time.After(after) && wanted(found) {
				return nil
			}
		}
		return errors.Join(fmt.Errorf("not the route change that is waited for"), r.err)
	})
	if err != nil {
		r.machine.lab.t.Fatalf("lab: machine %s: not within %v: %v", r.machine.name, within, err)
	}
	return found
}

// errRoute: the kernel has told what is not understood.
var errRoute = errors.New("not a message about a route")

// parseRoutes reads the messages of rtnetlink(7) in b. The functions of package
// syscall for that panic where the padding after the last piece is missing.
func parseRoutes(b []byte, now time.Time) ([]Route, error) {
	var list []Route
	for len(b) > 0 {
		if len(b) < unix.SizeofNlMsghdr {
			return list, errRoute
		}
		kind := binary.NativeEndian.Uint16(b[4:])
		message, rest, ok := piece(b, uint64(binary.NativeEndian.Uint32(b)), unix.SizeofNlMsghdr)
		if !ok {
			return list, errRoute
		}
		b = rest
		if kind != unix.RTM_NEWROUTE && kind != unix.RTM_DELROUTE {
			continue
		}
		route, err := parseRoute(message)
		if err != nil {
			return list, err
		}
		route.Time, route.Added = now, kind == unix.RTM_NEWROUTE
		list = append(list, route)
	}
	return list, nil
}

// piece takes a piece of n octets with its header from b, and gives what is in
// it and what comes after it and its padding to four octets.
func piece(b []byte, n, header uint64) (in, rest []byte, ok bool) {
	size := uint64(len(b))
	if n < header || n > size {
		return nil, nil, false
	}
	return b[header:n], b[min((n+3)&^3, size):], true
}

// parseRoute reads what is in one message: a struct rtmsg and its attributes.
func parseRoute(b []byte) (Route, error) {
	if len(b) < unix.SizeofRtMsg {
		return Route{}, errRoute
	}
	family, bits, table, origin := b[0], int(b[1]), b[4], b[5]
	r := Route{Table: uint32(table), Origin: origin}
	dst := netip.IPv4Unspecified()
	switch family {
	case unix.AF_INET:
	case unix.AF_INET6:
		dst = netip.IPv6Unspecified()
	default:
		return Route{}, errRoute
	}
	for b = b[unix.SizeofRtMsg:]; len(b) >= unix.SizeofRtAttr; {
		kind := binary.NativeEndian.Uint16(b[2:])
		value, rest, ok := piece(b, uint64(binary.NativeEndian.Uint16(b)), unix.SizeofRtAttr)
		b = rest
		if !ok || !r.set(kind, value, &dst) {
			return Route{}, errRoute
		}
	}
	r.Prefix = netip.PrefixFrom(dst, bits)
	if !r.Prefix.IsValid() {
		return Route{}, errRoute
	}
	return r, nil
}

// set takes over an attribute of the route; dst is where it goes to.
func (r *Route) set(kind uint16, value []byte, dst *netip.Addr) (ok bool) {
	switch kind {
	case unix.RTA_DST:
		*dst, ok = netip.AddrFromSlice(value)
	case unix.RTA_GATEWAY:
		r.Gateway, ok = netip.AddrFromSlice(value)
	case unix.RTA_OIF:
		var n uint32
		n, ok = number(value)
		r.Device = int(n)
	case unix.RTA_PRIORITY:
		r.Metric, ok = number(value)
	case unix.RTA_TABLE:
		r.Table, ok = number(value)
	default:
		ok = true
	}
	return ok
}

// number reads a number of 32 bits as the kernel has it in memory.
func number(b []byte) (uint32, bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.NativeEndian.Uint32(b), true
}
