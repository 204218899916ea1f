package wire

// A Query is a plain question: one of class IN, and EDNS of version 0 with
// nothing in it but a DNS cookie, or no EDNS.
type Query struct {
	Name   []byte // in the message: as it was asked, with the root label
	Type   uint16
	EDNS   bool
	Size   uint16 // what the client takes over UDP, in octets; 0 without EDNS
	DO, CO bool
	Cookie []byte // the option's data; nil without
}

// Parse reads a query that has nothing unusual in it. It is not ok if it has, or
// is malformed, or goes on after its end; nothing of q is to be used then. What q
// holds are parts of msg.
func (q *Query) Parse(msg []byte) (ok bool) {
	const counts = 4
	if len(msg) < HeaderSize || msg[2]&^(FlagRD|FlagAA|FlagTC) != 0 || msg[3]&0x0f != 0 ||
		be.Uint32(msg[counts:]) != 1<<16 || be.Uint32(msg[counts+4:]) > 1 {
		return false
	}
	end := skipLabels(msg)
	if end < 0 || end+4 > len(msg) || be.Uint16(msg[end+2:]) != classIN {
		return false
	}
	*q = Query{Name: msg[HeaderSize:end], Type: be.Uint16(msg[end:])}
	if rest := msg[end+4:]; msg[11] == 1 {
		return q.opt(rest)
	} else {
		return len(rest) == 0
	}
}

// skipLabels gives the end of the name of the question, with its root label; -1
// if it is too long, cut off, or has a pointer.
func skipLabels(msg []byte) int {
	last := min(len(msg), HeaderSize+maxName)
	for at := HeaderSize; at < last; {
		n := int(msg[at])
		if n == 0 {
			return at + 1
		}
		if n > maxLabel {
			return -1
		}
		at += 1 + n
	}
	return -1
}

// opt reads the OPT record, which must be all of b.
func (q *Query) opt(b []byte) bool {
	if len(b) < OPTSize || b[0] != 0 || be.Uint16(b[1:]) != typeOPT || b[6] != 0 || int(be.Uint16(b[9:])) != len(b)-OPTSize {
		return false
	}
	flags := be.Uint16(b[7:])
	q.EDNS, q.Size, q.DO, q.CO = true, be.Uint16(b[3:]), flags&FlagDO != 0, flags&FlagCO != 0
	options := b[OPTSize:]
	if len(options) == 0 {
		return true
	}
	if len(options) < 4 || be.Uint16(options) != optionCookie || int(be.Uint16(options[2:])) != len(options)-4 {
		return false
	}
	q.Cookie = options[4:]
	return true
}

// AppendLower appends a name in lower case (RFC 4343). It works on eight octets
// at a time: the lengths of labels are below all letters, so they may be treated
// as letters are.
func AppendLower(b, name []byte) []byte {
	for len(name) >= 8 {
		b = be.AppendUint64(b, lower8(be.Uint64(name)))
		name = name[8:]
	}
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// lower8 folds the upper-case letters among eight octets.
func lower8(v uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	low := v &^ high
	fromA := low + (0x80-'A')*ones    // the high bit: 'A' or above
	afterZ := low + (0x80-'Z'-1)*ones // the high bit: above 'Z'
	return v | (fromA&^afterZ&^v&high)>>2
}
