package peer

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

// Of what a machine's nc-peer may take.
const (
	fullCache   = 50_000
	underWay    = 32 // questions of a flood at a time
	maxMemory   = 30_000
	maxShare    = 0.01   // of a core, at 50 questions a second
	hitsPerCore = 50_000 // a second
)

// A flood asks one server by one socket, with several questions under way, and as little
// work of its own as possible.
type flood struct {
	w    *world
	conn net.Conn
	msg  []byte
	buf  [4096]byte
	bad  int // answers without an address, and none at all
}

// flood makes that of a machine. Names are numbers below any.lan.example.
func (w *world) flood(m *lab.Machine, server string) *flood {
	w.t.Helper()
	conn, err := m.Dial(context.Background(), "udp", server)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	q := new(dns.Msg).SetQuestion("n00000000.any.lan.example.", dns.TypeA)
	q.SetEdns0(1232, false)
	msg, err := q.Pack()
	if err != nil {
		w.t.Fatal(err)
	}
	return &flood{w: w, conn: conn, msg: msg}
}

// send asks for a name by its number.
func (f *flood) send(n int) {
	for i := 21; i > 13; i, n = i-1, n/10 {
		f.msg[i] = '0' + byte(n%10)
	}
	if _, err := f.conn.Write(f.msg); err != nil {
		f.w.t.Fatal(err)
	}
}

// run asks until more says that it is enough; number is that of the i-th name.
func (f *flood) run(number func(i int) int, more func(sent int) bool) (answered int) {
	for sent, ended := 0, 0; ; {
		for ; sent-ended < underWay && more(sent); sent++ {
			f.send(number(sent))
		}
		if sent == ended {
			return answered
		}
		if ended%256 == 0 {
			f.conn.SetReadDeadline(time.Now().Add(3 * time.Second))
		}
		n, err := f.conn.Read(f.buf[:])
		switch {
		case err != nil: // all that was under way is lost
			f.bad += sent - ended
			ended = sent
			f.conn.SetReadDeadline(time.Now().Add(3 * time.Second))
		case n < 12 || f.buf[3]&0xf != 0 || f.buf[7] == 0:
			f.bad++
			ended++
		default:
			answered++
			ended++
		}
	}
}

// fill has a machine ask for names of which each is another.
func (w *world) fill(m *lab.Machine, names int) {
	w.t.Helper()
	f := w.flood(m, stub)
	n := f.run(func(i int) int { return i }, func(sent int) bool { return sent < names })
	if n < names*99/100 {
		w.t.Errorf("of %d names %d were found, %d not", names, n, f.bad)
	}
}

// hits asks for one name for a while, and gives the answers a second, and for how many
// seconds of a processor a process worked on each.
func (w *world) hits(m *lab.Machine, server string, pid int, d time.Duration) (rate, each float64) {
	w.t.Helper()
	f := w.flood(m, server)
	one := func(int) int { return 7 }
	f.run(one, func(sent int) bool { return sent == 0 })
	began, used := time.Now(), w.worked(pid)
	n := f.run(one, func(sent int) bool { return sent%64 != 0 || time.Since(began) < d })
	if f.bad > n/1000 {
		w.t.Errorf("of the questions to %s %d were answered, %d not", server, n, f.bad)
	}
	n = max(n, 1)
	return float64(n) / time.Since(began).Seconds(), (w.worked(pid) - used).Seconds() / float64(n)
}

// worked is for how long a process has had a processor.
func (w *world) worked(pid int) time.Duration {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		w.t.Fatal(err)
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const user, kernel, tick = 11, 12, 10 * time.Millisecond
	u, err1 := strconv.ParseInt(fields[user], 10, 64)
	k, err2 := strconv.ParseInt(fields[kernel], 10, 64)
	if err1 != nil || err2 != nil {
		w.t.Fatalf("%s", text)
	}
	return time.Duration(u+k) * tick
}

// resident is a process's memory in kB, and how much of it no file holds as well.
func (w *world) resident(pid int) (all, own int) {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch f[0] {
		case "VmRSS:":
			all, _ = strconv.Atoi(f[1])
		case "RssAnon:":
			own, _ = strconv.Atoi(f[1])
		}
	}
	return all, own
}

// neighbour starts an unbound beside a machine's nc-peer, to compare.
func (w *world) neighbour(m *lab.Machine) *lab.Process {
	w.t.Helper()
	conf := filepath.Join(w.dir, "neighbour.conf")
	write(w.t, conf, fmt.Sprintf(`server:
	interface: 127.0.0.1
	username: ""
	chroot: ""
	directory: %q
	pidfile: ""
	use-syslog: no
	do-not-query-localhost: no
	module-config: "iterator"
	num-threads: 1
remote-control:
	control-enable: no
forward-zone:
	name: "."
	forward-addr: %s
`, w.dir, upstream))
	p := m.Start("/usr/sbin/unbound", "-d", "-c", conf)
	w.lab.Expect(patience, func() error {
		_, err := ask(m, "127.0.0.1:53", name(0), dns.TypeA)
		return err
	})
	return p
}

// burden is what an nc-peer takes of its machine: R1.
func (w *world) burden() string {
	m, names, while, rush := w.members[0], 2000, 2*time.Second, time.Second/2
	if *judge {
		names, while, rush = fullCache, 20*time.Second, 3*time.Second
	}
	pid := m.peer.Pid()
	share := w.steady(m, while)
	unbound := w.neighbour(m.Machine)
	rate, each := w.hits(m.Machine, stub, pid, rush)
	theirs, eachOfThem := w.hits(m.Machine, "127.0.0.1:53", unbound.Pid(), rush)
	if err := unbound.Stop(); err != nil {
		w.t.Error(err)
	}
	before, _ := w.resident(pid)
	w.fill(m.Machine, names)
	all, own := w.resident(pid)
	if *judge {
		if share > maxShare {
			w.t.Errorf("50 questions a second take %.2f %% of a core", 100*share)
		}
		if 1/each < hitsPerCore {
			w.t.Errorf("%.0f local hits a second for each core", 1/each)
		}
		if all > maxMemory {
			w.t.Errorf("%d kB of memory, with %d names kept", all, names)
		}
	}
	return fmt.Sprintf(`
R1: %d kB of memory with some hundreds of names kept, %d kB with %d (bound 30,000), of which no file holds %d.
50 questions a second, of which five in six are hits, take %.2f %% of a core (bound 1 %%).
Local hits: %.0f a second by one client, %.1f µs of a processor each, that is %.0f a second and core (bound 50,000);
unbound beside it: %.0f a second, %.1f µs each; ratio %.1f.
`, before, all, names, own, 100*share, rate, 1e6*each, 1/each, theirs, 1e6*eachOfThem, each/eachOfThem)
}

// steady asks 50 questions a second, and gives the share of a core that nc-peer took.
func (w *world) steady(m *member, d time.Duration) float64 {
	own := w.client(m.Machine, stub)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	began, used := time.Now(), w.worked(m.peer.Pid())
	for i := 0; time.Since(began) < d; i++ {
		<-tick.C
		own.ask(name(20+i%20), dns.RcodeSuccess)
	}
	return (w.worked(m.peer.Pid()) - used).Seconds() / time.Since(began).Seconds()
}
