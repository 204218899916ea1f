package peer

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"

	"namecast/lib/peer/packet"
)

// Names for lies, which nobody asks for before.
const (
	firstLie  = 100
	liarNames = 400
)

// lieAddr is where lies lead to.
const lieAddr = "203.0.115.66"

// A liar has the group's key and says what it likes. It is a member as long as it answers
// Pings, which it does honestly.
type liar struct {
	w    *world
	keys *packet.Keys
	key  ed25519.PrivateKey
	addr netip.AddrPort
	conn net.PacketConn
	boot uint64
	net  uint64 // that the others are in
	done chan struct{}

	began   time.Time
	mu      sync.Mutex
	seq     uint64
	members map[packet.NodeID]netip.AddrPort

	asked, answered atomic.Int64
	// lie makes the liar's record for a question; nil: it has none.
	lie atomic.Pointer[lie]
}

// netText is where the log says which network the machine is in.
var netText = regexp.MustCompile(`msg=network id=([0-9a-f]+) `)

// newLiar makes a machine on the LAN with a liar on it, which ends with the test.
func newLiar(w *world) *liar {
	w.t.Helper()
	m := w.lab.Machine("liar")
	w.lan.Join(m, "192.0.2.66/24")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	l := &liar{w: w, keys: w.keys(), key: key, addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.66"), peerPort),
		done: make(chan struct{}), began: time.Now(), members: map[packet.NodeID]netip.AddrPort{}, boot: random()}
	found := netText.FindStringSubmatch(w.members[0].peer.Log())
	if found == nil {
		w.t.Fatal("the members are in no network")
	}
	if l.net, err = strconv.ParseUint(found[1], 16, 64); err != nil {
		w.t.Fatal(err)
	}
	if l.conn, err = m.ListenPacket("udp4", l.addr.String()); err != nil {
		w.t.Fatal(err)
	}
	if err := ipv4.NewPacketConn(l.conn).SetTTL(255); err != nil {
		w.t.Fatal(err)
	}
	go l.run()
	w.t.Cleanup(func() { l.conn.Close(); <-l.done })
	return l
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// say sends a message to an address.
func (l *liar) say(to netip.AddrPort, node packet.NodeID, id uint64, body packet.Body) {
	l.mu.Lock()
	l.seq = max(l.seq+1, uint64(time.Since(l.began).Microseconds()))
	m := &packet.Message{From: packet.NodeIDOf(l.key.Public().(ed25519.PublicKey)), To: node, Boot: l.boot, Seq: l.seq, ID: id, Body: body}
	l.seq += packet.MaxFragments
	l.mu.Unlock()
	if _, ok := body.(*packet.Hello); ok {
		if err := packet.SignHello(m, l.key); err != nil {
			l.w.t.Error(err)
			return
		}
	}
	out, err := l.keys.Seal(m, rand.Reader)
	if err != nil {
		l.w.t.Errorf("%T: %v", body, err)
		return
	}
	for _, b := range out {
		l.conn.WriteTo(b, net.UDPAddrFromAddrPort(to)) // whether it comes is what tests look at
	}
}

// hello says Hello to an address.
func (l *liar) hello(to netip.AddrPort) {
	l.say(to, packet.NodeID{}, 0, &packet.Hello{
		Addrs: []netip.AddrPort{l.addr}, Weight: packet.MaxWeight, Net: l.net, Started: time.Since(l.began),
	})
}

// run answers what comes in until the socket is closed.
func (l *liar) run() {
	defer close(l.done)
	b := make([]byte, 2048)
	for {
		n, from, err := l.conn.ReadFrom(b)
		if err != nil {
			return
		}
		m, err := l.keys.Open(b[:n])
		if err == nil {
			l.take(m, from.(*net.UDPAddr).AddrPort())
		}
	}
}

// take answers a message.
func (l *liar) take(m *packet.Message, from netip.AddrPort) {
	switch b := m.Body.(type) {
	case *packet.Ping:
		l.mu.Lock()
		l.members[m.From] = from
		l.mu.Unlock()
		l.say(from, m.From, 0, &packet.Pong{Echo: b.Challenge})
		l.say(from, m.From, 0, &packet.Ping{})
	case *packet.Ask:
		l.asked.Add(1)
		if lie := l.lie.Load(); lie != nil {
			q := dnsQuestion(b)
			r := &packet.Record{Origin: packet.NodeIDOf(l.key.Public().(ed25519.PublicKey)), Net: b.Net, Msg: lieMsg(q, 60, lieAddr)}
			(*lie)(b, r)
			l.say(from, m.From, m.ID, &packet.Answer{Record: r})
			return
		}
		l.say(from, m.From, m.ID, &packet.Answer{Outcome: packet.Miss})
	case *packet.Answer, *packet.Fragment:
		l.answered.Add(1)
	}
}

func dnsQuestion(a *packet.Ask) dns.Question {
	return dns.Question{Name: a.Name.FQDN(), Qtype: a.Type, Qclass: dns.ClassINET}
}

// lieMsg is a response with one address.
func lieMsg(q dns.Question, ttl uint32, addr string) []byte {
	m := new(dns.Msg)
	m.Question = []dns.Question{q}
	m.Response, m.RecursionAvailable = true, true
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}, A: net.ParseIP(addr)}}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// join makes the liar a member of all others.
func (l *liar) join() {
	l.w.t.Helper()
	want := " " + packet.NodeIDOf(l.key.Public().(ed25519.PublicKey)).String()
	for _, m := range l.w.members {
		to := netip.AddrPortFrom(netip.MustParseAddr(m.addr), peerPort)
		l.w.lab.Expect(patience, func() error {
			l.hello(to)
			out, err := m.status("peers")
			if err == nil && !strings.Contains(" "+out, strings.TrimSpace(want)) {
				err = fmt.Errorf("%s does not have the liar:\n%s", m.Name(), out)
			}
			return err
		})
	}
}

// each calls f for each member that has proved itself.
func (l *liar) each(f func(id packet.NodeID, to netip.AddrPort)) {
	l.mu.Lock()
	members := map[packet.NodeID]netip.AddrPort{}
	for id, a := range l.members {
		members[id] = a
	}
	l.mu.Unlock()
	for id, a := range members {
		f(id, a)
	}
}
