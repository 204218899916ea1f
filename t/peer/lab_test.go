package peer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
	"namecast/t/tools"
)

const (
	upstream = "192.0.2.53" // the name server of the network
	stub     = "127.0.0.35:53"
	patience = 30 * time.Second // for what has no time of its own
)

// A world is a network of machines, each with an nc-peer, and one name server.
type world struct {
	t       *testing.T
	lab     *lab.Lab
	lan     *lab.Net
	bin     string
	dir     string
	key     string // file of the group's key
	server  *lab.Machine
	unbound *lab.Process
	members []*member
}

// A member is a machine with an nc-peer.
type member struct {
	*lab.Machine
	w    *world
	addr string
	dir  string
	args []string
	peer *lab.Process
}

// Options of a world; the zero value has IPv4 and IPv6.
type options struct {
	names int      // that the server has: n0.lan.example and so on; default 100
	ttl   int      // of them, in seconds; default 2
	args  []string // more of nc-peer's

	serve func(*world) // starts the server, if it is to have other names
}

// newWorld makes a network of n machines whose nc-peer is ready, and of which each
// sees all.
func newWorld(t *testing.T, n int, o options) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts many programs")
	}
	w := &world{t: t, lab: lab.New(t), bin: tools.Build(t, "nc-peer"), dir: t.TempDir()}
	w.lan = w.lab.LAN("lan")
	w.server = w.lab.Machine("server")
	w.lan.Join(w.server, upstream+"/24", "2001:db8::53/64")
	if o.serve == nil {
		o.serve = func(w *world) { w.serve(max(o.names, 100), max(o.ttl, 2)) }
	}
	o.serve(w)
	w.key = filepath.Join(w.dir, "group.key")
	w.server.Run(filepath.Join(w.bin, "nc-keygen"), "-group", "lab", "-o", w.key)
	for range n {
		w.join(o.args...).start()
	}
	w.complete(n)
	return w
}

// join makes a machine; its nc-peer does not run yet.
func (w *world) join(args ...string) *member {
	w.t.Helper()
	i := len(w.members) + 1
	m := &member{Machine: w.lab.Machine(fmt.Sprintf("m%d", i)), w: w, addr: fmt.Sprintf("192.0.2.%d", 100+i), args: args}
	w.lan.Join(m.Machine, m.addr+"/24", fmt.Sprintf("2001:db8::%d/64", 100+i))
	m.dir = filepath.Join(w.dir, m.Name())
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	m.Etc("resolv.conf", "nameserver 127.0.0.35\noptions edns0 trust-ad\n")
	w.members = append(w.members, m)
	return m
}

// start starts the machine's nc-peer and returns when its stub answers.
func (m *member) start() {
	m.w.t.Helper()
	args := append([]string{"-key", m.w.key, "-db", m.dir, "-listen", stub, "-upstream", upstream, "-show-names"}, m.args...)
	m.peer = m.StartCommand(lab.Command{Path: filepath.Join(m.w.bin, "nc-peer"), Args: args, Name: "nc-peer-" + m.Name()})
	m.peer.WaitFor(patience, "msg=ready")
}

// status is what "nc-peer -status" writes for words.
func (m *member) status(words ...string) (string, error) {
	return m.Try(filepath.Join(m.w.bin, "nc-peer"), append([]string{"-status", "-db", m.dir}, words...)...)
}

// complete waits until every member sees so many that live, itself among them.
func (w *world) complete(n int) {
	w.t.Helper()
	for _, m := range w.members {
		if m.peer == nil || m.peer.Ended() {
			continue
		}
		w.lab.Expect(patience, func() error {
			out, err := m.status("peers")
			if live := strings.Count(out, " live\n") + strings.Count(out, " self\n"); err == nil && live != n {
				err = fmt.Errorf("%s sees %d members, want %d:\n%s", m.Name(), live, n, out)
			}
			return err
		})
	}
}

// upstreamIs waits until the members that run think so of their server. Who has nothing
// to ask does not find that it is dead, so all ask.
func (w *world) upstreamIs(state string) {
	w.t.Helper()
	for _, m := range w.members {
		w.lab.Expect(patience, func() error {
			m.ask(fmt.Sprintf("x%d.lan.example.", rand.Uint32()), dns.TypeA)
			out, _ := m.status("upstream")
			if !strings.Contains(out, " "+state+" ") {
				return fmt.Errorf("%s: want %s:\n%s", m.Name(), state, out)
			}
			return nil
		})
	}
}

// serve starts unbound with names that only it has; all others do not exist.
func (w *world) serve(names, ttl int) {
	w.t.Helper()
	var zone strings.Builder
	fmt.Fprintf(&zone, ". 3600 SOA a.root. hostmaster.root. 1 7200 1800 1209600 %d\n. 3600 NS a.root.\na.root. 3600 A %s\n", ttl, upstream)
	for i := range names {
		fmt.Fprintf(&zone, "%s %d A %s\n", name(i), ttl, address(i))
		fmt.Fprintf(&zone, "%s %d AAAA 2001:db8:ffff::%x\n", name(i), ttl, i)
	}
	write(w.t, filepath.Join(w.dir, "root.zone"), zone.String())
	w.startUnbound(name(0), fmt.Sprintf(`auth-zone:
	name: "."
	zonefile: %q
	for-downstream: no
	for-upstream: yes
`, filepath.Join(w.dir, "root.zone")))
}

// startUnbound starts unbound with what else its configuration is to have, and returns
// when it has a name's address.
func (w *world) startUnbound(name, more string) {
	w.t.Helper()
	program := "/usr/sbin/unbound"
	if _, err := os.Stat(program); err != nil {
		w.t.Skip("unbound is not installed (Debian's package unbound)")
	}
	write(w.t, filepath.Join(w.dir, "unbound.conf"), fmt.Sprintf(`server:
	interface: %s
	access-control: 0.0.0.0/0 allow
	username: ""
	chroot: ""
	directory: %q
	pidfile: ""
	use-syslog: no
	module-config: "iterator"
	num-threads: 1
	local-zone: "any.lan.example." redirect
	local-data: "any.lan.example. 3600 A 203.0.112.1"
remote-control:
	control-enable: no
%s`, upstream, w.dir, more))
	w.unbound = w.server.Start(program, "-d", "-c", filepath.Join(w.dir, "unbound.conf"))
	w.lab.Expect(patience, func() error {
		_, err := ask(w.server, upstream+":53", name, dns.TypeA)
		return err
	})
}

func name(i int) string { return fmt.Sprintf("n%d.lan.example.", i) }

func address(i int) string {
	return netip.AddrFrom4([4]byte{203, 0, 113 + byte(i/250), byte(1 + i%250)}).String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// An answer is what came of a question.
type answer struct {
	*dns.Msg
	took time.Duration
}

// ask asks a server from a machine, over UDP, once, a question to which more may be done.
func ask(from *lab.Machine, server, name string, qtype uint16, more ...func(*dns.Msg)) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	conn, err := from.Dial(ctx, "udp", server)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	q := new(dns.Msg)
	q.SetQuestion(name, qtype)
	q.Id = uint16(rand.Uint32())
	q.SetEdns0(1232, false)
	for _, f := range more {
		f(q)
	}
	conn.SetDeadline(time.Now().Add(11 * time.Second))
	c := &dns.Conn{Conn: conn, UDPSize: 4096}
	began := time.Now()
	if err := c.WriteMsg(q); err != nil {
		return answer{}, err
	}
	m, err := c.ReadMsg()
	if err == nil && m.Id != q.Id {
		err = fmt.Errorf("the reply has id %d, the question %d", m.Id, q.Id)
	}
	return answer{m, time.Since(began)}, err
}

// ask asks the machine's own stub.
func (m *member) ask(name string, qtype uint16, more ...func(*dns.Msg)) (answer, error) {
	return ask(m.Machine, stub, name, qtype, more...)
}

// has asks the stub for a name's address and fails if it is not right.
func (m *member) has(i int) answer {
	m.w.t.Helper()
	a, err := m.ask(name(i), dns.TypeA)
	switch {
	case err != nil:
		m.w.t.Errorf("%s: %s: %v", m.Name(), name(i), err)
	case a.address() != address(i):
		m.w.t.Errorf("%s: %s is %q (%s), want %s", m.Name(), name(i), a.address(), a.told(), address(i))
	}
	return a
}

// address is the one in the answer; "" if there is none.
func (a answer) address() string {
	if a.Msg == nil || len(a.Answer) != 1 {
		return ""
	}
	if r, ok := a.Answer[0].(*dns.A); ok {
		return r.A.String()
	}
	return ""
}

// told is the code of the answer and its extended errors.
func (a answer) told() string {
	if a.Msg == nil {
		return "no answer"
	}
	text := dns.RcodeToString[a.Rcode]
	if o := a.IsEdns0(); o != nil {
		for _, e := range o.Option {
			if e, ok := e.(*dns.EDNS0_EDE); ok {
				text += fmt.Sprintf(", EDE %d %q", e.InfoCode, e.ExtraText)
			}
		}
	}
	return text
}
