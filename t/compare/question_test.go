package compare

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// A question is one query as it is sent to every server.
type question struct {
	name    string // in presentation form, with the root's dot
	kind    uint16
	class   uint16
	opcode  int
	tcp     bool
	flags   string // of "rd", "cd", "ad", "z", in any order
	edns    string // "" is none; else "do", "nsid", "unknown", "version1", "two", "tsig"
	payload uint16 // EDNS buffer size; 0 is no EDNS
}

func (q question) String() string {
	how := "udp"
	if q.tcp {
		how = "tcp"
	}
	s := fmt.Sprintf("%s %s %s over %s", q.name, dns.Class(q.class), dns.Type(q.kind), how)
	if q.payload > 0 {
		s += fmt.Sprintf(" edns %d %s", q.payload, q.edns)
	}
	if q.flags != "" {
		s += " flags " + q.flags
	}
	if q.opcode != dns.OpcodeQuery {
		s += " opcode " + dns.OpcodeToString[q.opcode]
	}
	return s
}

// message makes the query.
func (q question) message(id uint16) *dns.Msg {
	m := new(dns.Msg)
	m.Id, m.Opcode = id, q.opcode
	m.RecursionDesired = strings.Contains(q.flags, "rd")
	m.CheckingDisabled = strings.Contains(q.flags, "cd")
	m.AuthenticatedData = strings.Contains(q.flags, "ad")
	m.Zero = strings.Contains(q.flags, "z")
	m.Question = []dns.Question{{Name: q.name, Qtype: q.kind, Qclass: q.class}}
	if q.payload == 0 {
		return m
	}
	o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	o.SetUDPSize(q.payload)
	m.Extra = append(m.Extra, o)
	switch q.edns {
	case "do":
		o.SetDo()
	case "nsid":
		o.Option = append(o.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	case "unknown":
		o.Option = append(o.Option, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("data")})
	case "version1":
		o.SetVersion(1)
	case "tsig":
		m.SetTsig("some.key.", dns.HmacSHA256, 300, time.Now().Unix())
		m.IsTsig().MAC, m.IsTsig().MACSize = strings.Repeat("00", 32), 32
	case "two":
		m.Extra = append(m.Extra, o)
	}
	return m
}

// types are those that generated questions are for; the first ones more often.
var types = []uint16{
	dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeNS, dns.TypeSOA,
	dns.TypeCNAME, dns.TypeDS, dns.TypeDS, dns.TypeDNAME, dns.TypeANY, dns.TypeSRV, dns.TypePTR, dns.TypeHTTPS,
	dns.TypeDNSKEY, dns.TypeNSEC, dns.TypeRRSIG, dns.TypeHINFO, dns.TypeCAA, 65280, 4711, 12345,
}

// generate makes n questions from the names there are: themselves, names above,
// beside and below them, below a wildcard's label, in any case and over any
// transport. The same seed gives the same questions.
func generate(names []string, n int, seed uint64) []question {
	r := rand.New(rand.NewPCG(seed, 2))
	out := make([]question, 0, n)
	for range n {
		q := question{name: vary(r, names[r.IntN(len(names))]), kind: types[r.IntN(len(types))], class: dns.ClassINET}
		dress(r, &q)
		out = append(out, q)
	}
	return out
}

// vary makes a name that is near another.
func vary(r *rand.Rand, name string) string {
	labels := dns.SplitDomainName(name)
	switch r.IntN(12) {
	case 0:
		labels = labels[min(1, len(labels)-1):]
	case 1:
		labels = append([]string{"nowhere"}, labels...)
	case 2:
		labels = append([]string{"*"}, labels...)
	case 3:
		labels = append([]string{"a", "b"}, labels...)
	case 4:
		labels[0] = "beside"
	case 5:
		labels[0] = "*"
	case 6:
		labels = append([]string{strings.Repeat("x", 1+r.IntN(62))}, labels...)
	}
	varied := dns.Fqdn(strings.Join(labels, "."))
	if wire := wireName(varied); len(wire) == 0 || len(wire) > 255 {
		varied = name
	}
	if r.IntN(3) == 0 {
		varied = mixCase(r, varied)
	}
	return varied
}

// wireName is a name's wire form, empty if it has none.
func wireName(name string) []byte {
	b := make([]byte, 512)
	n, err := dns.PackDomainName(name, b, 0, nil, false)
	if err != nil {
		return nil
	}
	return b[:n]
}

// mixCase changes the case of letters, as resolvers do against forged answers.
func mixCase(r *rand.Rand, name string) string {
	b := []byte(name)
	for i, c := range b {
		if r.IntN(2) == 0 && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			b[i] ^= 0x20
		}
	}
	return string(b)
}

// dress gives a question a transport, flags and EDNS.
func dress(r *rand.Rand, q *question) {
	q.tcp = r.IntN(5) == 0
	for _, f := range []string{"rd", "cd", "ad", "z"} {
		if r.IntN(6) == 0 {
			q.flags += f
		}
	}
	switch r.IntN(10) {
	case 0, 1, 2:
	case 3:
		q.payload = 512
	case 4:
		q.payload = []uint16{1, 700, 1400, 65535}[r.IntN(4)]
	default:
		q.payload = []uint16{1232, 4096}[r.IntN(2)]
		q.edns = []string{"", "do", "do", "nsid", "unknown"}[r.IntN(5)]
	}
}
