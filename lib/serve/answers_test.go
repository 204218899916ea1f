package serve

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
	"namecast/lib/dnssec"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/wire"
	"namecast/lib/zone"
)

// Twins are two servers over one store: one keeps finished answers and reads
// plain questions in place, the other does neither.
type twins struct {
	t          testing.TB
	db         *leveldb.DB
	fast, slow *DNS
	now        time.Time
	scratch    scratch
	out        [2][maxQuery]byte
	heads      map[string]store.Head
	claims     map[rr.Name]store.Claim
}

func newTwins(t testing.TB, signed bool) *twins {
	t.Helper()
	w := &twins{t: t, fast: quiet(t), slow: quiet(t), now: time.Now(), heads: map[string]store.Head{}, claims: map[rr.Name]store.Claim{}}
	var err error
	w.db, err = leveldb.OpenMemory(leveldb.Options{Changed: func(c leveldb.Touched) {
		w.fast.Changed(c.Account, c.Domain, c.Position)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	service := &zone.Service{
		Base: rr.MustName("namecast.example"), ID: "node",
		NS: []zone.NameServer{{Name: rr.MustName("ns1.namecast.example"), Addrs: []netip.Addr{someone}}, {Name: rr.MustName("ns2.example.net")}},
	}
	if signed {
		secret, err := dnssec.NewSecret(bytes.NewReader(bytes.Repeat([]byte{7}, dnssec.SecretSize)), w.now)
		if err != nil {
			t.Fatal(err)
		}
		service.Signer = dnssec.NewSigner(secret, dnssec.Options{Now: func() time.Time { return w.now }})
	}
	for _, d := range []*DNS{w.fast, w.slow} {
		d.Store, d.Service = w.db, service
	}
	for until := time.Now().Add(10 * time.Second); !w.db.Absent([]byte("nobody")); runtime.Gosched() { // it is loaded beside
		if time.Now().After(until) {
			t.Fatal("the directory is not ready")
		}
	}
	w.fast.Directory = w.db
	if err := w.fast.SetMemory(1 << 20); err != nil {
		t.Fatal(err)
	}
	return w
}

// commit sets the records of an account: lines of owner, TTL, type and data. An
// owner and type without data are deleted.
func (w *twins) commit(account string, domains []string, lines ...string) {
	w.t.Helper()
	old := w.heads[account]
	c := store.Change{Head: store.Head{Account: account, Version: old.Version + 1, KeyID: account, Key: []byte("key")}, From: old.Version}
	for _, d := range domains {
		c.Head.Domains = append(c.Head.Domains, store.Domain{Name: rr.MustName(d), Contact: rr.MustName("a." + d), TTL: 300})
	}
	sets := map[store.SetKey]*rr.Set{}
	for _, l := range lines {
		owner, kind, data := parseLine(w.t, l)
		k := store.SetKey{Owner: owner, Type: kind}
		if data == "" {
			c.Delete = append(c.Delete, k)
			continue
		}
		if sets[k] == nil {
			c.Put = append(c.Put, rr.Set{Owner: owner, Type: kind, TTL: 300})
			sets[k] = &c.Put[len(c.Put)-1]
		}
		for i := range c.Put {
			if c.Put[i].Owner == owner && c.Put[i].Type == kind {
				c.Put[i].Data = append(c.Put[i].Data, data)
			}
		}
	}
	if _, err := w.db.Commit(context.Background(), c); err != nil {
		w.t.Fatal(err)
	}
	w.heads[account] = c.Head
}

func parseLine(t testing.TB, line string) (rr.Name, rr.Type, rr.Data) {
	t.Helper()
	f := strings.SplitN(line, " ", 3)
	kind, err := rr.ParseType(f[1])
	if err != nil {
		t.Fatal(err)
	}
	if len(f) < 3 {
		return rr.MustName(f[0]), kind, ""
	}
	data, err := rr.ParseData(kind, f[2])
	if err != nil {
		t.Fatal(err)
	}
	return rr.MustName(f[0]), kind, data
}

func (w *twins) claim(domain, account string) {
	w.t.Helper()
	name := rr.MustName(domain)
	old := w.claims[name]
	c := store.Claim{Version: old.Version + 1, Account: account, Previous: old.Account}
	if _, err := w.db.SetClaim(context.Background(), name, old.Version, c); err != nil {
		w.t.Fatal(err)
	}
	w.claims[name] = c
}

// ask asks both, the fast one twice, and compares the octets.
func (w *twins) ask(query []byte, over transport) {
	w.t.Helper()
	from := client{over, someone}
	want := w.slow.any(query, from, w.now, w.out[0][:0])
	for _, turn := range []string{"at first", "again"} {
		if got := w.fast.respondAt(w.now, query, from, w.out[1][:0], &w.scratch); !bytes.Equal(got, want) {
			w.t.Fatalf("%s: the response to\n%x\nis\n%x\nand not\n%x", turn, query, got, want)
		}
	}
}

const (
	ann = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	ben = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	cat = "cccccccccccccccccccccccccccccccc"
)

// populate makes accounts with records of all the kinds that lead on.
func (w *twins) populate() {
	w.claim("example.com", ann)
	w.claim("example.org", ben)
	w.commit(ann, []string{"example.com"}, "@ A 192.0.2.1", "@ MX 10 mail.example.com.", "www A 192.0.2.2", "mail A 192.0.2.3",
		"mail AAAA 2001:db8::3", "*.wild TXT wild", "sub NS ns.sub.example.com.", "ns.sub A 192.0.2.4", "c CNAME www.example.org.",
		"d DNAME example.org.", "a.b.ent TXT deep", "Cased TXT x", "top ALIAS www.example.org.")
	w.commit(ben, []string{"example.org"}, "www A 192.0.2.5", "www A 192.0.2.6", "big TXT "+strings.Repeat(strings.Repeat("y", 200)+" ", 8))
	w.commit(cat, nil, "@ A 192.0.2.7")
}

// A turn is one step of a test: a change if its first octet says so, or a question.
const turnSize = 6

var (
	askedNames = []string{"", "www", "mail", "x.wild", "y.wild", "*.wild", "sub", "x.sub", "c", "a.d", "ent", "b.ent", "no", "no.www", "cased", "top", "big", "ns1", "n"}
	askedZones = []string{"example.com", "example.org", "namecast.example", ann + ".namecast.example", cat + ".namecast.example",
		"dddddddddddddddddddddddddddddddd.namecast.example", "w.example.com", "outside.test"}
	askedTypes = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeNS, dns.TypeSOA, dns.TypeDS, dns.TypeANY,
		dns.TypeCNAME, dns.TypeDNSKEY, dns.TypeNSEC, dns.TypeRRSIG, dns.TypeCDS, 1234, dns.TypeAXFR, dns.TypeOPT}
)

func (w *twins) turn(b []byte) {
	w.t.Helper()
	switch b[0] % 16 {
	case 0:
		account := []string{ann, ben, cat, strings.Repeat("d", 32)}[b[1]%4]
		line := fmt.Sprintf("%s A 192.0.2.%d", []string{"@", "www", "no", "x.wild", "new.sub"}[b[2]%5], b[3])
		if b[3]%5 == 0 {
			line = strings.Join(strings.Fields(line)[:2], " ")
		}
		domains := map[string][]string{ann: {"example.com"}, ben: {"example.org", "w.example.com"}}[account]
		w.commit(account, domains[:min(len(domains), int(b[4]%3))], line)
	case 1:
		w.claim([]string{"example.com", "w.example.com", "com", "outside.test"}[b[1]%4], []string{ann, ben}[b[2]%2])
	case 2:
		w.now = w.now.Add(time.Duration(b[1]) * time.Minute)
	default:
		w.ask(turnQuery(w.t, b), []transport{overUDP, overUDP, overTCP}[b[5]%3])
	}
}

// turnQuery is the question of a turn, in mixed case.
func turnQuery(t testing.TB, b []byte) []byte {
	t.Helper()
	q := new(dns.Msg)
	name := dns.Fqdn(strings.TrimPrefix(askedNames[int(b[1])%len(askedNames)]+"."+askedZones[int(b[2])%len(askedZones)], "."))
	q.SetQuestion(name, askedTypes[int(b[3])%len(askedTypes)])
	q.RecursionDesired = b[0]&0x10 != 0
	if b[4]&1 != 0 {
		q.SetEdns0([]uint16{0, 512, 1232, 4096}[b[4]>>1&3], b[4]&8 != 0)
		q.IsEdns0().SetCo(b[4]&16 != 0)
		if b[4]&32 != 0 {
			q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"})
		}
		if b[4]>>6 == 3 {
			q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
		}
	}
	wire, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for i := range min(len(name), len(wire)-13) {
		if c := wire[13+i]; 'a' <= c && c <= 'z' && b[0]>>5&1 != 0 && i%3 == 0 {
			wire[13+i] = c - 'a' + 'A'
		}
	}
	return wire
}

// TestFinishedAnswers holds that a server with finished answers says octet for
// octet what one without says, while accounts, domains and the time change.
func TestFinishedAnswers(t *testing.T) {
	for _, signed := range []bool{false, true} {
		t.Run(fmt.Sprintf("signed=%t", signed), func(t *testing.T) {
			w := newTwins(t, signed)
			w.populate()
			r := rand.New(rand.NewPCG(1, 2))
			n := 20000
			if signed {
				n = 5000
			}
			for range n {
				var b [turnSize]byte
				binary.BigEndian.PutUint32(b[:], r.Uint32())
				binary.BigEndian.PutUint16(b[4:], uint16(r.Uint32()))
				w.turn(b[:])
			}
			if s := w.fast.answers.held.Stats(); s.Entries < 50 {
				t.Errorf("only %d answers were kept", s.Entries)
			}
		})
	}
}

// FuzzFinishedAnswers is TestFinishedAnswers with steps that the fuzzer finds.
func FuzzFinishedAnswers(f *testing.F) {
	f.Add([]byte("\x03\x01\x00\x00\x00\x00\x00\x00\x01\x09\x01\x00\x03\x01\x00\x00\x00\x00"), false)
	f.Add([]byte("\x03\x0c\x00\x00\x0d\x00\x01\x01\x01\x00\x00\x00\x03\x0c\x00\x00\x0d\x00"), true)
	f.Fuzz(func(t *testing.T, turns []byte, signed bool) {
		w := newTwins(t, signed)
		w.populate()
		for ; len(turns) >= turnSize; turns = turns[turnSize:] {
			w.turn(turns[:turnSize])
		}
	})
}

// FuzzPlainQuery gives any octets: what is read in place is answered as what is
// read by the library.
func FuzzPlainQuery(f *testing.F) {
	for i := range 200 {
		f.Add(turnQuery(f, []byte{byte(i * 7), byte(i), byte(i * 3), byte(i * 5), byte(i * 11), 0}), byte(i))
	}
	plain, signed := newTwins(f, false), newTwins(f, true)
	plain.populate()
	signed.populate()
	f.Fuzz(func(t *testing.T, query []byte, over byte) {
		if len(query) < wire.HeaderSize || len(query) > maxQuery || query[2]&wire.FlagQR != 0 {
			return
		}
		plain.t, signed.t = t, t
		plain.ask(query, transport(over%3))
		signed.ask(query, transport(over%3))
	})
}

// TestFinishedAnswersAllocateNothing holds that the answer to a question that was
// asked before makes no garbage.
func TestFinishedAnswersAllocateNothing(t *testing.T) {
	w := newTwins(t, true)
	w.populate()
	for _, b := range [][]byte{{3, 1, 0, 0, 0, 0}, {3, 1, 0, 0, 1 | 2<<1 | 8 | 32, 0}, {3, 12, 0, 0, 0, 0}, {3, 3, 0, 3, 9, 0}} {
		query := turnQuery(t, b)
		from, out := client{overUDP, someone}, make([]byte, 0, maxQuery)
		w.fast.respondAt(w.now, query, from, out, &w.scratch)
		if n := testing.AllocsPerRun(100, func() { w.fast.respondAt(w.now, query, from, out, &w.scratch) }); n != 0 {
			t.Errorf("%x: %v allocations", query, n)
		}
	}
}

// TestNameThatWent keeps the denial of a name whose answer was kept before.
func TestNameThatWent(t *testing.T) {
	w := newTwins(t, true)
	w.populate()
	query := turnQuery(t, []byte{3, 1, 0, 0, 1 | 2<<1 | 8, 0})
	w.ask(query, overUDP)
	w.commit(ann, []string{"example.com"}, "www A")
	w.ask(query, overUDP)
	before := w.fast.Answers().Drawn
	w.ask(query, overUDP)
	if after := w.fast.Answers().Drawn; after != before {
		t.Errorf("drawn %d times again", after-before)
	}
}

// TestChangeIsSeenAtOnce asks as soon as a change was committed.
func TestChangeIsSeenAtOnce(t *testing.T) {
	w := newTwins(t, false)
	w.populate()
	query := turnQuery(t, []byte{3, 1, 0, 0, 0, 0})
	for i := range 200 {
		w.commit(ann, []string{"example.com"}, fmt.Sprintf("www A 192.0.2.%d", i))
		b := w.fast.respondAt(w.now, query, client{overUDP, someone}, nil, &w.scratch)
		if got := b[len(b)-1]; got != byte(i) {
			t.Fatalf("change %d: the answer ends in %d", i, got)
		}
	}
}

// BenchmarkRespond answers questions whose answers are kept, and such whose are not.
func BenchmarkRespond(b *testing.B) {
	w := newTwins(b, true)
	w.populate()
	w.fast.SetCookies(cookie.NewSecrets(cookie.Secret{1}))
	for _, c := range []struct {
		name string
		turn []byte
	}{
		{"A", []byte{3, 1, 0, 0, 0, 0}}, {"NXDOMAIN", []byte{3, 12, 0, 0, 0, 0}},
		{"A signed", []byte{3, 1, 0, 0, 1 | 2<<1 | 8, 0}}, {"A cookie", []byte{3, 1, 0, 0, 1 | 2<<1 | 32, 0}},
	} {
		query, out := turnQuery(b, c.turn), make([]byte, 0, maxQuery)
		for name, d := range map[string]*DNS{"kept": w.fast, "drawn": w.slow} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					d.respondAt(w.now, query, client{overUDP, someone}, out, &w.scratch)
				}
			})
		}
	}
}

// BenchmarkNegative answers questions for names that were never asked for, with
// DNSSEC: each takes a signature.
func BenchmarkNegative(b *testing.B) {
	w := newTwins(b, true)
	w.populate()
	q := new(dns.Msg)
	q.SetQuestion("nnnnnnnn."+cat+".namecast.example.", dns.TypeA)
	q.SetEdns0(1232, true)
	query, err := q.Pack()
	if err != nil {
		b.Fatal(err)
	}
	out, n := make([]byte, 0, maxQuery), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		copy(query[13:21], fmt.Sprintf("%08d", n))
		w.fast.respondAt(w.now, query, client{overUDP, someone}, out, &w.scratch)
	}
}

// TestFloodAsksNoStorage asks for names that do not exist, without number: after
// the first of each kind the store is not looked at.
func TestFloodAsksNoStorage(t *testing.T) {
	w := newTwins(t, false)
	w.populate()
	for round, drawn := range []uint64{4, 4} {
		for i := range 100 {
			for _, below := range []string{"namecast.example.", cat + ".namecast.example.", "example.org.", "w.x." + cat + ".namecast.example.", "www.example.org."} {
				w.ask(pack(t, fmt.Sprintf("n%d-%d.%s", round, i, below)), overUDP)
			}
		}
		if a := w.fast.Answers(); a.Drawn > drawn || a.Denied < uint64(round+1)*900 {
			t.Errorf("round %d: %+v", round, a)
		}
	}
	w.commit(cat, nil, "n0-1.x A 192.0.2.9") // and now there is one of them
	b := w.fast.respondAt(w.now, pack(t, "n0-1.x."+cat+".namecast.example."), client{overUDP, someone}, nil, &w.scratch)
	if got := told(t, b); got != "NOERROR" {
		t.Errorf("after it was made: %s", got)
	}
}

// pack is a question for an A record, packed.
func pack(t testing.TB, name string) []byte {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(name, dns.TypeA)
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
