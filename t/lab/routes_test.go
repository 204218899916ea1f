package lab

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRoutes sees routes come and go.
func TestRoutes(t *testing.T) {
	t.Parallel()
	l := New(t)
	m := l.Machine("a")
	l.LAN("lan").Join(m, "10.0.0.1/24", "2001:db8::1/64")
	r := m.Watch()
	for _, c := range []struct{ prefix, gateway string }{
		{"192.0.2.0/24", "10.0.0.2"}, {"2001:db8:1::/48", "2001:db8::2"}, {"0.0.0.0/0", "10.0.0.2"},
	} {
		for _, added := range []bool{true, false} {
			before := time.Now()
			m.IP("route", map[bool]string{true: "add", false: "del"}[added], c.prefix, "via", c.gateway, "metric", "7")
			got := r.Wait(soon, before, func(r Route) bool { return r.Prefix == netip.MustParsePrefix(c.prefix) && r.Added == added })
			if took := time.Since(before); got.Time.Sub(before) > took {
				t.Errorf("the change was told after %v of %v", got.Time.Sub(before), took)
			}
			if got.Gateway != netip.MustParseAddr(c.gateway) || got.Metric != 7 || got.Table != 254 || got.Device == 0 {
				t.Errorf("the kernel tells %+v, want %+v", got, c)
			}
		}
	}
	if len(r.Seen()) < 6 {
		t.Errorf("seen: %v", r.Seen())
	}
}

func FuzzRoutes(f *testing.F) {
	route := []byte{
		44, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // struct nlmsghdr
		2, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, // struct rtmsg
		8, 0, 1, 0, 192, 0, 2, 0, // RTA_DST
		8, 0, 6, 0, 7, 0, 0, 0, // RTA_PRIORITY
	}
	list, err := parseRoutes(route, time.Time{})
	if err != nil || len(list) != 1 || list[0].Prefix.String() != "192.0.2.0/24" || list[0].Metric != 7 {
		f.Fatalf("routes %+v: %v", list, err)
	}
	f.Add(route)
	for i := range route {
		f.Add(route[:i])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, _ := parseRoutes(b, time.Time{})
		if len(list) > len(b)/unix.SizeofNlMsghdr {
			t.Errorf("%d routes in %d octets", len(list), len(b))
		}
		for _, r := range list {
			if !r.Prefix.IsValid() {
				t.Errorf("route %+v", r)
			}
		}
	})
}
