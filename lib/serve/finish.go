package serve

import (
	"time"

	"github.com/miekg/dns"

	"namecast/lib/wire"
	"namecast/lib/zone"
)

// A message is a query that is being answered.
type message struct {
	query    []byte
	question []byte // its question section; empty if there is not one question
	qtype    uint16
	qclass   uint16
	from     client
	asked    asked
	now      time.Time
}

// finish makes the octets of a response: with what EDNS adds, and only if its
// client may have it. Nil is silence.
func (d *DNS) finish(r *zone.Response, m message, out []byte) []byte {
	d.explain(r, m)
	d.attach(r, m)
	if !d.withinRate(r, m) {
		return nil
	}
	if m.asked.padding && r.EDNS {
		d.counters.options.padding.Add(1)
		pad(r, m, d.optSize())
	}
	return d.write(r, m, out)
}

// write writes a response and counts it.
func (d *DNS) write(r *zone.Response, m message, out []byte) []byte {
	var w wire.Writer
	r.Write(&w, out, m.question, d.optSize())
	reply := w.Bytes()
	copy(reply, m.query[:2])
	reply[2] |= m.query[2] & wire.MaskEcho
	n := d.counters.of(m.from.over)
	if r.Truncated {
		n.truncated.Add(1)
	}
	n.responses[slot(r.Rcode)].Add(1)
	return reply
}

// optSize is what the server says of itself in OPT.
func (d *DNS) optSize() uint16 { return uint16(d.Service.UDPLimit(dns.MaxMsgSize)) }
