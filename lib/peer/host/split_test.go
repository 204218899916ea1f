package host

import (
	"testing"
	"time"

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
	w := newWorkers(t.Context(), func(ev peer.Event) { results <- ev }, newNotes(nil))
	s := &splitter{workers: w}
	s.set(1, []system.Split{
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
	for _, c := range s.set(1, nil) {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	w.all.Wait()
}

// TestSplitOwnCopy: what was learned of a split domain is given in its time without asking,
// and past it when the servers are silent: after half a second the first time, then at
// once. In another network, and when the domain has other servers, it is forgotten.
func TestSplitOwnCopy(t *testing.T) {
	live := serve(t)
	server, err := upstream.Parse(live.addr)
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan peer.Event, 1)
	w := newWorkers(t.Context(), func(ev peer.Event) { results <- ev }, newNotes(nil))
	s := &splitter{workers: w}
	list := []system.Split{{Domain: rr.MustName("corp.example"), Servers: []upstream.Server{server}}}
	s.set(1, list)
	ask := func() (m *dns.Msg, waited bool) {
		r, _ := parseRequest(asked(t, "www.corp.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, false) }))
		var got []byte
		s.take(&query{request: r, limit: maxMessage, reply: func(b []byte) { got = b }})
		if got == nil {
			(<-results).(splitAnswer).done()
			waited = true
		}
		m = new(dns.Msg)
		if err := m.Unpack(got); err != nil {
			t.Fatal(err)
		}
		return m, waited
	}
	check := func(what string, waits bool, answers, ede int) {
		t.Helper()
		m, waited := ask()
		if waited != waits || len(m.Answer) != answers || errorOf(m) != ede {
			t.Errorf("%s: waited %v: %v", what, waited, m)
		}
	}
	check("the first time", true, 1, -1)
	check("in time", false, 1, -1)
	live.silent.Store(true)
	e := s.cache.Get(s.key(peer.Question{Name: rr.MustName("www.corp.example"), Type: dns.TypeA}))
	e.Base -= e.Life() + time.Minute
	check("past its time", true, 1, edeStale)
	check("past its time, once more", false, 1, edeStale)
	e.Base -= splitStale
	check("a day past its time", true, 0, edeUnreachable)
	live.silent.Store(false)
	check("they are back", true, 1, -1)
	s.set(1, list)
	check("the same again", false, 1, -1)
	s.set(2, list)
	check("another network", true, 1, -1)
	if n := s.forget(rr.MustName("corp.example")); n != 1 {
		t.Errorf("forgot %d", n)
	}
	check("forgotten", true, 1, -1)
	for _, c := range s.set(2, nil) {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	w.all.Wait()
}

// errorOf is the code of a message's extended error, -1 if there is none.
func errorOf(m *dns.Msg) int {
	if o := m.IsEdns0(); o != nil {
		for _, x := range o.Option {
			if x, ok := x.(*dns.EDNS0_EDE); ok {
				return int(x.InfoCode)
			}
		}
	}
	return -1
}
