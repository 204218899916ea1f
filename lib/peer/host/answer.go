package host

import (
	"encoding/binary"
	"math"

	"namecast/lib/peer"
	"namecast/lib/peer/keep"
)

// optionEDE is the EDNS option of extended errors, RFC 8914.
const optionEDE = 15

// answer makes the response to a request of at most limit octets. What a name server
// said stands in it as it came, but for the identity, the TTLs that have run, the
// spelling of the question, and what is between the stub and its client only: EDNS
// options, and the AD bit, which is this machine's own word.
func (r *request) answer(rep *peer.Reply, limit int) []byte {
	if rep.Msg == nil {
		return r.empty(rep.Rcode, rep)
	}
	if len(rep.Msg) < headerSize || binary.BigEndian.Uint16(rep.Msg[2:])&(flagQR|opcodeMask) != flagQR {
		return r.empty(rcodeServFail, rep) // it is no response to a question
	}
	b := keep.Aged(make([]byte, 0, len(rep.Msg)+64), rep.Msg, r.id, rep.Age, rep.MaxTTL)
	opt, ok := lastOPT(b)
	if !ok {
		return r.empty(rcodeServFail, rep)
	}
	if n := headerSize + len(r.question); len(b) >= n {
		copy(b[headerSize:n], r.question)
	}
	flags := binary.BigEndian.Uint16(b[2:])&^(flagTC|flagRD|flagAD|flagCD) | flagQR | flagRA | r.flags&(flagRD|flagCD)
	if rep.Secure && (r.q.DO || r.flags&flagAD != 0) {
		flags |= flagAD // RFC 6840 section 5.8
	}
	binary.BigEndian.PutUint16(b[2:], flags)
	end := r.appendOPT(nil, rep, b, opt)
	if opt.typ == typeOPT {
		b = b[:opt.start]
		binary.BigEndian.PutUint16(b[10:], binary.BigEndian.Uint16(b[10:])-1)
	}
	if len(b)+len(end) > limit && len(end) > bareOPT {
		end = r.appendOPT(nil, &peer.Reply{EDE: -1}, nil, span{ttl: opt.ttl})
	}
	if len(b)+len(end) > limit {
		return r.cut(flags)
	}
	return r.with(b, end)
}

// bareOPT is the length of an OPT record without options.
const bareOPT = 11

// with adds the OPT record, if there is one.
func (r *request) with(b, opt []byte) []byte {
	if len(opt) > 0 {
		binary.BigEndian.PutUint16(b[10:], binary.BigEndian.Uint16(b[10:])+1)
	}
	return append(b, opt...)
}

// cut is a response without data that has its client come again over TCP.
func (r *request) cut(flags uint16) []byte {
	b := r.header(flags | flagTC)
	return r.with(b, r.appendOPT(nil, &peer.Reply{EDE: -1}, nil, span{}))
}

// empty is a response without data.
func (r *request) empty(rcode int, rep *peer.Reply) []byte {
	b := r.header(r.flags&(opcodeMask|flagRD|flagCD) | flagQR | flagRA | uint16(rcode&0xf))
	return r.with(b, r.appendOPT(nil, rep, nil, span{ttl: uint32(rcode>>4) << 24}))
}

// header makes the header and the question.
func (r *request) header(flags uint16) []byte {
	b := make([]byte, headerSize, plainSize)
	binary.BigEndian.PutUint16(b, r.id)
	binary.BigEndian.PutUint16(b[2:], flags)
	if len(r.question) > 0 {
		binary.BigEndian.PutUint16(b[4:], 1)
	}
	return append(b, r.question...)
}

// appendOPT makes the OPT record of a response, nothing if its client knows no EDNS.
// The extended response code and the extended errors of a server's, at opt in b, are
// kept unless the Reply has an error of its own to tell.
func (r *request) appendOPT(to []byte, rep *peer.Reply, b []byte, opt span) []byte {
	if !r.edns {
		return to
	}
	to = append(to, 0, 0, typeOPT)
	to = binary.BigEndian.AppendUint16(to, ednsSize)
	ttl := opt.ttl & 0xff000000
	if r.q.DO {
		ttl |= 1 << 15
	}
	to = binary.BigEndian.AppendUint32(to, ttl)
	size := len(to)
	to = append(to, 0, 0)
	if rep.EDE >= 0 {
		to = appendEDE(to, rep.EDE, rep.Text)
	} else if b != nil && opt.typ == typeOPT {
		to = appendErrors(to, b[opt.data:opt.end])
	}
	binary.BigEndian.PutUint16(to[size:], uint16(len(to)-size-2))
	return to
}

// maxText is how many octets of text an extended error has at most.
const maxText = 200

// appendEDE adds the option of an extended error.
func appendEDE(to []byte, code int, text string) []byte {
	text = text[:min(len(text), maxText)]
	to = binary.BigEndian.AppendUint16(to, optionEDE)
	to = binary.BigEndian.AppendUint16(to, uint16(2+len(text)))
	to = binary.BigEndian.AppendUint16(to, uint16(min(code, math.MaxUint16)))
	return append(to, text...)
}

// appendErrors adds those of a server's options that are extended errors: the others
// are between it and this machine.
func appendErrors(to, options []byte) []byte {
	for len(options) >= 4 {
		end := 4 + int(binary.BigEndian.Uint16(options[2:]))
		if end > len(options) {
			break
		}
		if binary.BigEndian.Uint16(options) == optionEDE {
			to = append(to, options[:end]...)
		}
		options = options[end:]
	}
	return to
}

// lastOPT finds the OPT record of a response, which is its last; without one, the span
// is the zero one. It is not ok if the message is malformed or its OPT stands elsewhere.
func lastOPT(b []byte) (opt span, ok bool) {
	n := headerSize
	if len(b) < n {
		return opt, false
	}
	if n = questionEnd(b); n < 0 {
		return opt, false
	}
	count := int(binary.BigEndian.Uint16(b[6:])) + int(binary.BigEndian.Uint16(b[8:])) + int(binary.BigEndian.Uint16(b[10:]))
	for i := range count {
		s, next, ok := record(b, n)
		if !ok || s.typ == typeOPT && i < count-1 {
			return opt, false
		}
		if s.typ == typeOPT {
			opt = s
		}
		n = next
	}
	return opt, n == len(b)
}
