// Package zone is what the service knows of zones: how a verified update
// changes an account, and what a question is answered from the accounts.
//
// Both are pure: a view of the store goes in, a change or a response comes out.
package zone

import (
	"errors"
	"slices"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/dnssec"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Query is a question of class IN for data, as the zones see it.
type Query struct {
	Name   rr.Name // absolute, lower case
	Type   rr.Type
	UDP    bool // whoever asks may not be who it says
	DO, CO bool // signatures are wanted (RFC 3225); so is NXDOMAIN with them (RFC 9824 section 5)
	// Missing says that the name is known not to exist, nor a wildcard for it, so
	// that it need not be looked for.
	Missing bool
}

// A Response is what a message says, before it has octets.
type Response struct {
	Rcode                    int // of 12 bits
	Authoritative, Truncated bool
	Groups                   []Group
	Tail                     []byte // one more record of the additional section, packed; nil without

	// Limit is the most octets that the message may have, EDNS that it has OPT;
	// flags and options of OPT are those that are said besides the response code.
	Limit   int
	EDNS    bool
	Flags   uint16 // wire.FlagDO, wire.FlagCO
	Options []byte // wire.AppendOption

	// Wildcard stood for the name in question, "" if none did: responses made of
	// one wildcard are alike whatever name they are for.
	Wildcard rr.Name
	// MadeUp says that no record or name of an account stands behind the name in
	// question, so that there is no end of such names.
	MadeUp bool
	// Serial says that there is a SOA record of the base zone, whose serial is
	// another one after each change of any account.
	Serial bool
	// Until is when the response may be another although nothing was changed;
	// zero is never.
	Until time.Time
	// Err is why the view failed; the response code is SERVFAIL then.
	Err error
}

// A Section of a response.
type Section int

// The sections of RFC 1035 section 4.1 that hold records.
const (
	InAnswer Section = iota
	InAuthority
	InAdditional
)

// A Group is one RRset of a response, its owner an absolute name, and its
// signatures. What is not needed may be left out without a word if the response
// gets too long.
type Group struct {
	Section Section
	Needed  bool
	Class   uint16 // 0 is IN
	Set     rr.Set
	Sigs    rr.Set // without data when there are none
}

// Answer makes the response to a question, but for what EDNS adds. The view may
// be nil if storage does not answer.
func (s *Service) Answer(v store.View, q Query) *Response {
	r := &Response{Rcode: dns.RcodeServerFailure, Limit: dns.MaxMsgSize}
	s.answer(r, v, q)
	return r
}

func (s *Service) answer(r *Response, v store.View, q Query) {
	r.Rcode = dns.RcodeServerFailure
	if v == nil {
		return
	}
	d := &draw{reader: reader{service: s, view: v}, qtype: q.Type, udp: q.UDP, do: q.DO, compact: q.CO, missing: q.Missing}
	var err error
	switch uint16(q.Type) {
	case dns.TypeAXFR, dns.TypeIXFR:
		err = d.transfer(q.Name, q.UDP)
	default:
		err = d.chase(q.Name)
	}
	if err != nil {
		d.fail(r, err)
		return
	}
	r.Rcode, r.Authoritative, r.Groups = d.rcode, d.authoritative, d.groups
	r.Wildcard, r.MadeUp, r.Until = d.wildcard, d.madeUp, d.until()
	r.Serial = slices.ContainsFunc(r.Groups, s.countsChanges)
}

// fail is the end of an answer that cannot be made. Where only signatures are
// lacking, the store is well. Who asked over UDP may not be who it says, so it
// is told to come again over TCP, where there is a budget that forged datagrams
// do not use up.
func (d *draw) fail(r *Response, err error) {
	switch {
	case !errors.Is(err, dnssec.ErrBusy):
		r.Err = err
	case d.udp:
		r.Rcode, r.Truncated = dns.RcodeSuccess, true
	}
}

// countsChanges reports whether a group is the base zone's SOA record.
func (s *Service) countsChanges(g Group) bool {
	return g.Set.Type == rr.TypeSOA && g.Set.Owner.Equal(s.Base)
}
