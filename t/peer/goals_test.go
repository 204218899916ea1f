package peer

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

var (
	trials = flag.Int("trials", 3, "how often the name server dies in TestGoals")
	judge  = flag.Bool("judge", false, "goals that are missed fail TestGoals; for a machine with nothing else to do")
	output = flag.String("write", "", "file for the table of TestGoals, or of TestSame, in Markdown")
)

// A goal is a line of the table.
type goal struct {
	what       string
	measured   []time.Duration
	p50, p99   time.Duration // bounds; 0: none
	comparison string
}

// TestGoals measures what a user feels, and prints it beside the goals. By itself it only
// shows that each can be measured; with -judge it fails when one is missed.
func TestGoals(t *testing.T) {
	w := newWorld(t, 4, options{names: 2000, ttl: 2})
	hits, direct, miss := w.healthy()
	first, down, held, none, back := w.dying()
	extra := max(quantile(miss, 0.5)-quantile(direct, 0.5), 0)
	goals := []goal{
		{"L1 the name server lives, a local hit", hits, 200 * time.Microsecond, time.Millisecond, "directly from unbound below"},
		{"   directly from unbound", direct, 0, 0, ""},
		{"L2 a miss", miss, 0, 0, fmt.Sprintf("%v more than directly at p50 (bound 300µs)", extra)},
		{"L3 first known lookup after a silent death", first, 0, 100 * time.Millisecond, "glibc 10 s"},
		{"L4 afterwards, a name that others have", held, 500 * time.Microsecond, 5 * time.Millisecond, ""},
		{"L5 afterwards, a name that nobody has", none, 0, 50 * time.Millisecond, "glibc 10 s"},
		{"L6 until the death is known", down, 0, time.Second, ""},
		{"   until it is back", back, 0, 2 * time.Second, ""},
	}
	table := w.table(goals)
	if *judge && extra > 300*time.Microsecond {
		t.Errorf("a miss takes %v more than without nc-peer", extra)
	}
	table += w.quiet() + w.burden()
	t.Logf("\n%s", table)
	if *output != "" {
		write(t, *output, "# What a user of nc-peer feels\n\nFour machines and unbound on one bridge. Written by `go test ./t/peer -run TestGoals`.\n\n"+table)
	}
}

// table is the goals as Markdown.
func (w *world) table(goals []goal) string {
	var b strings.Builder
	b.WriteString("| goal | n | p50 | p99 | bound p50 | bound p99 | beside |\n|---|---:|---:|---:|---:|---:|---|\n")
	for _, g := range goals {
		p50, p99 := quantile(g.measured, 0.5), quantile(g.measured, 0.99)
		bound := func(d time.Duration) string {
			if d == 0 {
				return ""
			}
			return d.String()
		}
		fmt.Fprintf(&b, "| %s | %d | %v | %v | %s | %s | %s |\n", g.what, len(g.measured), p50.Round(time.Microsecond), p99.Round(time.Microsecond),
			bound(g.p50), bound(g.p99), g.comparison)
		if *judge && (g.p50 > 0 && p50 > g.p50 || g.p99 > 0 && p99 > g.p99) {
			w.t.Errorf("%s: p50 %v, p99 %v", g.what, p50, p99)
		}
	}
	return b.String()
}

// quantile is the time that the part q does not exceed.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[min(int(float64(len(sorted))*q), len(sorted)-1)]
}

// A client asks one server by one socket.
type client struct {
	w    *world
	conn *dns.Conn
}

func (w *world) client(m *lab.Machine, server string) *client {
	w.t.Helper()
	conn, err := m.Dial(context.Background(), "udp", server)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return &client{w, &dns.Conn{Conn: conn, UDPSize: 4096}}
}

// ask asks and returns the time until the reply, which must have a code.
func (c *client) ask(name string, rcode int) time.Duration {
	c.w.t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(name, dns.TypeA)
	q.SetEdns0(1232, false)
	c.conn.SetDeadline(time.Now().Add(11 * time.Second))
	began := time.Now()
	if err := c.conn.WriteMsg(q); err != nil {
		c.w.t.Fatal(err)
	}
	m, err := c.conn.ReadMsg()
	took := time.Since(began)
	if err != nil || m.Id != q.Id || m.Rcode != rcode {
		c.w.t.Errorf("%s: %v, %s", name, err, answer{m, took}.told())
	}
	return took
}

// healthy asks while the server lives: hits, directly, and misses.
func (w *world) healthy() (hits, direct, miss []time.Duration) {
	own, server := w.client(w.members[0].Machine, stub), w.client(w.members[0].Machine, upstream+":53")
	for i := range 300 {
		server.ask(name(100+i), dns.RcodeSuccess) // so that unbound has it
		direct = append(direct, server.ask(name(100+i), dns.RcodeSuccess))
		miss = append(miss, own.ask(name(100+i), dns.RcodeSuccess))
		hits = append(hits, own.ask(name(100+i), dns.RcodeSuccess))
	}
	return hits, direct, miss
}

// dying has the server fall silent again and again.
func (w *world) dying() (first, down, held, none, back []time.Duration) {
	own := w.client(w.members[0].Machine, stub)
	other := w.client(w.members[1].Machine, stub)
	for i := range *trials {
		base := 500 + i*10
		own.ask(name(base), dns.RcodeSuccess)
		for k := range 5 {
			other.ask(name(base+1+k), dns.RcodeSuccess)
		}
		w.tellsOwners(base, base+6)
		w.expired()
		began := time.Now()
		w.unbound.Pause()
		first = append(first, own.ask(name(base), dns.RcodeSuccess))
		w.seen("down")
		down = append(down, time.Since(began))
		for k := range 5 {
			held = append(held, own.ask(name(base+1+k), dns.RcodeSuccess))
		}
		none = append(none, own.ask(fmt.Sprintf("none%d.lan.example.", i), dns.RcodeServerFailure))
		began = time.Now()
		w.unbound.Resume()
		w.seen("healthy")
		back = append(back, time.Since(began))
	}
	return first, down, held, none, back
}

// tellsOwners waits until names are at two machines.
func (w *world) tellsOwners(from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.lab.Expect(patience, func() error {
			n := 0
			for _, m := range w.members {
				out, err := m.status("cache")
				if err != nil {
					return err
				}
				if strings.Contains(out, name(i)) {
					n++
				}
			}
			if n < 2 {
				return fmt.Errorf("%s is at %d machines", name(i), n)
			}
			return nil
		})
	}
}

// expired waits until no name is in time.
func (w *world) expired() { <-time.After(2500 * time.Millisecond) }

// seen waits until the first machine thinks so of its server.
func (w *world) seen(state string) {
	w.t.Helper()
	w.lab.Expect(patience, func() error {
		out, _ := w.members[0].status("upstream")
		if !strings.Contains(out, " "+state+" ") {
			return fmt.Errorf("want %s: %s", state, out)
		}
		return nil
	})
}

// quiet counts what members say to each other when nobody asks anything.
func (w *world) quiet() string {
	count := func(word string) (sum int64) {
		for _, m := range w.members {
			out, err := m.status("stats")
			if err != nil {
				w.t.Error(err)
			}
			for line := range strings.Lines(out) {
				if f := strings.Fields(line); len(f) == 2 && f[0] == word {
					n, _ := strconv.ParseInt(f[1], 10, 64)
					sum += n
				}
			}
		}
		return sum
	}
	multicast, octets, began := count("sent_multicast"), count("sent_octets"), time.Now()
	<-time.After(10 * time.Second)
	seconds := time.Since(began).Seconds()
	m, o := float64(count("sent_multicast")-multicast)/seconds, float64(count("sent_octets")-octets)/seconds/float64(len(w.members))
	if *judge && (m > 10 || o > 2000) {
		w.t.Errorf("idle: %.1f multicasts a second, %.0f octets a second for each", m, o)
	}
	return fmt.Sprintf("\nC2: idle, %.1f multicasts a second on the link (bound 10), %.0f octets a second from each machine (bound 2,000).\n", m, o)
}
