package wire

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/peers"
)

// A client asks over one UDP socket.
type client struct {
	t *testing.T
	*dns.Conn
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := dns.DialTimeout("udp", addr, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t, c}
}

// An answer is what counts of one here.
type answer struct {
	rcode  int
	cookie string // hexadecimal
}

// mine is the client's cookie.
const mine = "2464c4abcf10c957"

// ask asks for a zone's SOA with a cookie, in hexadecimal.
func (c *client) ask(zone, cookie string) answer {
	c.t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(zone), dns.TypeSOA)
	q.SetEdns0(1232, false)
	q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie}}
	c.SetDeadline(time.Now().Add(limit))
	if err := c.WriteMsg(q); err != nil {
		c.t.Fatal(err)
	}
	m, err := c.ReadMsg()
	if err != nil {
		c.t.Fatal(err)
	}
	a := answer{rcode: m.Rcode}
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if o, is := o.(*dns.EDNS0_COOKIE); is {
				a.cookie = o.Cookie
			}
		}
	}
	return a
}

// cookieOf gets a cookie from the server.
func (c *client) cookieOf(zone string) string {
	c.t.Helper()
	a := c.ask(zone, mine)
	if len(a.cookie) != 48 || !strings.HasPrefix(a.cookie, mine+"01") {
		c.t.Fatalf("cookie %q, code %d", a.cookie, a.rcode)
	}
	return a.cookie
}

// statusOf tells what the node takes a cookie for.
func (n *node) statusOf(c *client, cookie string) string {
	n.t.Helper()
	before := map[string]int{}
	for _, status := range []string{"none", "malformed", "new", "bad", "good"} {
		before[status] = n.Metric(n.t, `namecast_dns_cookies_total{status="`+status+`"}`)
	}
	c.ask(base, cookie)
	for status, count := range before {
		if n.Metric(n.t, `namecast_dns_cookies_total{status="`+status+`"}`) > count {
			return status
		}
	}
	return "nothing"
}

// forge changes the last octet.
func forge(t *testing.T, cookie string) string {
	t.Helper()
	b, err := hex.DecodeString(cookie)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	return hex.EncodeToString(b)
}

const zoneText = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 1800 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"

// testCookiesOfPeers has BIND, Knot DNS and NSD take our cookies and us theirs,
// all with one secret (RFC 9018), as behind one anycast address.
func testCookiesOfPeers(t *testing.T, bin string) {
	n := start(t, bin)
	ours := dial(t, n.Words["dns"])
	zones := map[string]string{"example.com": zoneText}
	refuses := func(good, forged answer, _ string) bool {
		return good.rcode == dns.RcodeSuccess && forged.rcode == dns.RcodeBadCookie
	}
	for _, p := range []struct {
		name  string
		start func() *peers.Server
		// takes tells that a peer took a good cookie for good and a forged one
		// for bad, from its answers to both.
		takes func(good, forged answer, sent string) bool
	}{
		{"bind", func() *peers.Server {
			return peers.BINDTuned(t, zones, "answer-cookie yes", "cookie-algorithm siphash24", `cookie-secret "`+secret+`"`, "require-server-cookie yes")
		}, refuses},
		{"knot", func() *peers.Server {
			return peers.KnotTuned(t, zones, map[string][]string{"mod-cookies": {"secret: 0x" + secret, "badcookie-slip: 1"}})
		}, refuses},
		{"nsd", func() *peers.Server {
			return peers.NSDTuned(t, zones, "rrl-ratelimit: 0", "answer-cookie: yes", `cookie-secret: "`+secret+`"`)
		}, func(good, forged answer, sent string) bool {
			// It makes a new cookie for a bad one only, and for one that is old.
			return good.cookie == sent && forged.cookie != forge(t, sent) && len(forged.cookie) == 48
		}},
	} {
		t.Run(p.name, func(t *testing.T) {
			s := p.start()
			theirs := dial(t, s.Addr)
			cookie := theirs.cookieOf("example.com")
			if status := n.statusOf(ours, cookie); status != "good" {
				t.Errorf("%s: its cookie %s is %s here", s.Version, cookie, status)
			}
			if status := n.statusOf(ours, forge(t, cookie)); status != "bad" {
				t.Errorf("a forged cookie is %s here", status)
			}
			sent := ours.cookieOf(base)
			good, forged := theirs.ask("example.com", sent), theirs.ask("example.com", forge(t, sent))
			if !p.takes(good, forged, sent) {
				t.Errorf("%s: our cookie %s: answered %v, forged: %v\n%s", s.Version, sent, good, forged, s.Log())
			}
		})
	}
	// Another address is another client.
	other, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("udp", n.Words["dns"])
	if err != nil {
		t.Skipf("a second address of this machine: %v", err)
	}
	defer other.Close()
	if status := n.statusOf(&client{t, &dns.Conn{Conn: other}}, ours.cookieOf(base)); status != "bad" {
		t.Errorf("a cookie from another address is %s", status)
	}
}
