package peer

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/group"
	"namecast/lib/peer/packet"
	"namecast/lib/peer/sim"
	"namecast/lib/rr"
)

var same = flag.Bool("same", false, "TestSame takes 20 machines, and six minutes; with -write, its table goes to that file")

// points is by how much the share of lookups that are answered may differ between the
// simulator and the lab.
const points = 2.0

// A course is what TestSame puts machines through, in parts of the same length.
type course struct {
	nodes   int
	rate    float64 // lookups of all machines in a second
	part    time.Duration
	lives   int // parts in which the name server answers
	silent  int // and in which it does not
	damaged int // and then, with machines killed and caches wiped
	habits  sim.Habits

	lookups    []sim.Lookup
	kill, wipe []int
}

// TestSame: the simulator's figures are those of real machines. Both are put through the
// same lookups, death of the name server and losses, and answer as many.
func TestSame(t *testing.T) {
	c := &course{nodes: 12, rate: 60, part: 7 * time.Second, lives: 2, silent: 1, damaged: 2, habits: sim.Habits{Names: 500}}
	if *same {
		c = &course{nodes: 20, rate: 20, part: time.Minute, lives: 3, silent: 1, damaged: 2, habits: sim.Habits{Names: 1500}}
	}
	c.lookups = sim.NewTrace(c.habits, c.nodes, c.daily(), 1).Until(c.end())
	order := rand.New(rand.NewPCG(1, 2)).Perm(c.nodes)
	c.kill = order[:c.nodes*3/10]
	c.wipe = order[len(c.kill):][:(c.nodes-len(c.kill))*3/10]
	w := c.world(t)
	owners := w.ring(c.nodes)
	lab := c.live(w)
	model := c.simulate(owners)
	text := c.compare(t, model, lab)
	t.Logf("\n%s", text)
	if *same && *output != "" {
		write(t, *output, text)
	}
}

func (c *course) death() time.Duration  { return time.Duration(c.lives) * c.part }
func (c *course) damage() time.Duration { return c.death() + time.Duration(c.silent)*c.part }
func (c *course) end() time.Duration    { return c.damage() + time.Duration(c.damaged)*c.part }
func (c *course) parts() int            { return c.lives + c.silent + c.damaged }

// daily is the rate for the simulator.
func (c *course) daily() float64 { return c.rate * 24 * 3600 / float64(c.nodes) }

// fqdn is a name as the simulator has it.
func fqdn(n int32) string { return fmt.Sprintf("n%07d.example.", n) }

// lifetime is the TTL of a name: short, so that minutes show what else takes days.
func lifetime(n int32) uint32 { return [...]uint32{1, 2, 2, 5, 15}[n%5] }

// place is a name's address.
func place(n int32) string { return fmt.Sprintf("203.0.%d.%d", 113+n/250, 1+n%250) }

// world is the machines, with a name server that has each name always for its whole TTL.
func (c *course) world(t *testing.T) *world {
	var zone strings.Builder
	zone.WriteString("server:\n	local-zone: \".\" static\n	local-data: \". 2 SOA a.root. hostmaster.root. 1 7200 1800 1209600 2\"\n	local-data: \". 3600 NS a.root.\"\n")
	for n := range int32(c.habits.Names) {
		fmt.Fprintf(&zone, "	local-data: \"%s %d A %s\"\n", fqdn(n), lifetime(n), place(n))
	}
	w := newWorld(t, 0, options{serve: func(w *world) { w.startUnbound(fqdn(0), zone.String()) }})
	for i := range c.nodes {
		w.join("-events", w.events(i)).start()
	}
	w.complete(c.nodes)
	w.upstreamIs("healthy")
	return w
}

// events is the file to which a machine's nc-peer writes what happens.
func (w *world) events(i int) string { return filepath.Join(w.dir, fmt.Sprintf("events%d", i+1)) }

// ring gives the first n machines in the order in which they own a name.
func (w *world) ring(n int) func(name string) []int {
	w.t.Helper()
	text, err := os.ReadFile(w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := packet.ParseKeys(text)
	if err != nil {
		w.t.Fatal(err)
	}
	ids, number := make([]packet.NodeID, n), map[packet.NodeID]int{}
	for i, m := range w.members[:n] {
		if k, err := hex.Decode(ids[i][:], []byte(m.self())); err != nil || k != len(ids[i]) {
			w.t.Fatalf("%s: NodeID %q: %v", m.Name(), m.self(), err)
		}
		number[ids[i]] = i
	}
	return func(name string) (order []int) {
		wire, err := rr.ParseName(name)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, id := range group.Order(keys, ids, wire.Lower(), n) {
			order = append(order, number[id])
		}
		return order
	}
}

// A tally is how lookups of one part of the course ended.
type tally struct {
	lookups  int // by what clients saw
	answered int
	by       [4]int // by whom they were answered, as far as is known
}

// kinds are by whom a lookup can be answered.
var kinds = [4]string{"in time", "own, stale", "members", "nobody"}

// kind is the number of a carrier among them.
func kind(by string) int {
	switch by {
	case peer.ByCache.String(), peer.ByUpstream.String():
		return 0
	case peer.ByStale.String():
		return 1
	case peer.ByNobody.String():
		return 3
	}
	return 2
}

// simulate plays the course in the simulator.
func (c *course) simulate(owners func(string) []int) []tally {
	parts := make([]tally, c.parts())
	sim.Run(sim.Config{
		Habits: c.habits, Nodes: c.nodes, Daily: c.daily(), Seed: 1, Before: c.death(), After: c.end() - c.death(),
		Probes: true, Answer: 300 * time.Microsecond, TTL: lifetime,
		Replay: &sim.Replay{
			Lookups: c.lookups,
			Faults:  []sim.Fault{{At: c.damage(), Kill: c.kill, Wipe: c.wipe}},
			Owners:  func(n int32) []int { return owners(fqdn(n)) },
			Replied: func(l sim.Lookup, by peer.By) {
				p := &parts[l.At/c.part]
				p.lookups++
				if by != peer.ByNobody {
					p.answered++
				}
				p.by[kind(by.String())]++
			},
		},
	})
	return parts
}

// A player asks at one machine what its clients have to ask, each when it is time.
type player struct {
	w     *world
	m     *member
	conn  net.Conn
	asks  []sim.Lookup
	dies  bool
	right map[uint16]bool // by number, of those that had a reply
}

// live plays the course in the lab.
func (c *course) live(w *world) []tally {
	w.t.Helper()
	players := make([]*player, c.nodes)
	for i, m := range w.members {
		conn, err := m.Dial(context.Background(), "udp", stub)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { conn.Close() })
		players[i] = &player{w: w, m: m, conn: conn, right: map[uint16]bool{}}
	}
	for _, i := range c.kill {
		players[i].dies = true
	}
	for _, l := range c.lookups {
		if p := players[l.Node]; !p.dies || l.At < c.damage() {
			p.asks = append(p.asks, l)
		}
	}
	start := time.Now().Add(100 * time.Millisecond)
	var all sync.WaitGroup
	for _, p := range players {
		all.Go(func() { p.ask(start) })
		all.Go(func() { p.hear(start.Add(c.end() + 5*time.Second)) })
	}
	<-time.After(time.Until(start.Add(c.death())))
	w.unbound.Pause()
	<-time.After(time.Until(start.Add(c.damage())))
	c.strike(w, players)
	all.Wait()
	return c.count(w, players, start)
}

// strike kills machines' nc-peers and wipes caches, all at the same time.
func (c *course) strike(w *world, players []*player) {
	var all sync.WaitGroup
	for _, i := range c.kill {
		all.Go(func() {
			w.members[i].peer.Kill()
			players[i].conn.Close() // nobody will answer
		})
	}
	for _, i := range c.wipe {
		all.Go(func() {
			if out, err := w.members[i].status("flush", "."); err != nil || strings.HasPrefix(out, "forgot 0") {
				w.t.Errorf("%s: %v: %s", w.members[i].Name(), err, out)
			}
		})
	}
	all.Wait()
}

// ask sends the questions.
func (p *player) ask(start time.Time) {
	for k, l := range p.asks {
		<-time.After(time.Until(start.Add(l.At)))
		q := new(dns.Msg)
		q.SetQuestion(fqdn(l.Name), dns.TypeA)
		q.Id = uint16(k)
		wire, err := q.Pack()
		if err == nil {
			_, err = p.conn.Write(wire)
		}
		if err != nil {
			if !p.dies {
				p.w.t.Errorf("%s: ask: %v", p.m.Name(), err)
			}
			return
		}
	}
}

// hear takes the replies.
func (p *player) hear(until time.Time) {
	p.conn.SetReadDeadline(until)
	buf := make([]byte, 4096)
	for len(p.right) < len(p.asks) {
		n, err := p.conn.Read(buf)
		if err != nil {
			if !p.dies {
				p.w.t.Errorf("%s: %d of %d lookups without a reply: %v", p.m.Name(), len(p.asks)-len(p.right), len(p.asks), err)
			}
			return
		}
		var m dns.Msg
		if err := m.Unpack(buf[:n]); err != nil || int(m.Id) >= len(p.asks) {
			p.w.t.Errorf("%s: reply %x: %v", p.m.Name(), buf[:n], err)
			return
		}
		got, want := answer{Msg: &m}.address(), place(p.asks[m.Id].Name)
		p.right[m.Id] = got == want
		if got != want && m.Rcode != dns.RcodeServerFailure {
			p.w.t.Errorf("%s: %s is %q, want %s or an error", p.m.Name(), m.Question[0].Name, got, want)
		}
	}
}

// count sums up what clients saw, and what the machines say who answered.
func (c *course) count(w *world, players []*player, start time.Time) []tally {
	parts := make([]tally, c.parts())
	for i, p := range players {
		for k, right := range p.right {
			t := &parts[p.asks[k].At/c.part]
			t.lookups++
			if right {
				t.answered++
			}
		}
		c.carriers(w, i, p, start, parts)
	}
	return parts
}

// carriers reads the events of a machine, which are written once a second: the last of
// one that was killed are lost.
func (c *course) carriers(w *world, i int, p *player, start time.Time, parts []tally) {
	type event struct {
		At             int64
		Kind, Name, By string
		Ms             float64
	}
	var seen []event
	w.lab.Expect(patience, func() error {
		f, err := os.Open(w.events(i))
		if err != nil {
			return err
		}
		defer f.Close()
		seen = seen[:0]
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil && e.Kind == "answer" && strings.HasSuffix(e.Name, ".example. A") &&
				!strings.HasSuffix(e.Name, ".lan.example. A") {
				seen = append(seen, e)
			}
		}
		if len(seen) < len(p.right) && !p.dies {
			return fmt.Errorf("%s: %d events of %d lookups", p.m.Name(), len(seen), len(p.right))
		}
		return nil
	})
	for _, e := range seen {
		began := time.Duration(e.At-start.UnixMilli())*time.Millisecond - time.Duration(e.Ms*float64(time.Millisecond))
		parts[min(max(began/c.part, 0), time.Duration(len(parts)-1))].by[kind(e.By)]++
	}
}

// compare fails if the two differ by more than points in any part, and gives the table.
func (c *course) compare(t *testing.T, model, lab []tally) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The simulator beside the lab

%d nc-peers on a bridge with one unbound, and as many simulated nodes, are put through the
same %d lookups, %.0f a second, with TTLs of 1 to 15 s. The name server is stopped after %v; after
%v, %d machines are killed, and the caches of %d are wiped. Shares in percent, of the simulator /
of the lab. Written by `+"`go test ./t/peer -run TestSame -args -same -write FILE`"+`.

| from | lookups | answered | difference | %s |
|---|---:|---:|---:|---:|---:|---:|---:|
`, c.nodes, len(c.lookups), c.rate, c.death(), c.damage(), len(c.kill), len(c.wipe), strings.Join(kinds[:], " | "))
	for i := range model {
		m, l := &model[i], &lab[i]
		if m.lookups == 0 || l.lookups == 0 {
			t.Fatalf("no lookups in part %d", i+1)
		}
		off := percent(l.answered, l.lookups) - percent(m.answered, m.lookups)
		fmt.Fprintf(&b, "| %v | %d / %d | %.1f / %.1f | %+.1f |", time.Duration(i)*c.part, m.lookups, l.lookups,
			percent(m.answered, m.lookups), percent(l.answered, l.lookups), off)
		for k := range kinds {
			fmt.Fprintf(&b, " %.1f / %.1f |", percent(m.by[k], m.lookups), percent(l.by[k], l.known()))
		}
		b.WriteString("\n")
		if math.Abs(off) > points {
			t.Errorf("from %v on: %.1f %% answered in the simulator, %.1f %% in the lab", time.Duration(i)*c.part,
				percent(m.answered, m.lookups), percent(l.answered, l.lookups))
		}
	}
	return b.String()
}

// known is the number of lookups of which it is known who answered them.
func (t *tally) known() (n int) {
	for _, k := range t.by {
		n += k
	}
	return n
}

// percent is a share of the whole.
func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
