package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

// serveAll starts unbound with records of many kinds, and one name for each question that
// is compared: what unbound has not been asked before it asks itself for.
func serveAll(w *world) {
	var zone strings.Builder
	zone.WriteString(". 3600 SOA a.root. hostmaster.root. 1 7200 1800 1209600 300\n. 3600 NS a.root.\na.root. 3600 A " + upstream + "\n")
	fmt.Fprintf(&zone, "web.lan.example. 300 A %s\nweb.lan.example. 300 AAAA 2001:db8::53\n", upstream)
	zone.WriteString("only4.lan.example. 300 A 203.0.113.4\nn0.lan.example. 300 A 203.0.113.1\n")
	zone.WriteString("www.lan.example. 300 CNAME web.lan.example.\n")
	zone.WriteString("mail.lan.example. 300 MX 10 web.lan.example.\nmail.lan.example. 300 MX 20 only4.lan.example.\n")
	zone.WriteString("odd.lan.example. 300 TYPE65280 \\# 4 0a000001\nodd.lan.example. 300 CAA 0 issue \"ca.example\"\n")
	for i, size := range []int{100, 700, 1100, 4000} {
		fmt.Fprintf(&zone, "text%d.lan.example. 300 TXT%s\n", i, strings.Repeat(fmt.Sprintf(" %q", strings.Repeat("x", 100)), size/100))
	}
	write(w.t, filepath.Join(w.dir, "root.zone"), zone.String())
	w.startUnbound("n0.lan.example.", fmt.Sprintf("auth-zone:\n\tname: \".\"\n\tzonefile: %q\n\tfor-downstream: no\n\tfor-upstream: yes\n", filepath.Join(w.dir, "root.zone")))
}

// shapes are what clients make of a question.
var shapes = []struct {
	name   string
	change func(*dns.Msg)
}{
	{"plain", func(q *dns.Msg) { q.Extra = nil }},
	{"EDNS", func(q *dns.Msg) {}},
	{"EDNS of 512", func(q *dns.Msg) { q.IsEdns0().SetUDPSize(512) }},
	{"DO", func(q *dns.Msg) { q.IsEdns0().SetDo() }},
	{"CD", func(q *dns.Msg) { q.CheckingDisabled = true }},
	{"AD", func(q *dns.Msg) { q.AuthenticatedData = true }},
	{"padding", func(q *dns.Msg) { option(q, &dns.EDNS0_PADDING{Padding: make([]byte, 40)}) }},
	{"an unknown option", func(q *dns.Msg) { option(q, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("what?")}) }},
	{"a cookie", func(q *dns.Msg) { option(q, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}) }},
}

func option(q *dns.Msg, o dns.EDNS0) {
	q.IsEdns0().Option = append(q.IsEdns0().Option, o)
}

// compared are the questions.
var compared = []struct {
	name  string
	qtype uint16
}{
	{"web.lan.example.", dns.TypeA}, {"web.lan.example.", dns.TypeAAAA}, {"WeB.LaN.example.", dns.TypeA}, {"only4.lan.example.", dns.TypeAAAA},
	{"www.lan.example.", dns.TypeA}, {"mail.lan.example.", dns.TypeMX}, {"odd.lan.example.", 65280}, {"odd.lan.example.", dns.TypeCAA},
	{"web.lan.example.", dns.TypeHTTPS}, {"missing.lan.example.", dns.TypeA}, {"text0.lan.example.", dns.TypeTXT},
	{"text1.lan.example.", dns.TypeTXT}, {"text2.lan.example.", dns.TypeTXT}, {"text3.lan.example.", dns.TypeTXT},
}

// TestSameAnswers: a machine without members gets from its stub, in whatever way it asks
// and over UDP as over TCP, the answer that it gets from the name server, octet for octet.
func TestSameAnswers(t *testing.T) {
	w := newWorld(t, 1, options{serve: serveAll, args: []string{"-mode", "solo"}})
	m, n := w.members[0], 0
	for _, q := range compared {
		for _, s := range shapes {
			for _, network := range []string{"udp", "tcp"} {
				w.lab.Expect(patience, func() error { return m.same(network, q.name, q.qtype, s.change) })
				n++
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d answers were the same, octet for octet", n)
}

// same asks the stub and the server the same, and compares what they say.
func (m *member) same(network, name string, qtype uint16, change func(*dns.Msg)) error {
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(1232, false)
	change(q)
	question, err := q.Pack()
	if err != nil {
		return err
	}
	got, err := exchange(m.Machine, network, stub, question)
	if err != nil {
		return fmt.Errorf("the stub: %w", err)
	}
	want, err := exchange(m.Machine, network, upstream+":53", question)
	if err != nil {
		return fmt.Errorf("the server: %w", err)
	}
	if bytes.Equal(inTime(got, want), want) {
		return nil
	}
	var g, s dns.Msg
	return fmt.Errorf("%v over %s: the stub says (%v)\n%v\n%x\nthe server (%v)\n%v\n%x", q, network, g.Unpack(got), &g, got, s.Unpack(want), &s, want)
}

// inTime gives a response TTLs of another, where they are a second apart at most: each
// counts seconds from when it got the answer, and a second may pass between the two.
func inTime(b, other []byte) []byte {
	at, err := ttls(b)
	if err != nil || len(b) != len(other) {
		return b
	}
	b = bytes.Clone(b)
	for _, i := range at {
		ttl, is := int64(binary.BigEndian.Uint32(b[i:])), int64(binary.BigEndian.Uint32(other[i:]))
		if ttl-is <= 1 && is-ttl <= 1 {
			copy(b[i:i+4], other[i:])
		}
	}
	return b
}

// ttls finds where the TTLs of a response with one question stand.
func ttls(b []byte) (at []int, err error) {
	const header, typeAndClass = 12, 4
	_, n, err := dns.UnpackDomainName(b, header)
	for n += typeAndClass; err == nil && n < len(b); {
		var r dns.RR
		if r, n, err = dns.UnpackRR(b, n); err == nil && r.Header().Rrtype != dns.TypeOPT {
			at = append(at, n-int(r.Header().Rdlength)-2-4) // before the data and its length
		}
	}
	return at, err
}

// exchange sends a question as it is, and gives the answer as it is.
func exchange(from *lab.Machine, network, server string, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := from.Dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	b := make([]byte, 65535)
	if network == "udp" {
		if _, err := c.Write(question); err != nil {
			return nil, err
		}
		n, err := c.Read(b)
		return b[:n], err
	}
	if _, err := c.Write(append([]byte{byte(len(question) >> 8), byte(len(question))}, question...)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return nil, err
	}
	b = b[:int(b[0])<<8|int(b[1])]
	_, err = io.ReadFull(c, b)
	return b, err
}

// bothC asks the C library for both kinds of addresses in one call, as browsers do.
const bothC = `#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
	struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG | AI_CANONNAME, .ai_socktype = SOCK_STREAM}, *all;
	char text[64];
	int err = getaddrinfo(argv[1], "443", &hints, &all);
	if (err) {
		fprintf(stderr, "%s\n", gai_strerror(err));
		return 1;
	}
	for (struct addrinfo *a = all; a; a = a->ai_next) {
		void *at = a->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)a->ai_addr)->sin_addr
		                                   : (void *)&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr;
		puts(inet_ntop(a->ai_family, at, text, sizeof text));
	}
	return 0;
}
`

// bothJava asks the same, and then by Java's own DNS client, which reads resolv.conf. That
// asks for all types (ANY) when it is to find two, and such answers are kept by nobody.
const bothJava = `import java.net.InetAddress;
import java.util.Hashtable;
import javax.naming.directory.InitialDirContext;

class Both {
	public static void main(String[] args) throws Exception {
		for (InetAddress a : InetAddress.getAllByName(args[0])) System.out.println(a.getHostAddress());
		Hashtable<String, String> env = new Hashtable<>();
		env.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
		env.put("java.naming.provider.url", "dns:");
		for (String type : new String[] {"A", "AAAA"}) System.out.println(new InitialDirContext(env).getAttributes(args[0], new String[] {type}));
	}
}
`

// TestClients: programs as they are resolve both kinds of addresses by the stub, while the
// server answers and when it is dead, and so does what has only one kind.
func TestClients(t *testing.T) {
	w := newWorld(t, 3, options{serve: serveAll})
	serves := w.server.StartCommand(lab.Command{Path: "python3", Args: []string{"-m", "http.server", "--bind", "::", "80"}, Dir: t.TempDir()})
	programs := w.programs()
	for _, m := range w.members[:2] { // the first fills the others
		for _, name := range []string{"web.lan.example.", "only4.lan.example.", "www.lan.example."} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
				if _, err := m.ask(name, qtype); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	w.lab.Expect(patience, func() error {
		if serves.Ended() {
			t.Fatalf("the server of pages ended: %s", serves.Log())
		}
		_, err := w.members[0].Try("curl", "-sS", "-o", "/dev/null", "http://"+upstream+"/")
		return err
	})
	for _, state := range []string{"healthy", "down"} {
		if state == "down" {
			w.unbound.Pause()
		}
		w.upstreamIs(state)
		w.try(w.members[0], programs, state)
		w.goClient(w.members[1])
	}
}

// A program is one that resolves a name, and what it says then.
type program struct {
	line []string
	want []string
}

// programs are those that are installed.
func (w *world) programs() (all []program) {
	both := []string{upstream, "2001:db8::53"}
	c, java := filepath.Join(w.dir, "both"), filepath.Join(w.dir, "Both.java")
	write(w.t, c+".c", bothC)
	write(w.t, java, bothJava)
	if _, err := exec.LookPath("gcc"); err == nil {
		if out, err := exec.Command("gcc", "-o", c, c+".c").CombinedOutput(); err != nil {
			w.t.Fatalf("gcc: %v: %s", err, out)
		}
		all = append(all, program{[]string{c, "web.lan.example"}, both}, program{[]string{c, "www.lan.example"}, both},
			program{[]string{c, "only4.lan.example"}, []string{"203.0.113.4"}})
	}
	if _, err := exec.LookPath("javac"); err == nil {
		if out, err := exec.Command("javac", "-d", w.dir, java).CombinedOutput(); err != nil {
			w.t.Fatalf("javac: %v: %s", err, out)
		}
		all = append(all, program{[]string{"java", "-Xmx64m", "-cp", w.dir, "Both", "web.lan.example"}, []string{upstream + "\n", "A: " + upstream, "2001:db8:0:0:0:0:0:53"}})
	}
	for _, p := range []program{
		{[]string{"curl", "-sS", "-4", "http://web.lan.example/"}, []string{"Directory listing"}},
		{[]string{"curl", "-sS", "-6", "http://www.lan.example/"}, []string{"Directory listing"}},
		{[]string{"getent", "ahosts", "web.lan.example"}, both},
		{[]string{"dig", "+tries=1", "+ednsopt=65001:00", "web.lan.example"}, both[:1]},
		{[]string{"dig", "+tries=1", "+dnssec", "web.lan.example", "AAAA"}, both[1:]},
	} {
		if _, err := exec.LookPath(p.line[0]); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// try has the programs resolve on a machine.
func (w *world) try(m *member, programs []program, state string) {
	for _, p := range programs {
		began := time.Now()
		out, err := m.Try(p.line[0], p.line[1:]...)
		took := time.Since(began).Round(time.Millisecond)
		missing := slices.ContainsFunc(p.want, func(s string) bool { return !strings.Contains(out, s) })
		if err != nil || missing {
			w.t.Errorf("%s: %v (server %s): %v: %q, want %q", m.Name(), p.line, state, err, out, p.want)
		}
		w.t.Logf("server %s: %s: %v", state, strings.Join(append([]string{filepath.Base(p.line[0])}, p.line[1:]...), " "), took)
	}
}

// goClient has Go's own resolver ask the stub.
func (w *world) goClient(m *member) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) { return m.Dial(ctx, network, stub) }}
	addrs, err := r.LookupHost(w.t.Context(), "web.lan.example.")
	if slices.Sort(addrs); err != nil || !slices.Equal(addrs, []string{upstream, "2001:db8::53"}) {
		w.t.Errorf("%s: Go: %v, %v", m.Name(), addrs, err)
	}
}
