package compare

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// A diff is one respect in which two answers differ.
type diff struct {
	what         string // "rcode", "aa", ..., "answer", "authority", "additional", "opt"
	ours, theirs string
	more, less   []string // of a section: the records that only we, only they have
}

func (d diff) String() string {
	if d.more == nil && d.less == nil {
		return fmt.Sprintf("%s: ours %s, theirs %s", d.what, d.ours, d.theirs)
	}
	return fmt.Sprintf("%s:\n\tonly ours   %s\n\tonly theirs %s", d.what,
		strings.Join(d.more, "\n\t            "), strings.Join(d.less, "\n\t            "))
}

// compare finds every respect in which two answers differ.
func compare(ours, theirs *dns.Msg) []diff {
	var out []diff
	note := func(what string, a, b any) {
		if a, b := fmt.Sprint(a), fmt.Sprint(b); a != b {
			out = append(out, diff{what: what, ours: a, theirs: b})
		}
	}
	note("rcode", dns.RcodeToString[ours.Rcode], dns.RcodeToString[theirs.Rcode])
	note("opcode", ours.Opcode, theirs.Opcode)
	note("qr", ours.Response, theirs.Response)
	note("aa", ours.Authoritative, theirs.Authoritative)
	note("tc", ours.Truncated, theirs.Truncated)
	note("rd", ours.RecursionDesired, theirs.RecursionDesired)
	note("ra", ours.RecursionAvailable, theirs.RecursionAvailable)
	note("ad", ours.AuthenticatedData, theirs.AuthenticatedData)
	note("cd", ours.CheckingDisabled, theirs.CheckingDisabled)
	note("z", ours.Zero, theirs.Zero)
	note("question", ours.Question, theirs.Question)
	note("opt", optOf(ours), optOf(theirs))
	note("tsig", tsigOf(ours), tsigOf(theirs))
	for _, s := range []struct {
		what string
		a, b []dns.RR
	}{
		{"answer", ours.Answer, theirs.Answer}, {"authority", ours.Ns, theirs.Ns}, {"additional", ours.Extra, theirs.Extra},
	} {
		more, less := minus(s.a, s.b), minus(s.b, s.a)
		if len(more)+len(less) > 0 {
			out = append(out, diff{what: s.what, more: more, less: less})
		}
	}
	return out
}

// optOf is what is compared of EDNS: whether it is there, its version and DO.
func optOf(m *dns.Msg) string {
	o := m.IsEdns0()
	if o == nil {
		return "none"
	}
	return fmt.Sprintf("version %d do %t", o.Version(), o.Do())
}

// tsigOf is what is compared of a TSIG record.
func tsigOf(m *dns.Msg) string {
	t := m.IsTsig()
	if t == nil {
		return "none"
	}
	return fmt.Sprintf("%s error %d mac %d", t.Hdr.Name, t.Error, t.MACSize)
}

// minus gives the records of a that b lacks, OPT and TSIG aside.
func minus(a, b []dns.RR) []string {
	have := map[string]int{}
	for _, r := range b {
		have[line(r)]++
	}
	var out []string
	for _, r := range a {
		if l := line(r); r.Header().Rrtype != dns.TypeOPT && r.Header().Rrtype != dns.TypeTSIG {
			if have[l] > 0 {
				have[l]--
			} else {
				out = append(out, l)
			}
		}
	}
	sort.Strings(out)
	return out
}

// line is a record as it is compared: the case of names does not count.
func line(r dns.RR) string {
	h := *r.Header()
	h.Name = strings.ToLower(h.Name)
	data := strings.TrimPrefix(r.String(), r.Header().String())
	if u, ok := r.(*dns.RFC3597); ok {
		data = u.Rdata // its text has a header of its own form
	}
	if slices.Contains(nameTypes, h.Rrtype) {
		data = strings.ToLower(data)
	}
	return strings.ReplaceAll(h.String()+data, "\t", " ")
}

// nameTypes are the types whose data are names and numbers.
var nameTypes = []uint16{
	dns.TypeNS, dns.TypeCNAME, dns.TypeSOA, dns.TypePTR, dns.TypeMX, dns.TypeDNAME, dns.TypeSRV, dns.TypeRP,
	dns.TypeAFSDB, dns.TypeRT, dns.TypeKX, dns.TypePX, dns.TypeLP,
}

// A tally counts what was found.
type tally struct {
	peers                        []string    // whom answers are compared with
	exceptions                   []exception // that are known
	questions, comparisons, same int
	hits                         map[string]int // by exception
	alone                        map[string]int // by exception: all peers give one and the same answer
	failures                     int
	failed                       map[string]*failure // by sort
}

func newTally(peers []string, known []exception) *tally {
	return &tally{peers: peers, exceptions: known, hits: map[string]int{}, alone: map[string]int{}, failed: map[string]*failure{}}
}

// question compares our answer to one question with those of all peers.
func (y *tally) question(t *testing.T, q question, ours *dns.Msg, theirs map[string]*dns.Msg) {
	y.questions++
	if len(ours.Question) != 1 || !bytes.Equal(wireName(ours.Question[0].Name), wireName(q.name)) {
		t.Errorf("%s: the question returned as %v", q, ours.Question)
	}
	excused := map[string]map[string]bool{} // exception, peer
	for _, peer := range y.peers {
		r, ok := theirs[peer]
		if !ok {
			continue
		}
		y.comparisons++
		x := exchange{q, peer, ours, r}
		diffs := compare(ours, r)
		if len(diffs) == 0 {
			y.same++
		}
		for _, d := range diffs {
			if e := excuse(y.exceptions, x, d); e != "" {
				if excused[e] == nil {
					excused[e] = map[string]bool{}
				}
				excused[e][peer] = true
				continue
			}
			y.fail(x, d)
		}
	}
	for e, by := range excused {
		y.hits[e]++
		if len(by) == len(y.peers) && agree(y.peers, theirs) {
			y.alone[e]++
		}
	}
}

// agree reports whether all answers are the same.
func agree(peers []string, answers map[string]*dns.Msg) bool {
	for i := range peers[1:] {
		if len(compare(answers[peers[i]], answers[peers[i+1]])) > 0 {
			return false
		}
	}
	return true
}

// fail notes an unexplained difference; those of one sort are reported together.
func (y *tally) fail(x exchange, d diff) {
	y.failures++
	key := x.peer + ": " + d.sort()
	f := y.failed[key]
	if f == nil {
		f = &failure{example: fmt.Sprintf("%s: %s", x.q, d)}
		y.failed[key] = f
	}
	f.count++
}

// A failure is one sort of unexplained difference.
type failure struct {
	count   int
	example string
}

// sort tells differences of one kind from those of another: for a section, by
// the types of the records that one side lacks.
func (d diff) sort() string {
	if d.more == nil && d.less == nil {
		return fmt.Sprintf("%s: ours %s, theirs %s", d.what, d.ours, d.theirs)
	}
	return fmt.Sprintf("%s: more %v, less %v", d.what, kindsOf(d.more), kindsOf(d.less))
}

// kindsOf are the types of records in the form of line.
func kindsOf(lines []string) []string {
	var out []string
	for _, l := range lines {
		if f := strings.Fields(l); !slices.Contains(out, f[3]) {
			out = append(out, f[3])
		}
	}
	slices.Sort(out)
	return out
}

// report prints the counts. An exception that was never needed is a lie.
func (y *tally) report(t *testing.T) {
	t.Logf("%d questions, %d comparisons, %d the same in every respect, %d unexplained differences",
		y.questions, y.comparisons, y.same, y.failures)
	for _, sort := range slices.Sorted(maps.Keys(y.failed)) {
		f := y.failed[sort]
		t.Errorf("%d times %s, as in\n%s", f.count, sort, f.example)
	}
	for _, e := range y.exceptions {
		t.Logf("%5d questions, %d against peers that agree: %s: %s", y.hits[e.name], y.alone[e.name], e.name, e.reason)
		if y.hits[e.name] == 0 {
			t.Errorf("exception %q never applied", e.name)
		}
	}
}

// keep writes the zone files to a folder, to look at.
func keep(t *testing.T, dir string, files map[string]string) {
	for zone, text := range files {
		if err := os.WriteFile(filepath.Join(dir, zone), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
