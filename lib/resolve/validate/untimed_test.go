package validate

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// TestUntimed: without a clock the times of signatures are not regarded, and the verdict has
// no end; that they must fit is as ever.
func TestUntimed(t *testing.T) {
	b := newBook(t, "test")
	b.now = time.Unix(0, 0)
	untimed := true
	v := New(Options{
		Anchors: []Anchor{{ds: b.zones[""].key.ToDS(dns.SHA256)}}, Fetch: b.fetch,
		Now: func() time.Time { return b.now }, Untimed: func() bool { return untimed },
	})
	q := Question{rr.MustName("www.test"), dns.TypeA}
	set := b.signed("test", record(t, "www.test. 300 IN A 192.0.2.1"))
	msg := response(q, set, nil)
	got := b.ask(v, msg)
	b.want(got, Secure, nil)
	if !got.Until.IsZero() {
		t.Errorf("it ends at %v", got.Until)
	}
	forged := response(q, []dns.RR{record(t, "www.test. 300 IN A 192.0.2.66"), set[1]}, nil)
	b.want(b.ask(v, forged), Bogus, ErrSignature)
	untimed = false
	v.Forget()
	b.want(b.ask(v, msg), Bogus, ErrEarly)
}
