package serve

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
	"namecast/lib/rr"
	"namecast/lib/rrl"
	"namecast/lib/store"
	"namecast/lib/wire"
	"namecast/lib/zone"
)

// ordinary reports whether a question for a type asks for data of zones and for
// nothing else.
func ordinary(t rr.Type) bool {
	return uint16(t) != dns.TypeAXFR && uint16(t) != dns.TypeIXFR && !nobodyAsks(uint16(t))
}

// plain responds to a plain question, with a finished answer if there is one. It
// is not done if there is something about the query that any has to look at.
func (d *DNS) plain(query []byte, q *wire.Query, from client, now time.Time, out []byte, s *scratch) (reply []byte, done bool) {
	a := asked{from: from}
	if q.EDNS {
		if secrets := d.cookies.Load(); secrets != nil && q.Cookie != nil {
			a.reply, a.cookie = secrets.Check(q.Cookie, from.addr, now)
			if a.cookie == cookie.Malformed {
				return nil, false
			}
		}
		d.counters.cookies[a.cookie].Add(1)
	}
	p := plain{query: query, Query: q, asked: a, now: now, limit: d.limit(q, from)}
	key := p.key(s.key[:0])
	if f, ok := d.answers.find(key, now); ok && p.size(f) <= p.limit {
		return d.give(f, &p, key[:len(q.Name)], out), true
	}
	if reply, ok := d.deny(&p, key, out, s); ok {
		return reply, true
	}
	return d.draw(&p, key, out, s), true
}

// A plain is a plain question that is being answered.
type plain struct {
	*wire.Query
	query []byte
	asked asked
	now   time.Time
	limit int // octets of the response
	// missing says that the name is known not to exist.
	missing bool
}

// limit is how long the response to a plain question may be, in octets.
func (d *DNS) limit(q *wire.Query, from client) int {
	switch {
	case from.over != overUDP:
		return dns.MaxMsgSize
	case !q.EDNS:
		return plainUDP
	}
	return d.Service.UDPLimit(int(q.Size))
}

// maxAnswerKey is the longest key, in octets.
const maxAnswerKey = 255 + 2 + 1

// key is what answers are kept under: name, type, and how much of DNSSEC is
// wanted.
func (p *plain) key(b []byte) []byte {
	b = wire.AppendLower(b, p.Name)
	b = binary.BigEndian.AppendUint16(b, p.Type)
	dnssec := byte(0)
	if p.DO {
		dnssec = 1
		if p.CO {
			dnssec = 2
		}
	}
	return append(b, dnssec)
}

// question is the question section.
func (p *plain) question() []byte {
	return p.query[wire.HeaderSize : wire.HeaderSize+len(p.Name)+4]
}

// size is how long a finished answer gets for this question, in octets.
func (p *plain) size(f finished) int {
	n := wire.HeaderSize + len(p.Name) + 4 + len(f.body)
	if p.EDNS {
		n += wire.OPTSize
	}
	if p.asked.cookie > cookie.Malformed {
		n += optHeader + cookie.Size
	}
	return n
}

// give makes the response of a finished answer, in out if it fits there. What
// is alike to it is counted under a part of the name, in lower case.
func (d *DNS) give(f finished, p *plain, lower, out []byte) []byte {
	n := d.counters.of(p.asked.from.over)
	if p.asked.cookie != cookie.Good {
		switch d.judge(p.asked.from, f.class, f.alike(lower), p.now) {
		case rrl.Drop:
			return nil
		case rrl.Slip:
			return d.slip(p, out)
		}
	}
	out = append(out[:0], p.query[0], p.query[1], wire.FlagQR|p.query[2]&wire.FlagRD|f.flags, f.rcode, 0, 1,
		0, f.counts[0], 0, f.counts[1], 0, f.counts[2])
	out = append(out, p.question()...)
	body := len(out)
	out = append(out, f.body...)
	if f.serial > 0 {
		binary.BigEndian.PutUint32(out[body+f.serial-1:], zone.Serial(d.answers.position.Load()))
	}
	n.responses[f.rcode].Add(1)
	if !p.EDNS {
		return out
	}
	out[11]++
	opt := wire.OPT{Size: d.optSize(), Flags: d.Service.Flags(p.DO, p.CO)}
	var room [optHeader + cookie.Size]byte
	if p.asked.cookie > cookie.Malformed {
		opt.Options = wire.AppendOption(room[:0], dns.EDNS0COOKIE, p.asked.reply[:])
	}
	return opt.Append(out)
}

// slip makes the small response that an answer over the rate becomes.
func (d *DNS) slip(p *plain, out []byte) []byte {
	r := &zone.Response{Limit: p.limit}
	m := d.message(r, p)
	d.attach(r, m)
	d.slipped(r, m)
	return d.write(r, m, out)
}

// message makes of a plain question and its response what any others are.
func (d *DNS) message(r *zone.Response, p *plain) message {
	r.Limit = p.limit
	if r.EDNS = p.EDNS; p.EDNS {
		r.Flags = d.Service.Flags(p.DO, p.CO)
	}
	return message{
		query: p.query, question: p.question(), qtype: p.Type, qclass: dns.ClassINET,
		from: p.asked.from, asked: p.asked, now: p.now,
	}
}

// draw asks the zones and keeps what they say.
func (d *DNS) draw(p *plain, key, out []byte, s *scratch) []byte {
	q := zone.Query{
		Name: rr.Name(key[:len(p.Name)-1]), Type: rr.Type(p.Type),
		UDP: p.asked.from.over == overUDP, DO: p.DO, CO: p.CO, Missing: p.missing,
	}
	d.counters.drawn.Add(1)
	w := d.answers.witness()
	if p.missing {
		w.noteMissing(q.Name, d.Service.Base)
	}
	r := d.fromZones(func(v store.View) *zone.Response {
		r := d.Service.Answer(w.watch(v), q)
		if r.MadeUp && !p.missing && r.Wildcard == "" {
			d.learn(v, q.Name, w.changes)
		}
		return r
	})
	d.answers.keep(key, r, w, s)
	return d.finish(r, d.message(r, p), out)
}
