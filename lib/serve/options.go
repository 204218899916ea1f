package serve

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/cookie"
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

// makeRoom tells how large a response over UDP may be, and has the zones leave
// room in it for the options that are attached after them: they are told of a
// client that takes less.
func (a asked) makeRoom(q *dns.Msg, s *zone.Service) (limit int) {
	opt := q.IsEdns0()
	if opt == nil || a.from.over != overUDP {
		return plainUDP
	}
	limit = s.UDPLimit(int(opt.UDPSize()))
	room := 0
	if a.cookie != cookie.None {
		room += optHeader + cookie.Size
	}
	if a.expire {
		room += optHeader + 4
	}
	opt.SetUDPSize(uint16(limit - room))
	return limit
}

// attach puts the options that are the server's to answer into a response that
// has OPT.
func (d *DNS) attach(m *dns.Msg, a asked) {
	opt := m.IsEdns0()
	if opt == nil {
		return
	}
	add := func(code uint16, data []byte) {
		opt.Option = append(opt.Option, &dns.EDNS0_LOCAL{Code: code, Data: data})
	}
	if soa := ownSOA(m); a.expire && soa != nil {
		d.counters.options.expire.Add(1)
		add(dns.EDNS0EXPIRE, binary.BigEndian.AppendUint32(nil, soa.Expire))
	}
	if a.cookie > cookie.Malformed {
		add(dns.EDNS0COOKIE, a.reply[:])
	}
	if a.keepAlive {
		d.counters.options.keepAlive.Add(1)
		add(dns.EDNS0TCPKEEPALIVE, binary.BigEndian.AppendUint16(nil, d.patience()))
	}
	if hasOption(opt, dns.EDNS0EDE) {
		d.counters.options.errors.Add(1)
	}
	if a.padding {
		d.counters.options.padding.Add(1)
		pad(m, opt)
	}
}

// ownSOA is the SOA record of the zone whose apex is asked for, nil if the
// response is something else: for that the EXPIRE option is defined (RFC 7314
// section 3.2).
func ownSOA(m *dns.Msg) *dns.SOA {
	if len(m.Answer) == 0 || len(m.Question) == 0 || !m.Authoritative || m.Question[0].Qtype != dns.TypeSOA {
		return nil
	}
	soa, _ := m.Answer[0].(*dns.SOA)
	return soa
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
func pad(m *dns.Msg, opt *dns.OPT) {
	b, err := m.Pack()
	if err != nil {
		return
	}
	n := len(b) + optHeader
	fill := min((padBlock-n%padBlock)%padBlock, dns.MaxMsgSize-n)
	if fill >= 0 {
		opt.Option = append(opt.Option, &dns.EDNS0_PADDING{Padding: make([]byte, fill)})
	}
}

func hasOption(opt *dns.OPT, code uint16) bool {
	for _, o := range opt.Option {
		if o.Option() == code {
			return true
		}
	}
	return false
}
