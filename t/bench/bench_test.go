package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/bench/load"
	"namecast/t/tools"
)

// node is a running nc-serve with no limits and the accounts of a dataset.
func node(t *testing.T, bin string, accounts int) (d *dataset, dnsAddr, nupAddr netip.AddrPort) {
	t.Helper()
	args := []string{"-domain", domain, "-ns", "ns1." + domain + "=192.0.2.53"}
	for _, flag := range []string{"rrl", "rate-source", "rate-account", "rate-new", "rate-new-source", "rate-verify", "rate-sign"} {
		args = append(args, "-"+flag, "none")
	}
	s := tools.Serve(t, bin, t.TempDir(), args...)
	d = newDataset(accounts)
	nupAddr = netip.MustParseAddrPort(s.Words["nup"])
	r := drive(t, nupAddr, newAccountMaker(d, 8))
	if r.Good != uint64(accounts) || r.Wrong > 0 {
		t.Fatalf("want %d accounts made, got %d and %d refused", accounts, r.Good, r.Wrong)
	}
	return d, netip.MustParseAddrPort(s.Words["dns"]), nupAddr
}

// drive runs a source that comes to an end.
func drive(t *testing.T, addr netip.AddrPort, s load.Source) load.Result {
	t.Helper()
	r, err := load.Run(t.Context(), load.Plan{Measure: 30 * time.Second}, load.Stream{Addr: addr, Sockets: 2, Window: 4, Source: s})
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

// TestNode sends what is made here to the real node: it must take the packets
// and give the answers that the load takes for right.
func TestNode(t *testing.T) {
	bin := tools.Build(t)
	d, dnsAddr, nupAddr := node(t, bin, 40)
	t.Run("records are served", func(t *testing.T) { checkRecords(t, d, dnsAddr) })
	for _, m := range mixes {
		t.Run(m.name, func(t *testing.T) {
			q := newQuestions(d, m)
			r, err := load.Run(t.Context(), load.Plan{Measure: 30 * time.Second, Count: 2000},
				load.Stream{Addr: dnsAddr, Sockets: 2, Window: 4, Source: q})
			if err != nil {
				t.Fatal(err)
			}
			if r[0].Good < 2000 || r[0].Wrong > 0 {
				t.Errorf("want 2000 right answers, got %d right and %d wrong", r[0].Good, r[0].Wrong)
			}
		})
	}
	t.Run("updates", func(t *testing.T) {
		u := newNUPUpdater(len(d.accounts), 8)
		for range 2 { // sequence numbers go on
			if err := u.prepare(80); err != nil {
				t.Fatal(err)
			}
			if r := drive(t, nupAddr, u); r.Good < 40 || r.Wrong > 0 { // it ends with the first slot that has no more
				t.Errorf("want 40 updates taken, got %d and %d refused", r.Good, r.Wrong)
			}
		}
	})
	t.Run("a bad signature is refused", func(t *testing.T) {
		u := newNUPUpdater(1, 8)
		p := updatePacket(accountKey(0), 1<<40)
		p[sequenceAt]++
		u.slots[0].queue = []*change{{packet: p}}
		if r := drive(t, nupAddr, u); r.Wrong != 1 || r.Good != 0 {
			t.Errorf("want one refusal, got %d and %d taken", r.Wrong, r.Good)
		}
	})
	t.Run("a backup is restored", func(t *testing.T) { checkRestore(t, bin) })
	t.Run("profiles are taken", func(t *testing.T) { checkProfiles(t, bin) })
}

func checkRecords(t *testing.T, d *dataset, addr netip.AddrPort) {
	t.Helper()
	for i, name := range d.accounts {
		for _, o := range owners {
			m := new(dns.Msg)
			m.SetQuestion(fqdn(name, o.label)+".", o.qtype)
			r, err := dns.Exchange(m, addr.String())
			if err != nil {
				t.Fatal(err)
			}
			want, _ := netip.AddrFromSlice(address(i, 0, o.qtype))
			if len(r.Answer) != 1 || !strings.HasSuffix(r.Answer[0].String(), "\t"+want.String()) || r.Answer[0].Header().Ttl != recordTTL {
				t.Fatalf("%s %s: want %s, got %v", m.Question[0].Name, typeName(o.qtype), want, r.Answer)
			}
		}
	}
}

// TestZone reads the zone file with another's parser.
func TestZone(t *testing.T) {
	d := newDataset(3)
	path := filepath.Join(t.TempDir(), "zone")
	if err := d.writeZone(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := dns.NewZoneParser(f, "", path)
	n := 0
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if !dns.IsSubDomain(domain+".", rr.Header().Name) {
			t.Errorf("not in the zone: %s", rr)
		}
		n++
	}
	if want := 3 + d.records(); p.Err() != nil || n != want {
		t.Errorf("want %d records, got %d, %v", want, n, p.Err())
	}
}

func TestQuestionsAreWhatTheMixSays(t *testing.T) {
	d := newDataset(100)
	for _, m := range mixes {
		q := newQuestions(d, m)
		var edns, do, cookie, nothing int
		for _, x := range q.list {
			var msg dns.Msg
			if err := msg.Unpack(q.wire[x.start:x.end]); err != nil {
				t.Fatalf("%s: %v", m.name, err)
			}
			if x.rcodes&nxDomain != 0 {
				nothing++
			}
			if o := msg.IsEdns0(); o != nil {
				edns++
				cookie += len(o.Option)
				if o.Do() {
					do++
				}
			}
		}
		share := func(n int) int { return (100*n + len(q.list)/2) / len(q.list) }
		got := []int{share(nothing), share(edns), share(do), share(cookie)}
		want := map[string][]int{"mixed": {15, 0, 0, 0}, "uniform": {0, 0, 0, 0}, "flood": {100, 0, 0, 0},
			"resolver": {15, 90, 70, 20}, "negatives": {100, 100, 100, 0}}[m.name]
		for i := range want {
			if d := got[i] - want[i]; d < -1 || d > 1 {
				t.Errorf("%s: want shares of NXDOMAIN, EDNS, DO, cookies about %v %%, got %v", m.name, want, got)
				break
			}
		}
	}
}

func TestFreshNamesDiffer(t *testing.T) {
	q := newQuestions(newDataset(10), mixes[slices.IndexFunc(mixes, func(m mix) bool { return m.fresh })])
	seen := map[string]bool{}
	const n = 3 * minQuestions
	for range n {
		var m dns.Msg
		if err := m.Unpack(q.Next(0)); err != nil {
			t.Fatal(err)
		}
		seen[m.Question[0].Name] = true
	}
	if len(seen) != n {
		t.Errorf("%d names in %d questions", len(seen), n)
	}
}

func TestJudge(t *testing.T) {
	mixed, err := mixNamed("mixed")
	if err != nil {
		t.Fatal(err)
	}
	q := newQuestions(newDataset(10), mixed)
	for !q.list[q.next].answer {
		q.next++
	}
	good := slices.Clone(q.Next(5)[:headerLen])
	good[2], good[3], good[7] = 0x84, 0, 1
	with := func(at int, v byte) []byte {
		b := slices.Clone(good)
		b[at] = v
		return b
	}
	for _, c := range []struct {
		name string
		p    []byte
		want load.Verdict
	}{
		{"right", good, load.Good},
		{"cut off", good[:11], load.Stale},
		{"of another turn", with(0, good[0]^0x80), load.Stale},
		{"not a response", with(2, 0x04), load.Wrong},
		{"truncated", with(2, 0x86), load.Wrong},
		{"not authoritative", with(2, 0x80), load.Wrong},
		{"another code", with(3, 3), load.Wrong},
		{"empty", with(7, 0), load.Wrong},
	} {
		t.Run(c.name, func(t *testing.T) {
			if slot, v := q.Judge(c.p); v != c.want || v != load.Stale && slot != 5 {
				t.Errorf("want slot 5, %d; got %d, %d", c.want, slot, v)
			}
		})
	}
}

func TestVersionsDiffer(t *testing.T) {
	for _, qtype := range []uint16{typeA, typeAAAA} {
		seen := map[string]bool{}
		for version := 0; version < 1<<20; version += 1 << 10 {
			seen[string(address(7, version, qtype))] = true
		}
		if len(seen) != 1<<10 {
			t.Errorf("%s: 1024 versions are %d addresses", typeName(qtype), len(seen))
		}
	}
}

func TestDynamicUpdates(t *testing.T) {
	d := newDataset(10)
	u := newTSIGUpdater(d, 4)
	if err := u.prepare(3); err != nil {
		t.Fatal(err)
	}
	p := u.Next(2)
	if err := dns.TsigVerify(p, tsigSecret, "", false); err != nil {
		t.Error(err)
	}
	var m dns.Msg
	if err := m.Unpack(p); err != nil || m.Opcode != dns.OpcodeUpdate || len(m.Ns) != 2 {
		t.Errorf("want an update of two records, got %v, %v", &m, err)
	}
	reply := slices.Clone(p[:headerLen])
	if slot, v := u.Judge(reply); slot != 2 || v != load.Good {
		t.Errorf("want slot 2 and good, got %d, %d", slot, v)
	}
	reply[3] |= dns.RcodeRefused
	if slot, v := u.Judge(reply); slot != 2 || v != load.Wrong {
		t.Errorf("want slot 2 and wrong, got %d, %d", slot, v)
	}
	reply[0]++
	if _, v := u.Judge(reply); v != load.Stale {
		t.Errorf("want a stale reply, got %d", v)
	}
}

func TestProcess(t *testing.T) {
	dir := t.TempDir()
	p, err := spawn(runtime.NumCPU()-1, dir, filepath.Join(dir, "log"), "/bin/sh", "-c", "echo begun; sleep 60 & wait")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	deadline := time.Now().Add(10 * time.Second)
	for len(p.family()) != 2 || p.tail() != "begun\n" {
		if time.Now().After(deadline) {
			t.Fatalf("want two processes and a line, got %d and %q", len(p.family()), p.tail())
		}
		runtime.Gosched()
	}
	pids := p.family()
	if cpuTime(pids) <= 0 || memory(pids) <= 0 {
		t.Errorf("want some time and memory, got %v, %d", cpuTime(pids), memory(pids))
	}
	p.stop()
	p.stop()
	if got := p.family(); len(got) != 0 {
		t.Errorf("still there after stop: %v", got)
	}
}

func TestDNSPerfFigure(t *testing.T) {
	const out = "Statistics:\n\n  Queries sent:         1867\n  Queries completed:    1866 (99.95%)\n  Queries per second:   61234.500000\n"
	for what, want := range map[string]float64{"Queries completed": 1866, "Queries per second": 61234.5, "Queries lost": 0} {
		if got := dnsperfFigure(out, what); got != want {
			t.Errorf("%s: want %v, got %v", what, want, got)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       options
		problem string
	}{
		{"full", options{outstanding: 64, pace: 1}, ""},
		{"short", options{short: true, outstanding: 64, pace: 1}, ""},
		{"server", options{servers: "nsd,djb", outstanding: 64, pace: 1}, `no server "djb"`},
		{"work", options{works: "sleep", outstanding: 64, pace: 1}, `no work "sleep"`},
		{"few accounts", options{accounts: 100, outstanding: 64, pace: 1}, "updates with 64 outstanding need 256 accounts"},
		{"outstanding", options{outstanding: 3, pace: 1}, "a number is out of range"},
		{"check", options{short: true, check: "short.tsv", outstanding: 64, pace: 1}, ""},
		{"profile", options{profile: "folder", outstanding: 64, pace: 1}, ""},
		{"profile of another", options{profile: "folder", servers: "nsd", outstanding: 64, pace: 1}, "profiles are of nc-serve alone, and not of dnsperf"},
		{"profile and check", options{profile: "folder", check: "short.tsv", servers: ncServe, outstanding: 64, pace: 1}, "-profile and -check exclude each other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.o.complete(nil); got != c.problem {
				t.Errorf("want %q, got %q", c.problem, got)
			}
		})
	}
}

// FuzzReplies gives any octets to everything that judges replies.
func FuzzReplies(f *testing.F) {
	d := newDataset(4)
	u, m, dyn := newNUPUpdater(4, 4), newAccountMaker(d, 4), newTSIGUpdater(d, 4)
	for _, x := range []updater{u, dyn} {
		if err := x.prepare(4); err != nil {
			f.Fatal(err)
		}
		f.Add(x.Next(1))
	}
	f.Add(m.Next(2))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []load.Source{u, m, dyn} {
			if slot, _ := s.Judge(b); slot < 0 || slot > 3 {
				t.Errorf("slot %d", slot)
			}
		}
	})
}
