package serve

import (
	"testing"

	"github.com/miekg/dns"
)

// TestSuspend: while what is stored may be too old, questions get a server's
// failure, also those whose answers are kept.
func TestSuspend(t *testing.T) {
	r := start(t, "127.0.0.1:0", func(d *DNS) {
		if err := d.SetMemory(1 << 20); err != nil {
			t.Fatal(err)
		}
	})
	c := dial(t, "udp", r.addr)
	for _, want := range []int{0, 0, dns.RcodeServerFailure, dns.RcodeServerFailure, 0, 0} {
		r.Suspend(want != 0)
		if code := exchange(t, c, query(t, 1)); code != want {
			t.Errorf("%s, want %s", dns.RcodeToString[code], dns.RcodeToString[want])
		}
	}
}
