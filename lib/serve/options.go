package serve

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
	"namecast/lib/rr"
	"namecast/lib/wire"
	"namecast/lib/zone"
)

const (
	plainUDP  = 512 // RFC 1035 section 4.2.1: without EDNS
	padBlock  = 468 // octets; RFC 8467 section 4.1
	optHeader = 4   // octets of an option before its data
)

// asked is what the EDNS options of a query want of the server, whatever the
// zone.
type asked struct {
	from      client
	cookie    cookie.Status
	reply     [cookie.Size]byte // the response's cookie, unless the status is None or Malformed
	keepAlive bool              // RFC 7828
	padding   bool              // RFC 7830
	expire    bool              // RFC 7314
}

// read reads the options of a query. Those of an EDNS version that is not known
// mean nothing.
func (d *DNS) read(q *dns.Msg, from client, now time.Time) asked {
	a := asked{from: from}
	opt := q.IsEdns0()
	if opt == nil || opt.Version() != 0 {
		return a
	}
	for _, o := range opt.Option {
		switch o := o.(type) {
		case *dns.EDNS0_COOKIE:
			if secrets := d.cookies.Load(); secrets != nil && a.cookie == cookie.None { // the first counts
				data, _ := hex.DecodeString(o.Cookie)
				a.reply, a.cookie = secrets.Check(data, from.addr, now)
			}
		case *dns.EDNS0_TCP_KEEPALIVE:
			a.keepAlive = from.over != overUDP // RFC 7828 section 3.2.1
		case *dns.EDNS0_PADDING:
			a.padding = from.over == overTLS // RFC 7830 section 6
		case *dns.EDNS0_EXPIRE:
			a.expire = true
		}
	}
	d.counters.cookies[a.cookie].Add(1)
	return a
}

// attach puts the options that are the server's to answer into a response that
// has OPT.
func (d *DNS) attach(r *zone.Response, m message) {
	if !r.EDNS {
		return
	}
	a := m.asked
	if soa, ok := ownSOA(r, m.qtype); a.expire && ok {
		d.counters.options.expire.Add(1)
		expire := soa[len(soa)-8 : len(soa)-4] // before the last of its timers
		r.Options = wire.AppendOption(r.Options, dns.EDNS0EXPIRE, []byte(expire))
	}
	if a.cookie > cookie.Malformed {
		r.Options = wire.AppendOption(r.Options, dns.EDNS0COOKIE, a.reply[:])
	}
	if a.keepAlive {
		d.counters.options.keepAlive.Add(1)
		r.Options = wire.AppendOption(r.Options, dns.EDNS0TCPKEEPALIVE, binary.BigEndian.AppendUint16(nil, d.patience()))
	}
}

// ownSOA is the SOA record's data of the zone whose apex is asked for; it is not
// ok if the response is something else: for that the EXPIRE option is defined (RFC
// 7314 section 3.2).
func ownSOA(r *zone.Response, qtype uint16) (rr.Data, bool) {
	if qtype != dns.TypeSOA || !r.Authoritative || len(r.Groups) == 0 {
		return "", false
	}
	first := r.Groups[0]
	if first.Section != zone.InAnswer || first.Set.Type != rr.TypeSOA {
		return "", false
	}
	return first.Set.Data[0], true
}

// patience is how long a connection may be idle, in tenths of a second; none
// when connections get scarce, so that clients close theirs (RFC 7828 section
// 3.4).
func (d *DNS) patience() uint16 {
	if d.conns.full() {
		return 0
	}
	return uint16(min(d.conns.limits.Idle/(100*time.Millisecond), math.MaxUint16))
}

// pad makes the length of a response a multiple of the block's.
func pad(r *zone.Response, m message, size uint16) {
	var w wire.Writer
	r.Write(&w, nil, m.question, size)
	n := w.Len() + optHeader
	fill := min((padBlock-n%padBlock)%padBlock, dns.MaxMsgSize-n)
	if fill >= 0 {
		r.Options = wire.AppendOption(r.Options, dns.EDNS0PADDING, make([]byte, fill))
	}
}
