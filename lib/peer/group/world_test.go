package group

import (
	"container/heap"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
)

// A world is machines on segments, with a clock of its own.
type world struct {
	*rand.Rand
	t        testing.TB
	keys     *packet.Keys
	now      time.Duration
	events   queue
	order    int
	machines []*machine
	segments []*segment
}

// A segment is an Ethernet.
type segment struct {
	nics    []*nic
	noMulti bool // it drops multicast
	noBroad bool
	loss    float64
	filter  func(from, to *machine, s Send) bool // what goes through; nil: all

	multi     []time.Duration // when multicasts and broadcasts went over it
	multiSize int
	unicasts  int
	size      int
}

// A nic is a machine's place on a segment.
type nic struct {
	m  *machine
	on *segment
	Link
	gone bool
}

type machine struct {
	w       *world
	name    string
	g       *Group
	key     ed25519.PrivateKey
	boot    uint64
	nics    []*nic
	nextIdx int
	stopped bool // the program is: it gets nothing and does nothing
	wakes   time.Duration
	got     []peer.Received
	log     []string
	clones  []CloneSeen
	options func(*Options)
}

type event struct {
	at    time.Duration
	order int
	do    func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// source gives octets of a seed.
type source struct{ *rand.ChaCha8 }

func seeded(seed uint64) source {
	var b [32]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	return source{rand.NewChaCha8(b)}
}

func newWorld(t testing.TB, seed uint64) *world {
	text, err := packet.NewKey("lab", seeded(seed+1000))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := packet.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return &world{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, keys: keys, now: time.Hour}
}

func (w *world) segment() *segment {
	s := &segment{}
	w.segments = append(w.segments, s)
	return s
}

// machine makes one; boot has to be called to start it.
func (w *world) machine(options func(*Options)) *machine {
	i := len(w.machines)
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint32(seed, uint32(i)+1)
	m := &machine{w: w, name: fmt.Sprintf("m%d", i), key: ed25519.NewKeyFromSeed(seed), nextIdx: 2, options: options}
	w.machines = append(w.machines, m)
	return m
}

// join gives a machine an interface with addresses of the families 6 and 4.
func (m *machine) join(s *segment, six, four bool) *nic {
	i := slices.Index(m.w.machines, m)
	n := &nic{m: m, on: s, Link: Link{Index: m.nextIdx, Name: fmt.Sprintf("eth%d", len(m.nics)), Multicast: true}}
	m.nextIdx++
	net := byte(slices.Index(m.w.segments, s))
	if six {
		a := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 12: net, 13: 1, 14: byte(i >> 8), 15: byte(i)})
		n.Addrs = append(n.Addrs, netip.PrefixFrom(a, 64))
	}
	if four {
		n.Addrs = append(n.Addrs, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, net, byte(i >> 8), byte(i + 1)}), 16))
		n.Broadcast = netip.AddrFrom4([4]byte{10, net, 255, 255})
	}
	m.nics = append(m.nics, n)
	s.nics = append(s.nics, n)
	return n
}

// boot starts the machine's program.
func (m *machine) start() {
	m.boot = m.w.Uint64()
	o := Options{Keys: m.w.keys, Key: m.key, Boot: m.boot, Started: m.w.now, Rand: seeded(m.boot)}
	if m.options != nil {
		m.options(&o)
	}
	m.g = New(m.w.now, o)
	m.stopped = false
	m.wakes = forever
	m.links()
}

// links tells the program its interfaces.
func (m *machine) links() {
	var links []Link
	for _, n := range m.nics {
		if !n.gone {
			links = append(links, n.Link)
		}
	}
	m.send(m.g.Links(m.w.now, links))
}

// after has something done later.
func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + d, w.order, do})
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now + d
	for len(w.events) > 0 && w.events[0].at <= end {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

// send puts datagrams on the wire, takes events and sets the next wake.
func (m *machine) send(out []Send) {
	for _, e := range m.g.Events() {
		m.note(e)
	}
	for _, s := range out {
		for _, n := range m.nics {
			if n.Index == s.Link && !n.gone {
				n.transmit(s)
			}
		}
	}
	next := max(m.g.Next(), m.w.now)
	if next == forever || next >= m.wakes && m.wakes > m.w.now {
		return
	}
	m.wakes = next
	g := m.g
	m.w.after(next-m.w.now, func() {
		if m.g == g && !m.stopped && m.w.now >= m.wakes {
			m.wakes = forever
			m.send(g.Step(m.w.now))
		}
	})
}

func (m *machine) note(e any) {
	switch e := e.(type) {
	case peer.Received:
		m.got = append(m.got, e)
	case CloneSeen:
		m.clones = append(m.clones, e)
	}
	if _, ok := e.(peer.Received); !ok {
		m.log = append(m.log, fmt.Sprintf("%v %T%+v", m.w.now-time.Hour, e, e))
	}
}

// transmit carries a datagram over the segment.
func (n *nic) transmit(s Send) {
	w, ttl := n.m.w, 255
	wide := s.To.Addr() == n.Broadcast
	if wide && n.on.noBroad || s.To.Addr().IsMulticast() && n.on.noMulti {
		return
	}
	if s.To.Addr().IsMulticast() || wide {
		n.on.multi = append(n.on.multi, w.now)
		n.on.multiSize += len(s.Data)
		if s.To.Addr().Is4() && !wide {
			ttl = 1
		}
	} else {
		n.on.unicasts++
		n.on.size += len(s.Data)
	}
	from, ok := n.source(s.To.Addr())
	if !ok {
		w.t.Errorf("%s has no address to send to %v from", n.m.name, s.To)
		return
	}
	d := Datagram{From: from, To: s.To, TTL: ttl, Data: s.Data}
	for _, to := range n.on.nics {
		if to.m != n.m && to.hears(s.To.Addr()) && w.Float64() >= n.on.loss && (n.on.filter == nil || n.on.filter(n.m, to.m, s)) {
			w.after(50*time.Microsecond+time.Duration(w.IntN(1e6)), func() { to.deliver(d) })
		}
	}
}

// source is the address that the machine sends from.
func (n *nic) source(to netip.Addr) (netip.AddrPort, bool) {
	for _, p := range n.Addrs {
		if p.Addr().Is4() == to.Is4() {
			return netip.AddrPortFrom(p.Addr(), DefaultPort), true
		}
	}
	return netip.AddrPort{}, false
}

// hears tells whether the interface takes what is sent to an address.
func (n *nic) hears(to netip.Addr) bool {
	if n.gone || n.m.stopped || n.m.g == nil {
		return false
	}
	if to == n.Broadcast || to.IsMulticast() {
		_, ok := n.source(to)
		return ok
	}
	return slices.ContainsFunc(n.Addrs, func(p netip.Prefix) bool { return p.Addr() == to })
}

func (n *nic) deliver(d Datagram) {
	if !n.hears(d.To.Addr()) {
		return
	}
	d.Link = n.Index
	events, out := n.m.g.Receive(n.m.w.now, d)
	for _, e := range events {
		n.m.note(e)
	}
	n.m.send(out)
}

// lan is n machines on one segment; a machine starts at a moment within the first d.
func lan(t testing.TB, seed uint64, n int, within time.Duration, six, four bool) *world {
	w := newWorld(t, seed)
	s := w.segment()
	for range n {
		m := w.machine(nil)
		m.join(s, six, four)
		w.after(time.Duration(w.Float64()*float64(within)), m.start)
	}
	return w
}

// missing counts pairs of which one does not have the other as a member.
func (w *world) missing() int {
	missing := 0
	for _, m := range w.machines {
		if m.g != nil && !m.stopped {
			missing += len(w.living()) - m.g.Size()
		}
	}
	return missing
}

func (w *world) living() []*machine {
	var living []*machine
	for _, m := range w.machines {
		if m.g != nil && !m.stopped {
			living = append(living, m)
		}
	}
	return living
}

// until runs until all have each other as members, and says how long it took.
func (w *world) until(limit time.Duration) time.Duration {
	began := w.now
	for w.missing() != 0 || len(w.living()) == 0 {
		if w.now-began > limit {
			for _, m := range w.machines {
				w.t.Logf("%s: %d members %v", m.name, m.g.Size()-1, m.g.stats.Received)
			}
			w.t.Fatalf("%d members are missing after %v", w.missing(), limit)
		}
		w.run(100 * time.Millisecond)
	}
	return w.now - began
}

// most is how many multicasts there were on a segment in the worst second.
func (s *segment) most() int {
	most := 0
	for i := range s.multi {
		j := i
		for j < len(s.multi) && s.multi[j] < s.multi[i]+time.Second {
			j++
		}
		most = max(most, j-i)
	}
	return most
}

// reasons is how many datagrams all machines refused, for whatever reason.
func (w *world) reasons() (sum [reasons]uint64) {
	for _, m := range w.living() {
		for r, n := range m.g.Stats().Received {
			sum[r] += n
		}
	}
	return sum
}
