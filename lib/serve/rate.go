package serve

import (
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
	"namecast/lib/rr"
	"namecast/lib/rrl"
	"namecast/lib/wire"
	"namecast/lib/zone"
)

// judge asks the limiter about a response; over TCP nobody can forge the
// client's address.
func (d *DNS) judge(to client, c rrl.Class, name []byte, now time.Time) rrl.Verdict {
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
func (d *DNS) withinRate(r *zone.Response, m message) bool {
	if m.asked.cookie == cookie.Good {
		return true
	}
	class, name := alike(r, m.question)
	v := d.judge(m.from, class, name, m.now)
	if v == rrl.Slip && class != rrl.Error {
		d.slipped(r, m)
	}
	return v != rrl.Drop
}

// slipped makes the small one of a response.
func (d *DNS) slipped(r *zone.Response, m message) {
	switch m.asked.cookie {
	case cookie.New, cookie.Bad:
		d.counters.limited.badCookie.Add(1)
		r.Rcode, r.Authoritative, r.Truncated = dns.RcodeBadCookie, false, false
	default:
		d.counters.limited.truncated.Add(1)
		r.Truncated = true
	}
	r.Groups, r.Tail = nil, nil
}

// alike classes a response: those of a class and a name, in lower case, say the
// same.
func alike(r *zone.Response, question []byte) (rrl.Class, []byte) {
	switch {
	case r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError:
		return rrl.Error, nil
	case r.Rcode == dns.RcodeSuccess && r.Wildcard != "" && answered(r):
		return rrl.Positive, []byte(r.Wildcard)
	case r.Rcode == dns.RcodeSuccess && answered(r):
		return rrl.Positive, []byte(r.Groups[0].Set.Owner.Lower())
	}
	class, name := rrl.Positive, rr.Name("")
	for _, g := range r.Groups {
		switch {
		case g.Section != zone.InAuthority:
		case g.Set.Type == rr.TypeSOA:
			return rrl.Negative, []byte(g.Set.Owner.Lower())
		case g.Set.Type == rr.TypeNS:
			class, name = rrl.Referral, g.Set.Owner
		}
	}
	if class == rrl.Positive { // nothing at all
		return class, wire.AppendLower(nil, question[:max(0, len(question)-5)])
	}
	return class, []byte(name.Lower())
}

// answered reports whether there is an answer section. Its groups come first.
func answered(r *zone.Response) bool {
	return len(r.Groups) > 0 && r.Groups[0].Section == zone.InAnswer
}
