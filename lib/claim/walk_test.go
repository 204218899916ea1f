package claim_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/claim"
	"namecast/lib/rr"
	"namecast/t/peers"
)

const account = "k3vzqw5gq6tmsnb3rj4ro5uuxlo2w7ay"

var (
	base   = rr.MustName("namecast.example")
	domain = rr.MustName("example.test")
	proof  = "validate-" + account + ".example.test."
)

// An actor plays a name server: it fills in the answer to a query and reports
// whether to send it.
type actor func(q dns.Question, a *dns.Msg, tcp bool) bool

// play runs actors, each at its own address but on one port, until the test
// ends. It returns a Prover whose resolver is the actor at 127.0.54.1.
func play(t testing.TB, actors map[string]actor) *claim.Prover {
	t.Helper()
	port := peers.FreePort(t)
	for host, act := range actors {
		addr := net.JoinHostPort(host, fmt.Sprint(port))
		p, err := net.ListenPacket("udp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		run(t, &dns.Server{PacketConn: p}, act, false)
		run(t, &dns.Server{Listener: l}, act, true)
	}
	return &claim.Prover{
		Base: base, Port: uint16(port), AllowPrivate: true, Timeout: 2 * time.Second,
		Resolvers: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.54.1"), uint16(port))},
	}
}

func run(t testing.TB, s *dns.Server, act actor, tcp bool) {
	s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		a.Compress = true
		if act(q.Question[0], a, tcp) {
			_ = w.WriteMsg(a) // the prover may have given up
		}
	})
	started, ended := make(chan struct{}), make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() { defer close(ended); s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.ShutdownContext(ctx) // only says that a handler was still at work
		<-ended
	})
}

// answer appends records to a section.
func answer(section *[]dns.RR, lines ...string) {
	for _, line := range lines {
		r, err := dns.NewRR(line)
		if err != nil {
			panic(err)
		}
		*section = append(*section, r)
	}
}

// resolver knows the servers of test, and the addresses of names in known.
func resolver(servers []string, known map[string]string) actor {
	return func(q dns.Question, a *dns.Msg, _ bool) bool {
		name := strings.ToLower(q.Name)
		switch {
		case q.Qtype == dns.TypeNS && name == "test.":
			for _, s := range servers {
				answer(&a.Answer, "test. 60 NS "+s)
			}
		case q.Qtype == dns.TypeA && known[name] != "":
			answer(&a.Answer, name+" 60 A "+known[name])
		}
		return true
	}
}

// parent refers everything to the given servers of example.test, as NS A pairs.
func parent(pairs ...string) actor {
	return func(q dns.Question, a *dns.Msg, _ bool) bool {
		if q.Qtype == dns.TypeDS {
			a.Authoritative = true
			return true
		}
		for i := 0; i < len(pairs); i += 2 {
			answer(&a.Ns, "example.test. 60 NS "+pairs[i])
			if pairs[i+1] != "" {
				answer(&a.Extra, pairs[i]+" 60 A "+pairs[i+1])
			}
		}
		return true
	}
}

// child has one CNAME at the proof name.
func child(target string) actor {
	return func(q dns.Question, a *dns.Msg, _ bool) bool {
		a.Authoritative = true
		if strings.EqualFold(q.Name, proof) {
			answer(&a.Answer, q.Name+" 60 CNAME "+target)
			return true
		}
		a.Rcode = dns.RcodeNameError
		return true
	}
}

func silent(dns.Question, *dns.Msg, bool) bool { return false }

func refuse(_ dns.Question, a *dns.Msg, _ bool) bool {
	a.Rcode = dns.RcodeRefused
	return true
}

var testServer = resolver([]string{"ns.test."}, map[string]string{"ns.test.": "127.0.54.2"})

func TestServersThatMisbehave(t *testing.T) {
	good := child("namecast.example.")
	onlyTCP := func(q dns.Question, a *dns.Msg, tcp bool) bool {
		if a.Truncated = !tcp; !tcp {
			return true
		}
		return good(q, a, tcp)
	}
	lowers := func(q dns.Question, a *dns.Msg, tcp bool) bool {
		a.Question[0].Name = strings.ToLower(q.Name)
		return good(q, a, tcp)
	}
	otherID := func(q dns.Question, a *dns.Msg, tcp bool) bool {
		a.Id++
		return good(q, a, tcp)
	}
	recursive := func(q dns.Question, a *dns.Msg, tcp bool) bool {
		good(q, a, tcp)
		a.Authoritative = false
		return true
	}
	everyName := func(q dns.Question, a *dns.Msg, _ bool) bool {
		a.Authoritative = true
		answer(&a.Answer, q.Name+" 60 CNAME namecast.example.")
		return true
	}
	for _, c := range []struct {
		name string
		at3  actor // one of two servers of example.test
		at4  actor
		want error
		text string
	}{
		{name: "none does", at3: good, at4: good},
		{name: "one refuses", at3: refuse, at4: good},
		{name: "one is silent", at3: good, at4: silent},
		{name: "one answers from a cache", at3: good, at4: recursive},
		{name: "answers fit TCP only", at3: onlyTCP, at4: onlyTCP},
		{name: "they do not keep letter case", at3: lowers, at4: lowers},
		{name: "one answers with another id", at3: good, at4: otherID},
		{name: "all refuse", at3: refuse, at4: refuse, want: claim.ErrTimeout, text: "REFUSED"},
		{name: "all are silent", at3: silent, at4: silent, want: claim.ErrTimeout, text: "127.0.54.3 is silent"},
		{name: "one has no record", at3: good, at4: child("."), want: claim.ErrDisagree},
		{name: "one has another record", at3: child("evil.example."), at4: good, want: claim.ErrDisagree},
		{name: "both have another record", at3: child("evil.example."), at4: child("evil.example."), want: claim.ErrTarget, text: "evil.example"},
		{name: "every name is an alias", at3: everyName, at4: everyName, want: claim.ErrWildcard},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := play(t, map[string]actor{
				"127.0.54.1": testServer,
				"127.0.54.2": parent("ns1.example.test.", "127.0.54.3", "ns2.example.test.", "127.0.54.4"),
				"127.0.54.3": c.at3, "127.0.54.4": c.at4,
			})
			check(t, p.Prove(t.Context(), domain, account), c.want, c.text)
		})
	}
}

// check compares an error with the one wanted, whose text must have a part.
func check(t *testing.T, got, want error, text string) {
	t.Helper()
	if !errors.Is(got, want) || got != nil && want == nil {
		t.Fatalf("want %v, got %v", want, got)
	}
	if got == nil {
		return
	}
	if !strings.Contains(got.Error(), text) || strings.ContainsAny(got.Error(), "\n") {
		t.Errorf("want one line with %q, got %q", text, got)
	}
	t.Log(got)
}

// TestNXNSAttack has a delegation to a hundred names of a victim.
func TestNXNSAttack(t *testing.T) {
	var pairs []string
	for i := range 100 {
		pairs = append(pairs, fmt.Sprintf("ns%d.victim.example.", i), "")
	}
	var asked atomic.Int32
	p := play(t, map[string]actor{
		"127.0.54.1": func(q dns.Question, a *dns.Msg, tcp bool) bool {
			if strings.HasSuffix(strings.ToLower(q.Name), ".victim.example.") {
				asked.Add(1)
			}
			return testServer(q, a, tcp)
		},
		"127.0.54.2": parent(pairs...),
	})
	check(t, p.Prove(t.Context(), domain, account), claim.ErrTimeout, "have no address")
	if n := asked.Load(); n > 16 {
		t.Errorf("%d queries about the victim's names", n)
	}
}

// TestEndlessDelegation has servers that always refer one label further down.
func TestEndlessDelegation(t *testing.T) {
	deep := rr.MustName(strings.Repeat("a.", 60) + "test")
	var queries atomic.Int32
	p := play(t, map[string]actor{
		"127.0.54.1": testServer,
		"127.0.54.2": func(q dns.Question, a *dns.Msg, _ bool) bool {
			labels := dns.SplitDomainName(q.Name)
			n := min(int(queries.Add(1)), len(labels)-2)
			answer(&a.Ns, strings.Join(labels[len(labels)-n-1:], ".")+". 60 NS ns.test.")
			answer(&a.Extra, "ns.test. 60 A 127.0.54.2")
			return true
		},
	})
	check(t, p.Prove(t.Context(), deep, account), claim.ErrTimeout, "")
	if n := queries.Load(); n > 2*claim.MaxQueries {
		t.Errorf("%d queries", n)
	}
}

func TestAddressesThatAreNotPublic(t *testing.T) {
	p := play(t, map[string]actor{"127.0.54.1": testServer, "127.0.54.2": func(dns.Question, *dns.Msg, bool) bool {
		t.Error("a server on loopback was asked")
		return false
	}})
	p.AllowPrivate = false
	check(t, p.Prove(t.Context(), domain, account), claim.ErrTimeout, "not at public addresses")
}

// TestProofNameDelegatedAway registers the proof name itself as a domain.
func TestProofNameDelegatedAway(t *testing.T) {
	p := play(t, map[string]actor{
		"127.0.54.1": testServer,
		"127.0.54.2": func(q dns.Question, a *dns.Msg, _ bool) bool {
			answer(&a.Ns, proof+" 60 NS ns.evil.test.")
			answer(&a.Extra, "ns.evil.test. 60 A 127.0.54.3")
			return true
		},
		"127.0.54.3": child("namecast.example."),
	})
	check(t, p.Prove(t.Context(), domain, account), claim.ErrMissing, "delegation")
}

func TestResolverTrouble(t *testing.T) {
	for _, c := range []struct {
		name string
		act  actor
		want error
		text string
	}{
		{"silent", silent, claim.ErrTimeout, "resolver is silent"},
		{"refuses", refuse, claim.ErrTimeout, "resolver answers REFUSED"},
		{"knows nothing", resolver(nil, nil), claim.ErrTimeout, "knows no servers"},
		{"knows no addresses", resolver([]string{"ns.test."}, nil), claim.ErrTimeout, "have no address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := play(t, map[string]actor{"127.0.54.1": c.act})
			start := time.Now()
			check(t, p.Prove(t.Context(), domain, account), c.want, c.text)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestBusyAndCancelled(t *testing.T) {
	asked := make(chan struct{}, 100)
	p := play(t, map[string]actor{"127.0.54.1": func(dns.Question, *dns.Msg, bool) bool {
		asked <- struct{}{}
		return false
	}})
	p.Limit, p.Timeout = 1, time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- p.Prove(ctx, domain, account) }()
	<-asked
	check(t, p.Prove(t.Context(), domain, account), claim.ErrBusy, "try again")
	cancel()
	select {
	case err := <-first:
		check(t, err, claim.ErrTimeout, "")
	case <-time.After(5 * time.Second):
		t.Fatal("Prove goes on after its context has ended")
	}
	check(t, p.Prove(ctx, domain, account), claim.ErrTimeout, "")
}
