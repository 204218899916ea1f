package validate

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// FuzzJudge judges changed responses: those that are Secure say what one of the right ones
// says.
func FuzzJudge(f *testing.F) {
	b := newBook(f, "test", "a.test")
	q := Question{rr.MustName("www.a.test"), dns.TypeA}
	right := []*dns.Msg{
		response(q, b.signed("a.test", record(f, address)), nil),
		response(q, b.signed("a.test", record(f, "www.a.test. 300 IN CNAME x.b.a.test.")), b.signed("a.test", record(f, "b.a.test. 300 IN NSEC c.a.test. A RRSIG NSEC"))),
		response(q, nil, append(b.signed("a.test", record(f, "www.a.test. 300 IN NSEC a.test. TXT RRSIG NSEC")), b.signed("a.test", record(f, "a.test. 300 IN SOA ns.test. h.test. 1 2 3 4 5"))...)),
		response(q, append(b.signed("a.test", record(f, "www.a.test. 300 IN A 192.0.2.9")), record(f, "www.a.test. 300 IN A 192.0.2.8")), nil),
	}
	right[1].Rcode = dns.RcodeNameError
	var truths [][]string
	v := b.validator()
	for _, m := range right {
		f.Add(pack(f, m))
		if b.ask(v, m).State == Secure {
			truths = append(truths, data(m.Answer))
		}
	}
	if len(truths) < 3 {
		f.Fatalf("%d of the seeds are secure", len(truths))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		b.t = t // what is fetched is signed then
		if got := v.Judge(t.Context(), q, msg); got.State == Secure {
			var m dns.Msg
			if err := m.Unpack(msg); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(truths, func(one []string) bool { return slices.Equal(one, data(m.Answer)) }) {
				t.Errorf("secure:\n%v", &m)
			}
		}
	})
}
