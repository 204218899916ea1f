package host

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

const (
	maxProofs  = 64               // servers that are proved
	maxRelayed = 1024             // probes of others that are remembered
	probeTime  = 2 * time.Second  // for the answer to a probe
	leastProve = 10 * time.Second // between two proofs at first, which then doubles
	mostProve  = 10 * time.Minute
)

// What probes ask for, and what others are told who ask for loops.
const (
	typeTXT   = 16
	rcodeName = 3
)

// Names of probes have one label, which is never told to members, that begins so and ends
// with a number that nobody else knows.
const (
	loopProbe = "nc-loop-" // it is asked of a server: who gets it at the own stub is in a loop
	selfProbe = "nc-self-" // a stub answers it itself, by who it is
)

// A proof is what is found out of the name servers: of each, whether it leads back here,
// and whether it is the stub of a member.
type proof struct {
	at      time.Time
	rest    time.Duration  // until the next
	servers map[string]int // numbers of the servers by the names of the probes
	signs   []sign
	relayed map[string]bool // probes of others for loops
}

// A sign is what the stub of some machine has said of itself.
type sign struct {
	server int
	probe  string
	text   string
}

// signOf is what the machine of an identity answers to a probe. It tells members, who know
// the identity, and nobody else.
func signOf(id packet.NodeID, probe string) string {
	h := sha256.Sum256([]byte("namecast stub\n" + probe + "\n" + id.String()))
	return hex.EncodeToString(h[:16])
}

// prove asks each server two names that nobody else knows. When the first comes in at the
// own stub, the server leads back here, and is asked no more: each question would go
// around until it times out. The second is answered by who is the stub of a member: what
// it says is the group's word, and not a name server's.
func (l *loop) prove(servers []upstream.Server) {
	p := &proof{at: time.Now(), rest: leastProve, servers: map[string]int{}, relayed: map[string]bool{}}
	l.proof = p
	for i := range servers[:min(len(servers), maxProofs)] {
		client := l.workers.servers[i]
		l.probe(p, i, loopProbe, client, func([]byte) {})
		if l.group != nil {
			l.probe(p, i, selfProbe, client, func(msg []byte) { l.signed(p, msg) })
		}
	}
}

// proveAnew does it once more when it is time, or a server has come back: it may have been
// dead when it was asked, or be another now.
func (l *loop) proveAnew(back bool) {
	if l.proof == nil {
		return
	}
	rest, since := l.proof.rest, time.Since(l.proof.at)
	if since < leastProve || since < rest && !back {
		return
	}
	var servers []upstream.Server
	for _, c := range l.workers.servers {
		servers = append(servers, c.Server())
	}
	l.prove(servers)
	l.proof.rest = min(2*rest, mostProve)
}

// probe asks a server for a name that begins so; then is called inside of the loop.
func (l *loop) probe(p *proof, i int, begin string, client *upstream.Client, then func(msg []byte)) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	name := rr.MustName(begin + hex.EncodeToString(b[:]))
	p.servers[string(name)] = i
	l.inquire(client, name, then)
	l.log.Debug("probe", "server", fmt.Sprint(client.Server()), "name", name.FQDN())
}

// inquire asks a server for a name of a probe.
func (l *loop) inquire(client *upstream.Client, name rr.Name, then func(msg []byte)) {
	l.workers.work(l.workers.fetches, func() peer.Event {
		ctx, cancel := context.WithTimeout(l.workers.ctx, probeTime)
		defer cancel()
		msg, err := client.Exchange(ctx, question(peer.Question{Name: name, Type: typeTXT}, false))
		if err == nil {
			_ = l.call(l.workers.ctx, func() { then(msg) }) // the error is that the daemon ends
		}
		return nil
	})
}

// relay passes a probe of somebody else for loops on to all servers, whatever is thought
// of them, so that it goes around if there is a way; each only once.
func (l *loop) relay(name rr.Name) {
	p := l.proof
	if p == nil || p.relayed[string(name)] {
		return
	}
	if len(p.relayed) >= maxRelayed {
		clear(p.relayed)
	}
	p.relayed[string(name)] = true
	for _, client := range l.workers.servers[:min(len(l.workers.servers), maxProofs)] {
		l.inquire(client, name, func([]byte) {})
	}
}

// probed takes the questions that are probes, and reports whether it was one.
func (l *loop) probed(q *query) bool {
	if q.own != nil || q.q.Type != typeTXT || q.q.Name.Count() != 1 {
		return false
	}
	label := q.q.Name.First()
	switch i, own := l.own(q.q.Name); {
	case own:
		q.fail(rcodeRefused)
		l.looped(i, "leads back here")
	case strings.HasPrefix(label, loopProbe):
		q.fail(rcodeName)
		l.relay(q.q.Name)
	case l.group != nil && strings.HasPrefix(label, selfProbe):
		q.reply(q.answer(&peer.Reply{Msg: txtAnswer(q.q.Name, signOf(l.group.Self(), label)), EDE: -1}, q.limit))
	default:
		return false
	}
	return true
}

// own finds the server that an own probe was asked of.
func (l *loop) own(name rr.Name) (server int, ok bool) {
	if l.proof == nil {
		return 0, false
	}
	server, ok = l.proof.servers[string(name)]
	return server, ok
}

// txtAnswer makes a response with a text that nobody is to keep.
func txtAnswer(name rr.Name, text string) []byte {
	m := new(dns.Msg).SetQuestion(name.FQDN(), dns.TypeTXT)
	m.Response, m.RecursionAvailable = true, true
	m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: name.FQDN(), Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{text}}}
	b, err := m.Pack()
	if err != nil {
		panic(err) // it is all made here
	}
	return b
}

// signed takes what a server said to the probe of who it is.
func (l *loop) signed(p *proof, msg []byte) {
	name, text, ok := readSign(msg)
	if !ok || l.proof != p || l.group == nil || len(p.signs) >= maxProofs {
		return
	}
	i, ok := p.servers[string(name)]
	if !ok {
		return
	}
	p.signs = append(p.signs, sign{i, name.First(), text})
	l.recognise(l.group.Self())
	for _, m := range l.group.Members() {
		l.recognise(m.ID)
	}
}

// readSign reads a response that has one text for a name: both are what they may be.
func readSign(msg []byte) (name rr.Name, text string, ok bool) {
	var m dns.Msg
	if m.Unpack(msg) != nil || len(m.Question) != 1 || len(m.Answer) != 1 {
		return "", "", false
	}
	txt, ok := m.Answer[0].(*dns.TXT)
	name, err := rr.ParseName(m.Question[0].Name)
	if !ok || err != nil || len(txt.Txt) != 1 {
		return "", "", false
	}
	return name.Lower(), txt.Txt[0], true
}

// recognise looks whether a server that has said who it is was a member.
func (l *loop) recognise(id packet.NodeID) {
	if l.proof == nil {
		return
	}
	for _, s := range l.proof.signs {
		switch {
		case s.text != signOf(id, s.probe):
		case id == l.group.Self():
			l.looped(s.server, "leads back here")
		default:
			l.looped(s.server, "is the stub of member "+id.String())
		}
	}
}

// looped takes a name server out of use that is none: its questions come back to this
// stub, or to that of a member.
func (d *daemon) looped(server int, why string) {
	s := d.loop.workers.servers[server].Server()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loops[s] {
		return
	}
	d.notes.Warn("a name server "+why+", and is not asked any more", "server", fmt.Sprint(s))
	if d.loops == nil {
		d.loops = map[upstream.Server]bool{}
	}
	d.loops[s] = true
	d.rouse()
}

// forgetLoops gives all name servers another chance.
func (d *daemon) forgetLoops() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loops = nil
}

// straight leaves out name servers that are none.
func (d *daemon) straight(list []upstream.Server) []upstream.Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(list), func(s upstream.Server) bool { return d.loops[s] })
}
