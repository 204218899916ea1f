// Package proof lets users claim domains with the built tools: the parent zone
// is on nsd, the domain on knot, the resolver is unbound.
package proof

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/t/peers"
)

const claimExample = "validate example.test hostmaster@example.test 3600"

// A stage is a world whose zones are easily changed.
type stage struct {
	*peers.World
	t *testing.T
}

func newStage(t *testing.T) stage {
	s := stage{peers.NewWorld(t), t}
	s.Serve(peers.AtRoot, peers.NSD, map[string]string{".": peers.ZoneText(".", peers.AtRoot,
		peers.Delegate("test", peers.AtTest), "ns1.namecast.example. A "+peers.AtOne)})
	s.parent()
	s.Resolve()
	return s
}

// parent serves the zone test anew with these lines, child the zone
// example.test at a place.
func (s stage) parent(lines ...string) {
	s.Serve(peers.AtTest, peers.NSD, map[string]string{"test": peers.ZoneText("test", peers.AtTest, lines...)})
}

func (s stage) child(host string, lines ...string) {
	s.Serve(host, peers.Knot, map[string]string{"example.test": peers.ZoneText("example.test", host, lines...)})
}

// TestRefusals has one user try to claim domains without the right proof. Each
// time the tools tell what is wrong, and nothing of the request takes effect.
func TestRefusals(t *testing.T) {
	s := newStage(t)
	n := startNode(t, s.World)
	u, other := n.newUser(), n.newUser()
	delegated := peers.Delegate("example.test", peers.AtOne)
	for _, c := range []struct {
		name   string
		set    func()
		update string // after the first line, claimExample if empty
		code   string
		text   string
	}{
		{name: "no such domain", code: "800", text: strings.TrimSuffix(u.proof("example.test"), ".") + " must be a CNAME to namecast.example",
			set: func() { s.parent() }},
		{name: "no record", code: "800", text: "the servers of example.test have no such name",
			set: func() { s.parent(delegated); s.child(peers.AtOne) }},
		{name: "record of another account", code: "800", text: u.account,
			set: func() { s.child(peers.AtOne, other.proof("example.test")+" CNAME namecast.example.") }},
		{name: "wrong target", code: "801", text: "is a CNAME to www.namecast.example",
			set: func() { s.child(peers.AtOne, u.proof("example.test")+" CNAME www.namecast.example.") }},
		{name: "wildcard", code: "801", text: "wildcard",
			set: func() { s.child(peers.AtOne, "* CNAME namecast.example.") }},
		{name: "silent servers", code: "802", text: peers.AtOne + " is silent",
			set: func() { s.Relays[peers.AtOne].Point("") }},
		{name: "servers that disagree", code: "803", text: "disagree",
			set: func() {
				s.parent(peers.Delegate("example.test", peers.AtOne, peers.AtOther))
				s.child(peers.AtOne, u.proof("example.test")+" CNAME namecast.example.")
				s.child(peers.AtOther)
			}},
		{name: "keys that do not match", code: "804", text: "DNSSEC",
			set: func() {
				s.parent(delegated, "example.test. DS 1 13 2 "+strings.Repeat("ab", 32))
				s.child(peers.AtOne, u.proof("example.test")+" CNAME namecast.example.")
			}},
		{name: "below the service's own domain", code: "805", text: "x.namecast.example is",
			update: "validate x.namecast.example a@example.com 60"},
		{name: "top-level domain", code: "805", text: "top-level", update: "validate test a@example.com 60"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.t, s.t = t, t
			if c.set != nil {
				c.set()
			}
			if c.update == "" {
				c.update = claimExample
			}
			out, exit := u.send("add www 60 A 192.0.2.1\n" + c.update)
			if exit != 1 {
				t.Errorf("exit %d, want 1", exit)
			}
			for _, want := range []string{"packet 1 refused status=102 ", "element 1.2 refused code=" + c.code + " ", c.text} {
				if !strings.Contains(out, want) {
					t.Errorf("want %q in\n%s", want, out)
				}
			}
			if a := n.answer("www."+u.account+".namecast.example", dns.TypeA); a != "NXDOMAIN" {
				t.Errorf("part of a refused request took effect: %s", a)
			}
		})
	}
}

// TestOwnership goes from the proof to the delegation to a change of owner, and
// asks through the resolver as the world would.
func TestOwnership(t *testing.T) {
	s := newStage(t)
	n := startNode(t, s.World)
	u := n.newUser()
	s.parent(peers.Delegate("example.test", peers.AtOne))
	s.child(peers.AtOne)
	mustSend(t, u, "add www 60 A 192.0.2.1\nadd @ 60 MX 10 mail.example.net.", 0)
	mustSend(t, u, claimExample, 1)
	if a := s.Ask(u.proof("example.test"), dns.TypeCNAME); a.Rcode != dns.RcodeNameError {
		t.Fatalf("the resolver should know that there is no proof yet: %v", a)
	}

	s.child(peers.AtOne, u.proof("example.test")+" CNAME namecast.example.")
	mustSend(t, u, claimExample, 0)
	expect(t, n, "www.example.test", dns.TypeA, "www.example.test. 60 IN A 192.0.2.1")
	expect(t, n, "www."+u.account+".namecast.example", dns.TypeA, "www."+u.account+".namecast.example. 60 IN A 192.0.2.1")
	expect(t, n, "example.test", dns.TypeMX, "example.test. 60 IN MX 10 mail.example.net.")
	expect(t, n, "example.test", dns.TypeNS, "example.test. 3600 IN NS ns1.namecast.example.")
	soa := n.answer("example.test", dns.TypeSOA)
	if !strings.HasPrefix(soa, "example.test. 3600 IN SOA ns1.namecast.example. hostmaster.example.test. ") {
		t.Errorf("SOA %q", soa)
	}

	// The registrar now names the node in the parent's zone.
	s.parent("example.test. NS ns1.namecast.example.")
	s.Relays[peers.AtOne].Point(n.dns)
	if a := lines(s.Ask("www.example.test", dns.TypeA)); a != "www.example.test. 60 IN A 192.0.2.1" {
		t.Errorf("through the resolver: %q", a)
	}

	// Another account's claim needs its own proof, which now the owner has the
	// power to publish, and whoever the parent delegates to.
	next := n.newUser()
	take := "add www 60 A 192.0.2.2\n" + claimExample
	if out, exit := next.send(take); exit != 1 || !strings.Contains(out, "code=800") {
		t.Errorf("claim of somebody else's domain: exit %d\n%s", exit, out)
	}
	expect(t, n, "www.example.test", dns.TypeA, "www.example.test. 60 IN A 192.0.2.1")
	mustSend(t, u, "add validate-"+next.account+" 60 CNAME namecast.example.", 0)
	mustSend(t, next, take, 0)
	expect(t, n, "www.example.test", dns.TypeA, "www.example.test. 60 IN A 192.0.2.2")
	expect(t, n, "www."+u.account+".namecast.example", dns.TypeA, "www."+u.account+".namecast.example. 60 IN A 192.0.2.1")

	mustSend(t, u, claimExample, 1)
	s.parent(peers.Delegate("example.test", peers.AtOther))
	s.child(peers.AtOther, u.proof("example.test")+" CNAME namecast.example.")
	mustSend(t, u, claimExample, 0)
	expect(t, n, "www.example.test", dns.TypeA, "www.example.test. 60 IN A 192.0.2.1")
}

// TestPaperClient claims with a DSA key in version 0, whose only word for a
// proof that fails is "other errors".
func TestPaperClient(t *testing.T) {
	s := newStage(t)
	n := startNode(t, s.World)
	u := n.newUser("-dsa", "1024")
	if len(u.account) != 40 {
		t.Errorf("account %q is not the hash of the paper", u.account)
	}
	if out, exit := u.send(claimExample); exit != 1 || !strings.Contains(out, "element 1.1 refused code=600 ") {
		t.Errorf("exit %d, %s", exit, out)
	}
	s.parent(u.proof("example.test") + " CNAME NameCast.Example.")
	mustSend(t, u, "add www 60 A 192.0.2.1\n"+claimExample, 0)
	expect(t, n, "www.example.test", dns.TypeA, "www.example.test. 60 IN A 192.0.2.1")
}

// TestGrant has the operator give a domain, which is nowhere in the DNS, to one
// account.
func TestGrant(t *testing.T) {
	s := newStage(t)
	grants := filepath.Join(t.TempDir(), "grants")
	if err := os.WriteFile(grants, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, s.World, "-grant", grants)
	u, other := n.newUser(), n.newUser()
	mustSend(t, u, "validate corp.internal admin@corp.internal 60", 1)
	line := "domain=corp.internal account=" + u.account + "\n"
	if err := os.WriteFile(grants, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	n.reload()
	mustSend(t, other, "validate corp.internal admin@corp.internal 60", 1)
	mustSend(t, u, "add www 60 A 192.0.2.1\nvalidate corp.internal admin@corp.internal 60", 0)
	expect(t, n, "www.corp.internal", dns.TypeA, "www.corp.internal. 60 IN A 192.0.2.1")
}

func mustSend(t *testing.T, u *user, update string, want int) {
	t.Helper()
	if out, exit := u.send(update); exit != want {
		t.Fatalf("exit %d, want %d\n%s\n%s", exit, want, out, u.node.log())
	}
}

func expect(t *testing.T, n *node, name string, qtype uint16, want string) {
	t.Helper()
	if diff := cmp.Diff(want, n.answer(name, qtype)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", name, diff)
	}
}
