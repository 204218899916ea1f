package host

import (
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// TestSign: what a stub says of itself is read as it was said, and is another for each
// machine and each probe.
func TestSign(t *testing.T) {
	a, b := packet.NodeID{1}, packet.NodeID{2}
	probe := rr.MustName(selfProbe + "0011")
	name, text, ok := readSign(txtAnswer(probe, signOf(a, probe.First())))
	if !ok || name != probe || text != signOf(a, probe.First()) {
		t.Errorf("%v %q %v", name, text, ok)
	}
	if text == signOf(b, probe.First()) || text == signOf(a, selfProbe+"0012") {
		t.Error("two signs are alike")
	}
}

func FuzzReadSign(f *testing.F) {
	f.Add(txtAnswer(rr.MustName(selfProbe+"0011"), "text"))
	f.Add([]byte{})
	m := new(dns.Msg).SetQuestion("a\\.b.", dns.TypeTXT)
	m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "a\\.b.", Rrtype: dns.TypeTXT, Class: 1}, Txt: []string{"a", "b"}}}
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, msg []byte) {
		if name, _, ok := readSign(msg); ok && name.Check() != nil {
			t.Errorf("%q", name)
		}
	})
}
