package wire

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func testDig(t *testing.T, bin string) {
	n := start(t, bin)
	n.check("dig", []saying{
		{"cookie", "dns", base + " SOA +cookie", []string{`COOKIE: [0-9a-f]{48} \(good\)`, "status: NOERROR"}},
		{"cookie over TCP", "dns", base + " SOA +cookie +tcp", []string{`COOKIE: [0-9a-f]{48} \(good\)`}},
		{"a server cookie of nobody", "dns", base + " SOA +cookie=0102030405060708aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", []string{`COOKIE: 010203040506070801000000[0-9a-f]{24} \(good\)`, "status: NOERROR"}},
		{"cookie of one octet", "dns", base + " SOA +nocookie +ednsopt=10:01", []string{"status: FORMERR", "OPT PSEUDOSECTION", "!COOKIE"}},
		{"name of the node", "dns", base + " SOA +nsid", []string{`NSID: .*\("node-1"\)`}},
		{"expire", "dns", base + " SOA +expire", []string{`EXPIRE: 1209600 \(2 weeks\)`}},
		{"expire of a name", "dns", host + " A +expire", []string{"!EXPIRE", "status: NOERROR"}},
		{"keepalive", "dns", base + " SOA +keepalive +tcp", []string{"TCP KEEPALIVE: 10.0 secs"}},
		{"keepalive over UDP", "dns", base + " SOA +keepalive", []string{"!KEEPALIVE", "status: NOERROR"}},
		{"padding in the clear", "dns", base + " SOA +padding=128 +tcp", []string{"!PAD", "status: NOERROR"}},
		{"not here", "dns", "www.outside.test A", []string{"status: REFUSED", `EDE: 20 \(Not Authoritative\)`}},
		{"not here, without EDNS", "dns", "www.outside.test A +noedns", []string{"status: REFUSED", "!EDE", "!OPT"}},
		{"another class", "dns", base + " SOA -c HS", []string{"status: REFUSED", `EDE: 21 \(Not Supported\)`}},
		{"notify", "dns", base + " SOA +opcode=notify", []string{"status: NOTIMP", `EDE: 21 \(Not Supported\)`}},
		{"a type nobody asks for", "dns", base + " TYPE128", []string{"status: FORMERR", "EDE: 30"}},
		{"EDNS version 1", "dns", base + " SOA +edns=1 +noednsneg", []string{"status: BADVERS", "EDNS: version: 0"}},
		{"an option nobody knows", "dns", base + " SOA +ednsopt=65001:00ff", []string{"status: NOERROR", "!; OPT=65001"}},
		{"ten on one connection", "dns", "+tcp +keepopen +short " + strings.Repeat(base+" SOA ", 10), []string{`(?s)^(ns1[^\n]*\n){10}$`}},
	})
	for name, least := range map[string]int{`dns_cookies_total{status="new"}`: 5, `dns_cookies_total{status="bad"}`: 1, `dns_cookies_total{status="malformed"}`: 1,
		`dns_options_total{option="ede"}`: 4, `dns_options_total{option="expire"}`: 1, `dns_options_total{option="keepalive"}`: 1} {
		if got := n.Metric(n.t, "namecast_"+name); got < least {
			t.Errorf("%s: %d, want %d at least", name, got, least)
		}
	}
}

func testKdig(t *testing.T, bin string) {
	n := start(t, bin)
	ca := " +tls-ca=" + n.cert + " +tls-hostname="
	n.check("kdig", []saying{
		{"TLS", "dot", base + " SOA +tls +nopadding", []string{`TLS session \(TLS1.3\)`, "status: NOERROR", "!PADDING"}},
		{"TLS, verified", "dot", base + " SOA" + ca + host, []string{`TLS session \(TLS1.3\)`, "status: NOERROR"}},
		{"TLS, verified for another name", "dot", base + " SOA" + ca + "ns2." + base, []string{"!status: NOERROR"}},
		{"padding", "dot", base + " SOA +tls +padding", []string{"PADDING: [0-9]+ B", "Received 468 B"}},
		{"padding of what is not here", "dot", "outside.test A +tls +padding +cookie", []string{"REFUSED", "Received 468 B", "EDE: 20", "COOKIE"}},
		{"padding in the clear", "dns", base + " SOA +tcp +padding", []string{"!PADDING", "status: NOERROR"}},
		{"cookie", "dns", base + " SOA +cookie", []string{`COOKIE: [0-9A-F]{48}`, "status: NOERROR"}},
		{"clear text where TLS is spoken", "dot", base + " SOA +tcp +retry=0 +timeout=3", []string{"!status: NOERROR"}},
		{"TLS where clear text is spoken", "dns", base + " SOA +tls +retry=0 +timeout=3", []string{"!status: NOERROR"}},
	})
	if n.Metric(n.t, `namecast_dns_tls_handshakes_total{result="full"}`) < 4 || n.Metric(n.t, `namecast_dns_options_total{option="padding"}`) != 3 || n.Metric(n.t, `namecast_dns_queries_total{transport="tls"}`) != 4 {
		t.Error("the metrics of TLS do not fit the questions")
	}
}

// testDNSPerf has many connections at once.
func testDNSPerf(t *testing.T, bin string) {
	n := start(t, bin)
	questions := write(t, filepath.Join(n.dir, "questions"), strings.Repeat(base+" SOA\n"+host+" A\nnot."+base+" A\n", 100))
	for mode, where := range map[string]string{"tls": "dot", "tcp": "dns"} {
		addr, port, _ := net.SplitHostPort(n.Words[where])
		out := run(t, "dnsperf", "-m", mode, "-s", addr, "-p", port, "-d", questions, "-c", "20", "-n", "5", "-e")
		if !strings.Contains(out, "Queries completed:    1500 (100.00%)") || strings.Contains(out, "SERVFAIL") {
			t.Errorf("%s:\n%s", mode, out)
		}
	}
}
