package validate

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// How many forged answers are judged, and which: for a longer search,
//
//	go test -run TestOracle/nsd -forgeries 20000 -seed 7 ./lib/resolve/validate
var (
	forgeries = flag.Int("forgeries", 300, "forged answers to be judged")
	seed      = flag.Uint64("seed", 2, "of the forged answers")
)

// A forger makes wrong answers of right ones: it takes records away, changes them, and puts
// in others that are rightly signed, but say something else.
type forger struct {
	*rand.Rand
	asked  []Question            // questions that can be forged
	honest map[Question]State    // how the right answers are judged
	pool   map[string][]*dns.Msg // the right answers, by zone
}

// forged has both judge forged answers. None of them may be Secure by our judgement that
// unbound does not find secure as it is, or that says other than the truth.
func (w *tree) forged(t *testing.T, all []Question) {
	defer w.relay.Rewrite(nil)
	v := w.validator()
	f, truth := w.harvest(t, v, all)
	var mu sync.Mutex
	current := map[Question]*dns.Msg{}
	w.relay.Rewrite(func(q, a *dns.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if m := current[asked(q)]; m != nil {
			a.Rcode, a.Answer, a.Ns = m.Rcode, m.Answer, m.Ns
		}
	})
	counts := map[string]int{}
	for range *forgeries {
		q := f.asked[f.IntN(len(f.asked))]
		m, how := f.forge(q, truth[q].Copy())
		if wire, err := m.Pack(); err != nil || len(wire) > dns.MaxMsgSize/2 {
			continue
		}
		mu.Lock()
		current = map[Question]*dns.Msg{q: m}
		mu.Unlock()
		msg, err := w.upstream(t.Context(), q.Name, q.Type)
		if err != nil {
			t.Fatal(err)
		}
		theirs, a, err := w.oracle(q)
		if err != nil {
			t.Fatal(err)
		}
		ours := v.Judge(t.Context(), q, msg)
		counts[fmt.Sprintf("%v/%v", ours.State, theirs)]++
		if problem := differ(f.honest[q], ours.State, theirs, truth[q], m, a); problem != "" {
			t.Errorf("%v %s, %s: %s: %v (%v), unbound says %v\n%v\n%v", q.Name, dns.Type(q.Type), how, problem, ours.State, ours.Reason, theirs, m, a)
		}
	}
	t.Logf("forged answers, ours/unbound's: %v", counts)
}

func asked(m *dns.Msg) Question {
	return Question{rr.MustName(strings.ToLower(m.Question[0].Name)), m.Question[0].Qtype}
}

// harvest gets the honest answers.
func (w *tree) harvest(t *testing.T, v *Validator, all []Question) (*forger, map[Question]*dns.Msg) {
	f := &forger{rand.New(rand.NewPCG(4, *seed)), nil, map[Question]State{}, map[string][]*dns.Msg{}}
	truth := map[Question]*dns.Msg{}
	for i, q := range all {
		if i%4 > 0 || q.Name != q.Name.Lower() {
			continue
		}
		msg, err := w.upstream(t.Context(), q.Name, q.Type)
		if err != nil {
			t.Fatal(err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(msg); err != nil {
			t.Fatal(err)
		}
		if m.Rcode == dns.RcodeServerFailure {
			continue
		}
		truth[q] = m
		zone := tail(q.Name, 2).String()
		f.pool[zone] = append(f.pool[zone], m)
		f.honest[q] = v.Judge(t.Context(), q, msg).State
		if zone == "many.test" {
			f.honest[q] = Insecure // whatever is not signed may be said of it
		}
		if q.Type != dns.TypeDS && q.Type != dns.TypeDNSKEY && !unboundErrs(q) {
			f.asked = append(f.asked, q)
		}
	}
	return f, truth
}

// differ says what is wrong about two verdicts of a forged answer, if anything is. Unbound
// takes records away that do not belong to the answer, and corrects some codes, where we
// refuse; for what an alias leads to it asks again, and is told the truth; and of several
// signatures only the first says whose they are. If a denial ends with a wildcard, 1.17 takes
// that for one without records.
func differ(honest, ours, theirs State, truth, m, a *dns.Msg) string {
	isTrue := m.Rcode == truth.Rcode && slices.Equal(data(m.Answer), data(truth.Answer))
	switch {
	case ours == Indeterminate:
		return "no verdict"
	case ours == Secure && !isTrue:
		return "not the truth"
	case ours == Secure && theirs != Secure && !mixed(m):
		return "too mild"
	case ours == Insecure && honest == Secure && theirs != Insecure:
		return "degraded"
	case len(truth.Answer) > 0 && covered(truth.Answer[0]) != truth.Question[0].Qtype, toWildcard(m):
		return ""
	case theirs == Secure && ours != Secure && a.Rcode == m.Rcode &&
		slices.Equal(data(m.Answer), data(a.Answer)) && slices.Equal(data(m.Ns), data(a.Ns)):
		return "too strict"
	}
	return ""
}

// toWildcard says whether a denial ends with a wildcard.
func toWildcard(m *dns.Msg) bool {
	return slices.ContainsFunc(m.Ns, func(r dns.RR) bool {
		n, ok := r.(*dns.NSEC)
		return ok && strings.HasPrefix(n.NextDomain, "*.")
	})
}

// mixed says whether a set of an answer has signatures that name several zones.
func mixed(m *dns.Msg) bool {
	type owner struct {
		name string
		typ  uint16
	}
	by := map[owner]string{}
	for _, r := range slices.Concat(m.Answer, m.Ns) {
		sig, ok := r.(*dns.RRSIG)
		if !ok {
			continue
		}
		o := owner{strings.ToLower(sig.Hdr.Name), sig.TypeCovered}
		if by[o] != "" && by[o] != sig.SignerName {
			return true
		}
		by[o] = sig.SignerName
	}
	return false
}

// data is a section without what unbound may change: order, TTLs, signatures.
func data(section []dns.RR) (lines []string) {
	for _, r := range section {
		if r.Header().Rrtype != dns.TypeRRSIG {
			c := dns.Copy(r)
			c.Header().Ttl = 0
			lines = append(lines, strings.ToLower(c.String()))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// forge changes an answer once to three times, and says how.
func (f *forger) forge(q Question, m *dns.Msg) (*dns.Msg, string) {
	var how []string
	for range 1 + f.IntN(3) {
		near := f.pool[tail(q.Name, 2).String()]
		if f.IntN(6) == 0 {
			near = f.pool["test"]
		}
		if len(near) == 0 {
			near = f.pool["nsec.test"]
		}
		other := near[f.IntN(len(near))].Copy()
		section := &m.Answer
		if f.IntN(2) == 0 {
			section = &m.Ns
		}
		n := f.IntN(len(tricks))
		tricks[n].do(f, q, m, section, other)
		how = append(how, tricks[n].name)
	}
	return m, strings.Join(how, ", ")
}

// tricks are the ways to forge an answer: in a section of it, or with another one.
var tricks = []struct {
	name string
	do   func(f *forger, q Question, m *dns.Msg, section *[]dns.RR, other *dns.Msg)
}{
	{"drop a record", func(f *forger, _ Question, _ *dns.Msg, s *[]dns.RR, _ *dns.Msg) {
		if len(*s) > 0 {
			i := f.IntN(len(*s))
			*s = slices.Delete(*s, i, i+1)
		}
	}},
	{"drop a set", func(f *forger, _ Question, _ *dns.Msg, s *[]dns.RR, _ *dns.Msg) {
		if r := f.one(*s); r != nil {
			*s = slices.DeleteFunc(*s, func(o dns.RR) bool { return o.Header().Name == r.Header().Name && covered(o) == covered(r) })
		}
	}},
	{"other denial", func(_ *forger, _ Question, m *dns.Msg, _ *[]dns.RR, o *dns.Msg) { m.Ns = o.Ns }},
	{"more denial", func(_ *forger, _ Question, m *dns.Msg, _ *[]dns.RR, o *dns.Msg) { m.Ns = append(m.Ns, o.Ns...) }},
	{"other answer", func(_ *forger, _ Question, m *dns.Msg, _ *[]dns.RR, o *dns.Msg) {
		m.Rcode, m.Answer, m.Ns = o.Rcode, o.Answer, o.Ns
	}},
	{"other answer renamed", func(_ *forger, q Question, m *dns.Msg, _ *[]dns.RR, o *dns.Msg) {
		from := ""
		for _, r := range o.Answer {
			if h := r.Header(); from == "" || h.Name == from {
				from, h.Name = h.Name, q.Name.FQDN()
			}
		}
		m.Answer = o.Answer
	}},
	{"denial renamed", func(f *forger, q Question, m *dns.Msg, _ *[]dns.RR, o *dns.Msg) {
		for _, r := range o.Ns {
			if covered(r) == dns.TypeNSEC {
				r.Header().Name = q.Name.FQDN()
			}
		}
		m.Ns = append(m.Ns, o.Ns...)
	}},
	{"other code", func(_ *forger, _ Question, m *dns.Msg, _ *[]dns.RR, _ *dns.Msg) {
		m.Rcode = dns.RcodeNameError - m.Rcode
	}},
	{"no answer", func(_ *forger, _ Question, m *dns.Msg, _ *[]dns.RR, _ *dns.Msg) { m.Answer = nil }},
	{"no answer, other denial", func(_ *forger, _ Question, m *dns.Msg, _ *[]dns.RR, o *dns.Msg) {
		m.Answer, m.Ns, m.Rcode = nil, o.Ns, o.Rcode
	}},
	{"no signatures", func(f *forger, _ Question, _ *dns.Msg, s *[]dns.RR, _ *dns.Msg) {
		*s = slices.DeleteFunc(*s, func(r dns.RR) bool { return r.Header().Rrtype == dns.TypeRRSIG })
	}},
	{"another signer", func(f *forger, q Question, _ *dns.Msg, s *[]dns.RR, _ *dns.Msg) {
		for _, r := range *s {
			if sig, ok := r.(*dns.RRSIG); ok {
				sig.SignerName = []string{"test.", ".", q.Name.FQDN(), "ins." + sig.SignerName}[f.IntN(4)]
			}
		}
	}},
	{"changed data", func(f *forger, _ Question, _ *dns.Msg, s *[]dns.RR, _ *dns.Msg) { f.spoil(f.one(*s)) }},
	{"made up", func(_ *forger, q Question, m *dns.Msg, _ *[]dns.RR, _ *dns.Msg) {
		m.Rcode, m.Ns = 0, nil
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name.FQDN(), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: []byte{192, 0, 2, 66}}}
	}},
}

// covered is the type of the set that a record or signature is of.
func covered(r dns.RR) uint16 {
	if sig, ok := r.(*dns.RRSIG); ok {
		return sig.TypeCovered
	}
	return r.Header().Rrtype
}

func (f *forger) one(section []dns.RR) dns.RR {
	if len(section) == 0 {
		return nil
	}
	return section[f.IntN(len(section))]
}

// spoil changes something in a record.
func (f *forger) spoil(r dns.RR) {
	switch r := r.(type) {
	case *dns.A:
		r.A = []byte{192, 0, 2, byte(f.IntN(256))}
	case *dns.RRSIG:
		switch f.IntN(5) {
		case 0:
			r.Expiration += 3600
		case 1:
			r.Labels--
		case 2:
			r.KeyTag++
		case 3:
			r.OrigTtl++
		case 4:
			r.Signature = "AAAA" + r.Signature[4:]
		}
	case *dns.NSEC:
		if f.IntN(2) == 0 {
			r.NextDomain = "zzz." + r.NextDomain
		} else {
			r.TypeBitMap = nil
		}
	case *dns.NSEC3:
		switch f.IntN(3) {
		case 0:
			r.Flags ^= 1
		case 1:
			r.TypeBitMap = nil
		case 2:
			r.Iterations = 2000
		}
	case *dns.SOA:
		r.Serial++
	case *dns.CNAME:
		r.Target = "www." + r.Hdr.Name
	}
}
