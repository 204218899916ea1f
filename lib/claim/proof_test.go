package claim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/claim"
	"namecast/lib/rr"
	"namecast/t/peers"
)

// record is the proof as a line of a zone file; others are near misses.
var (
	record      = proof + " CNAME namecast.example."
	wrongTarget = proof + " CNAME www.namecast.example."
	wrongOwner  = "validate-" + strings.Repeat("q", 32) + ".example.test. CNAME namecast.example."
)

// TestProof tells the story of one domain, from its absence to its second move.
// The zone test is on nsd, example.test on knot and nsd.
func TestProof(t *testing.T) {
	w := peers.NewWorld(t)
	parent := func(lines ...string) {
		w.Serve(peers.AtTest, peers.NSD, map[string]string{"test": peers.ZoneText("test", peers.AtTest, lines...)})
	}
	child := func(host string, start func(testing.TB, map[string]string) *peers.Server, lines ...string) {
		w.Serve(host, start, map[string]string{"example.test": peers.ZoneText("example.test", host, lines...)})
	}
	w.Serve(peers.AtRoot, peers.NSD, map[string]string{".": peers.ZoneText(".", peers.AtRoot, peers.Delegate("test", peers.AtTest))})
	parent()
	child(peers.AtOne, peers.Knot)
	w.Resolve()
	prove := func(name string, want error, text string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			check(t, prover(w).Prove(t.Context(), domain, account), want, text)
		})
	}
	cached := func(rcode int) {
		t.Helper()
		if a := w.Ask(proof, dns.TypeCNAME); a.Rcode != rcode {
			t.Errorf("the resolver says %s, not %s", dns.RcodeToString[a.Rcode], dns.RcodeToString[rcode])
		}
	}

	prove("no such domain", claim.ErrMissing, "the servers of test have no such name")
	parent(record)
	prove("domain inside its parent's zone", nil, "")

	parent(peers.Delegate("example.test.", peers.AtOne))
	prove("not yet published", claim.ErrMissing, "the servers of example.test have no such name")
	cached(dns.RcodeNameError)
	child(peers.AtOne, peers.Knot, record)
	prove("published", nil, "")
	cached(dns.RcodeNameError) // or the case above would show nothing

	child(peers.AtOne, peers.Knot, wrongTarget)
	prove("wrong target", claim.ErrTarget, "is a CNAME to www.namecast.example and must be one to namecast.example")
	child(peers.AtOne, peers.Knot, wrongOwner)
	prove("another account's proof", claim.ErrMissing, account)
	child(peers.AtOne, peers.Knot, proof+" TXT namecast.example.")
	prove("a record of another type", claim.ErrMissing, "no such record")
	child(peers.AtOne, peers.Knot, "* CNAME namecast.example.")
	prove("wildcard", claim.ErrWildcard, "")
	parent("example.test. DNAME namecast.example.")
	prove("alias of the whole domain", claim.ErrMissing, "DNAME")

	child(peers.AtOne, peers.Knot, record)
	child(peers.AtOther, peers.NSD)
	parent(peers.Delegate("example.test.", peers.AtOne, peers.AtOther))
	prove("on one of two servers", claim.ErrDisagree, "try again")
	child(peers.AtOther, peers.NSD, record)
	prove("on both servers", nil, "")

	child(peers.AtOne, peers.Knot)
	parent(peers.Delegate("example.test.", peers.AtOther))
	prove("moved to a server that has it", nil, "")
	cached(dns.RcodeNameError)
	child(peers.AtOne, peers.Knot, record)
	child(peers.AtOther, peers.NSD)
	prove("moved to a server that does not", claim.ErrMissing, "")

	w.Relays[peers.AtOther].Point("")
	prove("silent server", claim.ErrTimeout, peers.AtOther+" is silent")
	w.Relays[peers.AtTest].Point("")
	start := time.Now()
	prove("silent parent", claim.ErrTimeout, peers.AtTest+" is silent")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("silence took %v", took)
	}
}

// signings are the ways in which a zone can prove that a name has no DS set.
var signings = map[string]func(s *signer, zone, text string) string{
	"NSEC":    func(s *signer, zone, text string) string { return s.sign(zone, text) },
	"NSEC3":   func(s *signer, zone, text string) string { return s.sign(zone, text, "-n", "-t", "1", "-s", "beef") },
	"opt-out": (*signer).optOut,
}

// signedWorld has a signed root and test, and below test: signed.test and
// expired.test on their own servers, plain.test without signatures, and co.test
// on the servers of test, with the delegations a.co.test (signed) and
// b.co.test; inside.test is a name in the zone test.
func signedWorld(t *testing.T, sign func(s *signer, zone, text string) string) (w *peers.World, trusted string) {
	w, s := peers.NewWorld(t), newSigner(t)
	of := func(name string) string { return strings.Replace(record, "example.test", name, 1) }
	zone := func(name, host string, lines ...string) string {
		return peers.ZoneText(name, host, append(lines, of(name))...)
	}
	bad := s.sign("tampered.test", strings.Replace(zone("tampered.test", peers.AtOne), "CNAME namecast", "CNAME somebody", 1))
	own := map[string]string{
		"signed.test":   sign(s, "signed.test", zone("signed.test", peers.AtOne)),
		"expired.test":  s.sign("expired.test", zone("expired.test", peers.AtOne), "-i", "20200101", "-e", "20200201"),
		"tampered.test": strings.Replace(bad, "CNAME\tsomebody", "CNAME\tnamecast", 1),
		"plain.test":    zone("plain.test", peers.AtOne),
		"bare.test":     zone("bare.test", peers.AtOne),
		"a.co.test":     s.sign("a.co.test", zone("a.co.test", peers.AtOne)),
		"b.co.test":     zone("b.co.test", peers.AtOne),
	}
	if own["tampered.test"] == bad {
		t.Fatal("the signed zone is not written as expected")
	}
	w.Serve(peers.AtOne, peers.Knot, own)
	var lines []string
	for _, name := range []string{"signed.test", "expired.test", "tampered.test", "bare.test"} {
		lines = append(lines, peers.Delegate(name+".", peers.AtOne), s.ds(name))
	}
	lines = append(lines, peers.Delegate("plain.test.", peers.AtOne), of("inside.test"), "co.test. NS ns.test.", s.ds("co.test"))
	co := peers.ZoneText("co.test", peers.AtTest, peers.Delegate("a.co.test.", peers.AtOne), s.ds("a.co.test"), peers.Delegate("b.co.test.", peers.AtOne), of("c.co.test"))
	w.Serve(peers.AtTest, peers.NSD, map[string]string{
		"test":    sign(s, "test", peers.ZoneText("test", peers.AtTest, lines...)),
		"co.test": sign(s, "co.test", co),
	})
	root := peers.ZoneText(".", peers.AtRoot, peers.Delegate("test", peers.AtTest), s.ds("test"))
	w.Serve(peers.AtRoot, peers.NSD, map[string]string{".": s.sign(".", root)})
	return w, s.ds(".")
}

func TestSignedProof(t *testing.T) {
	for name, sign := range signings {
		t.Run(name, func(t *testing.T) {
			w, anchor := signedWorld(t, sign)
			w.Resolve(`trust-anchor: "` + anchor + `"`)
			if !w.Ask("test", dns.TypeDNSKEY).AuthenticatedData {
				t.Fatalf("the resolver does not validate\n%s", w.Resolver.Log())
			}
			signedCases(t, w)
			t.Run("an attacker between", func(t *testing.T) { attacks(t, w) })
		})
	}
}

func signedCases(t *testing.T, w *peers.World) {
	for _, c := range []struct {
		domain string
		want   error
		text   string
	}{
		{domain: "signed.test"},
		{domain: "plain.test"},
		{domain: "inside.test"},
		{domain: "a.co.test"},
		{domain: "b.co.test"},
		{domain: "c.co.test"},
		{"tampered.test", claim.ErrBogus, "wrong signature"},
		{"expired.test", claim.ErrBogus, "too old"},
		{"bare.test", claim.ErrBogus, "no key of bare.test"},
		{"absent.test", claim.ErrMissing, ""},
	} {
		t.Run(c.domain, func(t *testing.T) {
			check(t, prover(w).Prove(t.Context(), rr.MustName(c.domain), account), c.want, c.text)
		})
	}
}

// attacks has somebody on the way to both servers, who cannot reach the
// resolver, claim a signed domain, one that is not delegated, and one that does
// not exist. Only the last may work, and only where opt-out hides what exists.
func attacks(t *testing.T, w *peers.World) {
	refer := func(child string) func(q, a *dns.Msg) {
		return func(q, a *dns.Msg) {
			switch q.Question[0].Qtype {
			case dns.TypeCNAME:
				a.Rcode, a.Authoritative, a.Answer, a.Ns, a.Extra = 0, false, nil, nil, nil
				answer(&a.Ns, child+" 60 NS ns.test.")
				answer(&a.Extra, "ns.test. 60 A "+peers.AtOther)
			case dns.TypeDS:
				a.Answer = nil
			}
		}
	}
	forge := func(q, a *dns.Msg) {
		a.Rcode, a.Authoritative, a.Answer, a.Ns = 0, true, nil, nil
		if strings.HasPrefix(strings.ToLower(q.Question[0].Name), "validate-k3v") {
			answer(&a.Answer, q.Question[0].Name+" 60 CNAME namecast.example.")
		}
	}
	w.Relays[peers.AtOther].Point(w.Relays[peers.AtTest].Server())
	w.Relays[peers.AtOther].Rewrite(forge)
	defer w.Relays[peers.AtTest].Rewrite(nil)
	for _, c := range []struct {
		name, domain string
		attack       func(q, a *dns.Msg)
		text         string
	}{
		{"forged record of a signed domain", "signed.test", forge, ""},
		{"forged record inside the zone", "inside.test", forge, ""},
		{"signed domain referred elsewhere", "signed.test", refer("signed.test."), "unsigned"},
		{"name inside the zone referred elsewhere", "inside.test", refer("inside.test."), "unsigned"},
		{"zone on the same server referred elsewhere", "c.co.test", refer("c.co.test."), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.Relays[peers.AtTest].Rewrite(c.attack)
			check(t, prover(w).Prove(t.Context(), rr.MustName(c.domain), account), claim.ErrBogus, c.text)
		})
	}
}

// TestSignedProofWithoutTrust has a resolver that does not validate: a DS set
// is believed as the parent gives it.
func TestSignedProofWithoutTrust(t *testing.T) {
	w, _ := signedWorld(t, signings["NSEC"])
	w.Resolve()
	signedCases(t, w)
}
