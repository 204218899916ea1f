package peers

import (
	"testing"

	"github.com/miekg/dns"
)

func TestWorld(t *testing.T) {
	w := NewWorld(t)
	w.Serve(AtTest, NSD, map[string]string{"test": ZoneText("test", AtTest, "www A 192.0.2.1")})
	w.Resolve()
	for _, c := range []struct {
		name string
		want int // addresses
	}{
		{"www.test", 1}, {"no.test", 0}, {"ns.test", 1},
	} {
		if a := w.Ask(c.name, dns.TypeA); len(a.Answer) != c.want {
			t.Errorf("%s: want %d addresses, got %v", c.name, c.want, a)
		}
	}
	seen := w.Relays[AtTest].Seen()
	if seen == 0 {
		t.Error("no query came through the relay")
	}
	w.Relays[AtTest].Rewrite(func(_, a *dns.Msg) { a.Rcode, a.Answer, a.Ns = dns.RcodeNameError, nil, nil })
	if a := w.Ask("new.test", dns.TypeA); a.Rcode != dns.RcodeNameError {
		t.Errorf("want a rewritten answer, got %v", a)
	}
	w.Serve(AtTest, Knot, map[string]string{"test": ZoneText("test", AtTest, "later A 192.0.2.2")})
	w.Relays[AtTest].Rewrite(nil)
	if a := w.Ask("later.test", dns.TypeA); len(a.Answer) != 1 {
		t.Errorf("want the new server's answer, got %v", a)
	}
}
