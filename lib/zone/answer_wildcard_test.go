package zone

import (
	"testing"

	"github.com/miekg/dns"
)

// TestWildcardOfResponse names the wildcard that an answer is made of.
func TestWildcardOfResponse(t *testing.T) {
	v, s := testView(t, world), testService()
	for _, c := range []struct{ name, q, want string }{
		{"a name of its own", "www.example.com.", "@"},
		{"wildcard", "A.wild.example.com.", "*.wild.example.com"},
		{"two labels below it", "a.b.WILD.example.com.", "*.wild.example.com"},
		{"the wildcard itself", "*.wild.example.com.", "@"},
		{"an alias that is a wildcard", "x.wcname.example.com.", "*.wcname.example.com"},
		{"an alias to a wildcard's name", "chain.example.com.", "@"},
		{"nothing", "nowhere.example.com.", "@"},
		{"not ours", "outside.test.", "@"},
	} {
		r := s.Respond(v, ask(c.q, dns.TypeA), true)
		if r.Err != nil || r.Wildcard.String() != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, r.Wildcard, r.Err, c.want)
		}
	}
}
