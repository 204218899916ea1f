package validate

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// limit is how long anything may take that is waited for.
const limit = 20 * time.Second

// prepublish is how long keys are published before they sign.
const prepublish = 24 * time.Hour

// TestRollover adds an epoch under a running validator, changes the DS at the
// parent, and takes the old epoch away. Never may an answer be bogus.
func TestRollover(t *testing.T) {
	w := plant(t)
	w.validate("cache-max-ttl: 1", "cache-max-negative-ttl: 1")
	first, err := os.ReadFile(w.secret)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	check := func() {
		asked++
		for _, name := range []string{"www.one.test", fmt.Sprintf("n%d.one.test", asked), fmt.Sprintf("n%d.wild.two.test", asked), "www.sub.one.test"} {
			if a := w.Ask(name, dns.TypeA); a.Rcode != dns.RcodeSuccess || !a.AuthenticatedData {
				t.Fatalf("%s is not secure:\n%v\n%s", name, a, w.Resolver.Log())
			}
		}
	}
	check()
	old := w.signer("www.one.test.")

	// The second epoch began to be published nearly a day ago, as far as its
	// line says, so that it will sign in a few seconds.
	from := time.Now().Add(4*time.Second - prepublish).UTC()
	second := fmt.Sprintf("epoch=2 from=%s !secret=%s\n", from.Format(time.RFC3339), "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=")
	both := strings.Replace(string(first), time.Now().UTC().Format("2006-01-02"), "2020-01-01", 1)
	w.setSecret(both + second)
	if tags := w.keysOf("one.test."); len(tags) != 2 {
		t.Fatalf("published: %v, want two keys", tags)
	}
	if got := w.signer("www.one.test."); got != old {
		t.Fatalf("key %d signs at once, want %d", got, old)
	}
	for end := time.Now().Add(limit); w.signer("www.one.test.") == old; {
		check()
		if time.Now().After(end) {
			t.Fatal("the new epoch does not sign")
		}
	}
	now := w.signer("www.one.test.")
	check() // the parent still names the old key

	w.delegated = ""
	w.plantTest() // with the DS of the new key alone
	if !strings.Contains(w.delegated, fmt.Sprintf("one.test. 3600 IN DS %d ", now)) {
		t.Errorf("nc-keygen does not name key %d:\n%s", now, w.delegated)
	}
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); { // until caches have forgotten the old DS
		check()
	}
	w.setSecret(second)
	if tags := w.keysOf("one.test."); len(tags) != 1 || tags[0] != now {
		t.Fatalf("published: %v, want %d", tags, now)
	}
	for range 20 {
		check()
	}
	t.Logf("%d rounds of questions", asked)
}

// direct asks the node itself.
func (w *tree) direct(name string, kind uint16) *dns.Msg {
	w.t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	m.SetEdns0(1232, true)
	a, _, err := new(dns.Client).Exchange(m, w.node.Words["dns"])
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// signer is the tag of the key that signs a name's addresses.
func (w *tree) signer(name string) uint16 {
	w.t.Helper()
	for _, r := range w.direct(name, dns.TypeA).Answer {
		if sig, is := r.(*dns.RRSIG); is {
			return sig.KeyTag
		}
	}
	w.t.Fatalf("%s is not signed", name)
	return 0
}

// keysOf are the tags of a zone's keys.
func (w *tree) keysOf(zone string) (tags []uint16) {
	w.t.Helper()
	for _, r := range w.direct(zone, dns.TypeDNSKEY).Answer {
		if key, is := r.(*dns.DNSKEY); is {
			tags = append(tags, key.KeyTag())
		}
	}
	return tags
}
