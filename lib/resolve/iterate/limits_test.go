package iterate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// What cannot be resolved costs no more than it may, and ends.
func TestBudgets(t *testing.T) {
	many := func(format string, n int) (s string) {
		for i := range n {
			s += fmt.Sprintf(format+"\n", i, i+1)
		}
		return s
	}
	for _, c := range []struct {
		name, zone, ask string
		want            error
	}{
		{"aliases in a circle", "a CNAME b\nb CNAME a", "a.test", ErrBudget},
		{"a long chain of aliases", many("a%d CNAME a%d", 40), "a0.test", ErrBudget},
		{"a server that needs itself", "x NS ns.x", "www.x.test", ErrServers},
		{"servers that need each other", "x NS ns.y\ny NS ns.x", "www.x.test", ErrServers},
		{"many servers that are not there", many("x NS ns%d.y%d", 60), "www.x.test", ErrServers},
		{"delegation to this machine", "x NS ns.x\nns.x A 127.0.0.1", "www.x.test", ErrServers},
		{"delegation to nobody", "x NS ns.x\nns.x A 192.0.2.99", "www.x.test", ErrServers},
		{"delegation to who does not serve", "x NS ns.x\nns.x A 192.0.2.1", "www.x.test", ErrServers},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.rootAt("")
				w.serve("192.0.2.2", zoneOf("test", "ns.test.", "ns A 192.0.2.2\n"+c.zone))
				_, err := w.resolver(Options{}).Resolve(t.Context(), Question{Name: rr.MustName(c.ask), Type: dns.TypeA})
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if n := len(w.asked()); n > 100 {
					t.Errorf("%d queries", n)
				}
			})
		})
	}
}

// A chain of zones, each of whose servers is in the next, cannot be made to cost much.
func TestServersInACascade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rootAt("")
		var b strings.Builder
		for i := range 200 {
			for k := range 10 {
				fmt.Fprintf(&b, "z%d NS n%d.z%d\n", i, k, 10*i+k+1)
			}
		}
		w.serve("192.0.2.2", zoneOf("test", "ns.test.", "ns A 192.0.2.2\n"+b.String()))
		r := w.resolver(Options{})
		_, err := r.Resolve(t.Context(), Question{Name: rr.MustName("www.z0.test"), Type: dns.TypeA})
		if n := len(w.asked()); err == nil || n > 60 {
			t.Errorf("%d queries, error %v", n, err)
		}
	})
}

// With no way out for IPv6, its servers cost nothing after the first few.
func TestFamilyWithoutWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hints := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}
		glue := "test. NS ns.test.\nns.test. A 192.0.2.2\n"
		for i := range 30 {
			hints = append(hints, netip.MustParseAddrPort(fmt.Sprintf("[2001:db8::%d]:53", i+1)))
		}
		for i := range 7 {
			glue += fmt.Sprintf("ns.test. AAAA 2001:db8:1::%d\n", i+1)
		}
		w.serve("192.0.2.1", zoneOf(".", "a.root.", "a.root. A 192.0.2.1\n"+glue))
		w.serve("192.0.2.2", zoneOf("test", "ns.test.", "www A 198.51.100.1"))
		r := w.resolver(Options{Hints: hints})
		if got := resolve(t, r, "www.test", dns.TypeA); got != "NOERROR, www.test. A 198.51.100.1" {
			t.Errorf("got %s", got)
		}
		if n := len(w.asked()); n > 3+familyRefused {
			t.Errorf("%d queries", n)
		}
	})
}

// A lost datagram is sent again, and a slow server answers in the end.
func TestLossAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rootAt("")
		good := zoneOf("test", "ns.test.", "www A 198.51.100.1")
		n := 0
		w.at["192.0.2.2"] = func(q *dns.Msg) *dns.Msg {
			if n++; n%2 == 1 {
				return nil
			}
			return authority([][]dns.RR{good}, q)
		}
		r := w.resolver(Options{})
		began := time.Now()
		if got := resolve(t, r, "www.test", dns.TypeA); got != "NOERROR, www.test. A 198.51.100.1" {
			t.Errorf("with loss: %s", got)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a lost datagram cost %v", took)
		}
		w.serve("192.0.2.2", good)
		w.delay["192.0.2.2"] = 1300 * time.Millisecond
		if got := resolve(t, r, "www.test", dns.TypeAAAA); got != "NOERROR, test. SOA ns.test." {
			t.Errorf("with delay: %s", got)
		}
	})
}

func TestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.at["192.0.2.1"] = func(q *dns.Msg) *dns.Msg { return nil }
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := w.resolver(Options{}).Resolve(ctx, Question{Name: rr.MustName("www.test"), Type: dns.TypeA})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 300*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestRefusedQuestions(t *testing.T) {
	r := newWorld(t).resolver(Options{})
	for _, q := range []Question{
		{Name: "\x05ab", Type: dns.TypeA},
		{Name: rr.MustName("a"), Type: dns.TypeAXFR},
		{Name: rr.MustName("a"), Type: dns.TypeOPT},
		{Name: rr.MustName("a")},
	} {
		if _, err := r.Resolve(t.Context(), q); !errors.Is(err, ErrRefused) {
			t.Errorf("%q type %d: %v", q.Name, q.Type, err)
		}
	}
}
