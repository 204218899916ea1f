package wire

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/peers"
)

// A toll is what became of many queries that are alike.
type toll struct {
	full, truncated, none int
	took                  time.Duration
}

// flood sends queries in small groups, so that no socket's buffer overflows, and
// counts the answers.
func flood(t *testing.T, addr, zone string, n int) (got toll) {
	t.Helper()
	c := dial(t, addr)
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(zone), dns.TypeSOA)
	began := time.Now()
	read := func(wait time.Duration) bool {
		c.SetReadDeadline(time.Now().Add(wait))
		m, err := c.ReadMsg()
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
			return false
		case err != nil:
			t.Fatal(err)
		case m.Truncated && len(m.Answer) == 0:
			got.truncated++
		default:
			got.full++
		}
		return true
	}
	for sent := 0; sent < n; {
		for range 25 {
			q.Id++
			if err := c.WriteMsg(q); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		for read(5 * time.Millisecond) {
		}
	}
	got.took = time.Since(began)
	for read(300 * time.Millisecond) {
	}
	got.none = n - got.full - got.truncated
	return got
}

// testLimitBesidePeers floods all servers, whose limit is 10 responses a second
// with slip 2: half of what is over the limit comes truncated, the other half
// not at all. We take turns; NSD and Knot DNS throw dice.
func testLimitBesidePeers(t *testing.T, bin string) {
	const sent, rate = 500, 10
	zones := map[string]string{"example.com": zoneText}
	for _, s := range []struct {
		name, zone string
		spread     int // percent
		start      func(t *testing.T) (addr string)
	}{
		{"namecast", base, 3, func(t *testing.T) string {
			return start(t, bin, "-rrl", "10/s", "-rrl-slip", "2").Words["dns"]
		}},
		{"nsd", "example.com", 30, func(t *testing.T) string {
			return peers.NSDTuned(t, zones, "rrl-ratelimit: 10", "rrl-slip: 2", "rrl-whitelist-ratelimit: 10").Addr
		}},
		{"knot", "example.com", 30, func(t *testing.T) string {
			return peers.KnotTuned(t, zones, map[string][]string{"mod-rrl": {"rate-limit: 10", "slip: 2"}}).Addr
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			got := flood(t, s.start(t), s.zone, sent)
			t.Logf("%d sent in %s: %d answered, %d truncated, %d silent", sent, got.took.Round(time.Millisecond), got.full, got.truncated, got.none)
			most := rate * (5 + int(got.took/time.Second)) // each counts its second its own way
			share := 100 * got.truncated / (got.truncated + got.none)
			if got.full < rate/2 || got.full > most || share < 50-s.spread || share > 50+s.spread {
				t.Errorf("%d%% of what is over the limit is truncated, %d answers are full: want half within %d%%, and %d", share, got.full, s.spread, most)
			}
		})
	}
}

// testWayOut brings honest clients through a flood from their own network: dig
// by TCP, or by a cookie.
func testWayOut(t *testing.T, bin string) {
	n := start(t, bin, "-rrl", "1/s", "-rrl-slip", "1")
	flood(t, n.Words["dns"], base, 50)
	n.check("dig", []saying{
		{"without a cookie", "dns", base + " SOA +nocookie", []string{"Truncated, retrying in TCP mode", "status: NOERROR", "ANSWER: 1", `\(TCP\)`}},
		{"with a cookie", "dns", base + " SOA +cookie", []string{"BADCOOKIE, retrying", "status: NOERROR", "ANSWER: 1", `\(UDP\)`}},
	})
	c := dial(t, n.Words["dns"])
	cookie := c.cookieOf(base)
	for range 100 {
		if a := c.ask(base, cookie); a.rcode != dns.RcodeSuccess {
			t.Fatalf("with a good cookie: %s", dns.RcodeToString[a.rcode])
		}
	}
	if n.Metric(n.t, `namecast_dns_rate_limited_total{result="truncated"}`) < 40 || n.Metric(n.t, `namecast_dns_rate_limited_total{result="badcookie"}`) < 1 ||
		n.Metric(n.t, `namecast_dns_rate_limited_total{result="dropped"}`) != 0 || n.Metric(n.t, `namecast_dns_responses_total{rcode="BADCOOKIE",transport="udp"}`) < 1 {
		t.Error("the metrics do not fit the flood")
	}
	out := n.ask("dns", "dig", strings.Fields("nothing.test A +nocookie +tries=1")...)
	if !strings.Contains(out, "REFUSED") {
		t.Errorf("an error, which has its own budget:\n%s", out)
	}
}
