package host

import (
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/resolve/system"
	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

// TestSplit: names of a split domain go to its servers, the longest domain first, and no
// others do.
func TestSplit(t *testing.T) {
	live := serve(t)
	parse := func(at string) upstream.Server {
		s, err := upstream.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	results := make(chan peer.Event)
	w := newWorkers(t.Context(), results, newNotes(nil))
	s := &splitter{workers: w}
	s.set([]system.Split{
		{Domain: rr.MustName("corp.example"), Servers: []upstream.Server{parse(live.addr)}},
		{Domain: rr.MustName("lab.corp.example"), Servers: []upstream.Server{parse("127.0.0.1:9")}},
	})
	ask := func(name string) *dns.Msg {
		r, ok := parseRequest(asked(t, name, dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, false) }))
		if !ok {
			t.Fatal(name)
		}
		var got []byte
		q := &query{request: r, limit: maxMessage, reply: func(b []byte) { got = b }}
		if !s.take(q) {
			return nil
		}
		(<-results).(splitAnswer).done()
		m := new(dns.Msg)
		if err := m.Unpack(got); err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := ask("www.corp.example."); m == nil || len(m.Answer) != 1 || live.asked.Load() != 1 {
		t.Errorf("www.corp.example: %v", m)
	}
	if m := ask("www.lab.corp.example."); m == nil || m.Rcode != dns.RcodeServerFailure || live.asked.Load() != 1 {
		t.Errorf("www.lab.corp.example: %v", m)
	}
	if m := ask("www.example."); m != nil {
		t.Errorf("www.example: %v", m)
	}
	for _, c := range s.set(nil) {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	w.all.Wait()
}
