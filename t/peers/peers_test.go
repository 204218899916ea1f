package peers

import (
	"testing"

	"github.com/miekg/dns"
)

const sample = `$TTL 300
@ SOA ns1 hostmaster 1 7200 1800 1209600 300
@ NS ns1
ns1 A 192.0.2.1
www A 192.0.2.2
`

func TestServersAnswer(t *testing.T) {
	zones := map[string]string{"example.com": sample, "example.net": sample}
	for name, start := range map[string]func(testing.TB, map[string]string) *Server{
		"nsd": NSD, "knot": Knot, "bind": BIND,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, zones)
			t.Logf("%s at %s", s.Version, s.Addr)
			checkA(t, s, "www.example.com.", "192.0.2.2")
			checkA(t, s, "www.example.net.", "192.0.2.2")
		})
	}
}

func TestResolverAnswers(t *testing.T) {
	auth := NSD(t, map[string]string{"example.com": sample})
	r := Unbound(t, Resolver{
		Stubs: map[string][]string{"example.com": {auth.Addr}},
		Ready: "example.com",
	})
	t.Logf("%s at %s", r.Version, r.Addr)
	checkA(t, r, "www.example.com.", "192.0.2.2")
}

func TestStopIsFinal(t *testing.T) {
	s := NSD(t, map[string]string{"example.com": sample})
	s.Stop()
	s.Stop()
	select {
	case <-s.process.done:
	default:
		t.Error("the server still runs after Stop")
	}
}

func checkA(t *testing.T, s *Server, name, want string) {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		m := new(dns.Msg)
		m.SetQuestion(name, dns.TypeA)
		r, _, err := (&dns.Client{Net: network}).Exchange(m, s.Addr)
		if err != nil {
			t.Fatalf("%s: ask %s over %s: %v\n%s", s.Name, name, network, err, s.Log())
		}
		if len(r.Answer) != 1 || r.Answer[0].(*dns.A).A.String() != want {
			t.Errorf("%s: %s over %s: got %v, want %s", s.Name, name, network, r.Answer, want)
		}
	}
}
