package serve

import (
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
	"namecast/lib/rr"
	"namecast/lib/rrl"
)

// judge asks the limiter about a response; over TCP nobody can forge the
// client's address.
func (d *DNS) judge(to client, c rrl.Class, name string, now time.Time) rrl.Verdict {
	if to.over != overUDP {
		return rrl.Send
	}
	v := d.Rate.Judge(to.addr, c, name, now)
	switch {
	case v == rrl.Drop:
		d.counters.limited.dropped.Add(1)
	case v == rrl.Slip && c == rrl.Error:
		d.counters.limited.errors.Add(1)
	}
	return v
}

// withinRate reports whether a response may be sent. It may have become a small
// one, with which a client that is real finds its way: BADCOOKIE for those that
// know cookies (RFC 7873 section 5.2.3), TC for all others. One with a good
// cookie reflects to nobody and has no limit.
func (d *DNS) withinRate(m *dns.Msg, a asked, wildcard rr.Name, now time.Time) bool {
	if a.cookie == cookie.Good {
		return true
	}
	class, name := alike(m, wildcard)
	v := d.judge(a.from, class, name, now)
	switch {
	case v != rrl.Slip || class == rrl.Error:
		return v != rrl.Drop
	case a.cookie == cookie.New || a.cookie == cookie.Bad:
		d.counters.limited.badCookie.Add(1)
		empty(m)
		m.Rcode, m.Authoritative, m.Truncated = dns.RcodeBadCookie, false, false
	default:
		d.counters.limited.truncated.Add(1)
		empty(m)
		m.Truncated = true
	}
	return true
}

// alike classes a response: those of a class and a name say the same.
func alike(m *dns.Msg, wildcard rr.Name) (rrl.Class, string) {
	switch {
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return rrl.Error, ""
	case m.Rcode == dns.RcodeSuccess && wildcard != "" && len(m.Answer) > 0:
		return rrl.Positive, string(wildcard)
	case m.Rcode == dns.RcodeSuccess && len(m.Answer) > 0:
		return rrl.Positive, dns.CanonicalName(m.Answer[0].Header().Name)
	}
	class := rrl.Positive // truncated to nothing
	name := m.Question[0].Name
	for _, r := range m.Ns {
		switch r.Header().Rrtype {
		case dns.TypeSOA:
			return rrl.Negative, dns.CanonicalName(r.Header().Name)
		case dns.TypeNS:
			class, name = rrl.Referral, r.Header().Name
		}
	}
	return class, dns.CanonicalName(name)
}
