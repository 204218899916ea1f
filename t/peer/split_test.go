package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/t/lab"
)

// Of the company whose names have servers of their own.
const (
	corpServer = "192.0.2.54"
	corpAddr   = "203.0.112.10"
	corpName   = "www.corp.example."
)

// inside are names that are nobody else's business, with their types.
var inside = map[string]uint16{
	"printer.local.":             dns.TypeA,
	"nas.home.arpa.":             dns.TypeA,
	"hidden.onion.":              dns.TypeA,
	"build.test.":                dns.TypeA,
	"never.invalid.":             dns.TypeA,
	"wiki.internal.":             dns.TypeA,
	"fileserver.":                dns.TypeA,
	"9.2.168.192.in-addr.arpa.":  dns.TypePTR,
	"9.2.16.172.in-addr.arpa.":   dns.TypePTR,
	"9.2.99.100.in-addr.arpa.":   dns.TypePTR,
	"9.0.0.0.0.0.c.f.ip6.arpa.":  dns.TypePTR,
	"secret.by.flag.example.":    dns.TypeA,
	"alias.lan.example.":         dns.TypeA, // of one of these
	"deep.below.secret.example.": dns.TypeA,
}

// TestSplitNames: names of a domain that has servers of its own, as those of a VPN have,
// and names that are a machine's or a network's own, are on the wire between members in no
// message, whether their servers live or not, nor when the domain has no servers any more.
// Who has no such servers does not get the answers; who has goes on with its own copies.
func TestSplitNames(t *testing.T) {
	w := newWorld(t, 2, options{serve: serveInside, args: []string{"-secret", "flag.example,secret.example"}})
	corp := w.corp()
	for range 2 {
		w.join("-secret", "flag.example,secret.example").startRun(map[string]string{
			"systemd/resolve/resolv.conf": "nameserver " + upstream + "\n",
			"systemd/netif/links/2":       "DNS=" + corpServer + "\nROUTE_DOMAINS=corp.example\n",
		})
	}
	w.complete(4)
	var taps []*tap
	for _, m := range w.members {
		taps = append(taps, newTap(t, m.Machine))
	}
	worker, idle := w.members[2], w.members[3]
	w.asksInside(worker)
	w.tellsOwners(0, 8)
	t.Run("nothing of it is told", func(t *testing.T) { w.t = t; w.tellsNothing(taps, 8) })
	corp.Pause()
	w.unbound.Pause()
	t.Run("the own copy only", func(t *testing.T) { w.t = t; w.ownCopyOnly(worker, idle) })
	worker.losesDomain()
	t.Run("nor when it has no servers any more", func(t *testing.T) { w.t = t; w.tellsNothing(taps, 8) })
	plain := w.members[0]
	if a, err := plain.ask(corpName, dns.TypeA); err != nil || a.address() != "" {
		t.Errorf("%s has %s of a domain that it knows nothing of: %v", plain.Name(), a.address(), err)
	}
	t.Run("nor to who asks for it", func(t *testing.T) { w.t = t; w.tellsNothing(taps[2:], 0) })
}

// losesDomain takes the domain's servers from a machine, as when a VPN ends, and has it go
// on asking.
func (m *member) losesDomain() {
	t := m.w.t
	t.Helper()
	if err := os.Remove(filepath.Join(m.run(), "systemd/netif/links/2")); err != nil {
		t.Fatal(err)
	}
	m.w.lab.Expect(patience, func() error {
		out, _ := m.status("upstream")
		if strings.Contains(out, corpServer) {
			return fmt.Errorf("the domain still has servers:\n%s", out)
		}
		return nil
	})
	for range 3 {
		if a, err := m.ask(corpName, dns.TypeA); err != nil || a.address() != "" {
			t.Errorf("without the domain's servers: %v, %s %s", err, a.address(), a.told())
		}
	}
}

// asksInside has a machine ask for all that is to stay with it, and has all ask for what is
// to be told.
func (w *world) asksInside(m *member) {
	for i := range 8 {
		w.members[i%len(w.members)].has(i)
	}
	for range 2 { // again, from what is kept
		if a, err := m.ask(corpName, dns.TypeA); err != nil || a.address() != corpAddr {
			w.t.Errorf("%s: %v, %s %s", corpName, err, a.address(), a.told())
		}
		if a, err := m.ask("nothing.corp.example.", dns.TypeA); err != nil || a.Rcode != dns.RcodeNameError {
			w.t.Errorf("nothing.corp.example: %v, %s", err, a.told())
		}
		for name, typ := range inside {
			if _, err := m.ask(name, typ); err != nil {
				w.t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// ownCopyOnly: the servers are dead. A machine that has asked before gives its copies on,
// and nobody else has them.
func (w *world) ownCopyOnly(worker, idle *member) {
	w.lab.Expect(patience, func() error { // its time has to be over
		a, err := worker.ask(corpName, dns.TypeA)
		if err == nil && (a.address() != corpAddr || !strings.Contains(a.told(), "EDE 3 ")) {
			err = fmt.Errorf("%s: %s, %s", corpName, a.address(), a.told())
		}
		return err
	})
	a, err := worker.ask(corpName, dns.TypeA)
	if err != nil || a.address() != corpAddr {
		w.t.Errorf("%s once more: %v, %s", corpName, err, a.told())
	}
	w.t.Logf("%s after %v: %s", corpName, a.took, a.told())
	if a, err := idle.ask(corpName, dns.TypeA); err != nil || a.Rcode != dns.RcodeServerFailure {
		w.t.Errorf("%s, which has not asked: %v, %s %s", idle.Name(), err, a.address(), a.told())
	}
	if a := w.members[0].has(2); fresh(a) == nil {
		w.t.Errorf("the name server is not dead: %s", a.told())
	}
}

// tellsNothing opens all that was said, and looks that the public names are in it, at
// least so many, and no other.
func (w *world) tellsNothing(taps []*tap, public int) {
	w.t.Helper()
	told, messages := map[string]bool{}, w.said(taps)
	for _, m := range messages {
		for _, name := range namesIn(w.t, m) {
			told[name] = true
		}
	}
	count := 0
	for name := range told {
		if strings.HasSuffix(name, ".lan.example.") {
			count++
		} else if name != "." && !strings.HasSuffix(name, ".root.") { // of the zone's SOA
			w.t.Errorf("%s is on the wire", name)
		}
	}
	w.t.Logf("%d messages with %d public names", len(messages), count)
	if count < public {
		w.t.Errorf("only %d public names were told, so that nothing is shown", count)
	}
}

// said are the messages that were overheard, as who has the group's key reads them.
func (w *world) said(taps []*tap) (all []*packet.Message) {
	w.t.Helper()
	keys, parts := w.keys(), new(packet.Assembler)
	for _, p := range taps {
		for _, d := range p.datagrams() {
			m, err := keys.Open(d.data)
			if err == nil {
				if _, ok := m.Body.(*packet.Fragment); ok {
					m, err = parts.Add(time.Second, m)
				}
			}
			if err != nil {
				w.t.Errorf("%v to %v: %v", d.from, d.to, err)
			} else if m != nil {
				all = append(all, m)
			}
		}
	}
	return all
}

// namesIn are all names in a message that are looked up or answered.
func namesIn(t *testing.T, m *packet.Message) (names []string) {
	var records []*packet.Record
	switch b := m.Body.(type) {
	case *packet.Ask:
		return []string{b.Name.FQDN()}
	case *packet.Answer:
		if b.Record != nil {
			records = append(records, b.Record)
		}
	case *packet.Put:
		records = b.Records
	}
	for _, r := range records {
		var d dns.Msg
		if err := d.Unpack(r.Msg); err != nil {
			t.Errorf("%T: %v", m.Body, err)
			continue
		}
		for _, q := range d.Question {
			names = append(names, strings.ToLower(q.Name))
		}
		for _, x := range slices.Concat(d.Answer, d.Ns, d.Extra) {
			if x.Header().Rrtype != dns.TypeOPT {
				names = append(names, namesOf(x)...)
			}
		}
	}
	return names
}

// namesOf are the names in a record.
func namesOf(x dns.RR) []string {
	names := []string{strings.ToLower(x.Header().Name)}
	for _, word := range strings.Fields(strings.TrimPrefix(x.String(), x.Header().String())) {
		if strings.HasSuffix(word, ".") {
			names = append(names, strings.ToLower(word))
		}
	}
	return names
}

// serveInside is a name server that has something of everything.
func serveInside(w *world) {
	text := "server:\n"
	for i := range 100 {
		text += fmt.Sprintf("\tlocal-zone: %q static\n\tlocal-data: \"%s 2 A %s\"\n", name(i), name(i), address(i))
	}
	for name, typ := range inside {
		data := "A 203.0.112.77"
		switch {
		case typ == dns.TypePTR:
			data = "PTR host.lan.example."
		case strings.HasPrefix(name, "alias"):
			data = "CNAME nas.home.arpa."
		}
		text += fmt.Sprintf("\tlocal-zone: %q static\n\tlocal-data: \"%s 2 %s\"\n", name, name, data)
	}
	text += "\tlocal-zone: \".\" static\n\tlocal-data: \". 2 SOA a.root. b.root. 1 7200 1800 1209600 2\"\n\tlocal-data: \". 2 NS a.root.\"\n"
	w.startUnbound(name(0), text)
}

// corp starts the name server of a domain of a company.
func (w *world) corp() *lab.Process {
	w.t.Helper()
	w.server.IP("addr", "add", corpServer+"/24", "dev", "eth0")
	conf := filepath.Join(w.dir, "corp.conf")
	write(w.t, conf, fmt.Sprintf(`server:
	interface: %s
	access-control: 0.0.0.0/0 allow
	username: ""
	chroot: ""
	directory: %q
	pidfile: ""
	use-syslog: no
	module-config: "iterator"
	num-threads: 1
	local-zone: "corp.example." static
	local-data: "corp.example. 2 SOA a.corp.example. b.corp.example. 1 7200 1800 1209600 2"
	local-data: "%s 2 A %s"
remote-control:
	control-enable: no
`, corpServer, w.dir, corpName, corpAddr))
	p := w.server.Start("/usr/sbin/unbound", "-d", "-c", conf)
	w.lab.Expect(patience, func() error {
		_, err := ask(w.server, corpServer+":53", corpName, dns.TypeA)
		return err
	})
	return p
}

// run is the folder that stands for /run on a machine that startRun has started.
func (m *member) run() string { return filepath.Join(m.w.dir, m.Name()+"-run") }

// startRun starts the machine's nc-peer with files of its own in /run, by which it finds
// its name servers.
func (m *member) startRun(files map[string]string) {
	m.w.t.Helper()
	for path, text := range files {
		path = filepath.Join(m.run(), path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			m.w.t.Fatal(err)
		}
		write(m.w.t, path, text)
	}
	args := []string{"-c", `mount --bind "$0" /run && exec "$@"`, m.run(), filepath.Join(m.w.bin, "nc-peer"),
		"-key", m.w.key, "-db", m.dir, "-listen", stub, "-show-names"}
	m.peer = m.StartCommand(lab.Command{Path: "/bin/sh", Args: append(args, m.args...), Name: "nc-peer-" + m.Name()})
	m.peer.WaitFor(patience, "msg=ready")
}
