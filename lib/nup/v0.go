package nup

import (
	"net/netip"
	"strconv"
	"strings"

	"namecast/lib/rr"
)

// Sizes of version 0, in octets.
const (
	maxKeyV0     = 2048 // above every key of the sizes that are taken
	minElementV0 = 14   // an element with empty fields
)

// parseV0 reads what follows the version number.
func parseV0(c *cursor, r *Request) (*Request, int, error) {
	size := c.size16()
	if size == 0 || size > maxKeyV0 {
		c.fail(StatusMalformed)
	}
	r.Key = c.take(size)
	r.Seq = int64(c.u64())
	count := c.size16()
	if !c.ok() {
		return nil, 0, r.parseError(c, "")
	}
	r.Elements = make([]Element, 0, min(count, (len(c.b)-c.at)/minElementV0))
	for i := 0; i < count && c.ok(); i++ {
		e := readElementV0(c)
		if c.ok() {
			r.Elements = append(r.Elements, e.element())
		}
	}
	r.signed = c.at
	r.sig = c.take(c.size16())
	if !c.ok() {
		r.recount(c, count)
		return nil, 0, r.parseError(c, "")
	}
	r.packet = c.b[:c.at]
	return r, c.at, nil
}

// An elementV0 is an element as it travels in version 0.
type elementV0 struct {
	op    Op
	name  string
	rtype string // with the NUL at its end
	data  string
	ttl   int32
}

func readElementV0(c *cursor) elementV0 {
	var e elementV0
	e.op = Op(c.u16())
	e.name = string(c.take(c.size16()))
	e.rtype = string(c.take(c.size16()))
	e.data = string(c.take(c.size32()))
	e.ttl = int32(c.u32())
	return e
}

// element looks into the fields, in the order in which they travel; the first
// that is wrong gives the code.
func (e elementV0) element() Element {
	out := Element{Op: e.op}
	switch e.op {
	case OpAdd, OpDelete:
		out.Code = e.record(&out)
	case OpValidate:
		out.Code = e.validate(&out)
	default:
		out.Code = CodeBadOpcode
	}
	return out
}

// record reads an add or a delete.
func (e elementV0) record(out *Element) (code Code) {
	if out.Owner, code = ownerV0(e.name); code != CodeOK {
		return code
	}
	if out.Op == OpDelete && e.rtype == "\x00" {
		if e.data != "" {
			return CodeBadData
		}
		return CodeOK
	}
	if out.Type, code = typeV0(e.rtype); code != CodeOK {
		return code
	}
	if e.data == "" {
		if out.Op == OpAdd {
			return CodeNoData
		}
		return CodeOK
	}
	d, ok := dataV0(out.Type, e.data)
	if !ok {
		return CodeBadData
	}
	out.Data = []rr.Data{d}
	if out.Op == OpAdd {
		if e.ttl < 0 {
			return CodeBadTTL
		}
		out.TTL = uint32(e.ttl)
	}
	return CodeOK
}

// validate reads a claim of a domain.
func (e elementV0) validate(out *Element) (code Code) {
	if out.Owner, code = nameV0(strings.TrimSuffix(e.name, ".")); code != CodeOK {
		return code
	}
	switch {
	case out.Owner == "":
		return CodeBadName
	case out.Owner.Wildcard():
		return CodeNameChars
	case e.rtype != "":
		return CodeBadType
	case e.data == "":
		return CodeNoData
	}
	out.Contact = e.data
	if _, err := rr.ParseMailbox(e.data); err != nil {
		return CodeBadData
	}
	if e.ttl < 0 {
		return CodeBadTTL
	}
	out.TTL = uint32(e.ttl)
	return CodeOK
}

// ownerV0 reads a relative owner name: "@" is the apex, as is the empty name.
func ownerV0(s string) (rr.Name, Code) {
	if s == "@" {
		return "", CodeOK
	}
	return nameV0(s)
}

// nameV0 reads a name of version 0: ASCII, without a dot at its end.
func nameV0(s string) (rr.Name, Code) {
	if s == "" {
		return "", CodeOK
	}
	if strings.ContainsFunc(s, notNameChar) || strings.LastIndexByte(s, '*') > 0 || s[0] == '*' && len(s) > 1 && s[1] != '.' {
		return "", CodeNameChars
	}
	long := false
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return "", CodeBadName
		}
		long = long || len(label) > rr.MaxLabel
	}
	n, err := rr.ParseName(s)
	if long || err != nil {
		return "", CodeNameTooLong
	}
	return n, CodeOK
}

// notNameChar tells what no name of version 0 holds.
func notNameChar(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return false
	}
	return c != '-' && c != '_' && c != '.' && c != '*'
}

// typeV0 reads a type's name, of which the NUL is part.
func typeV0(s string) (rr.Type, Code) {
	name, ok := strings.CutSuffix(s, "\x00")
	if !ok {
		return 0, CodeBadType
	}
	t, err := rr.ParseType(name)
	if err != nil {
		return 0, CodeBadType
	}
	if !carriedV0(t) {
		return 0, CodeTypeUnsupported
	}
	return t, CodeOK
}

// carriedV0 tells the record types of version 0.
func carriedV0(t rr.Type) bool {
	switch t {
	case rr.TypeA, rr.TypeAAAA, rr.TypeCNAME, rr.TypeMX, rr.TypeNS, rr.TypeTXT:
		return true
	}
	return false
}

// dataV0 reads record data in the text of version 0.
func dataV0(t rr.Type, s string) (rr.Data, bool) {
	switch t {
	case rr.TypeA, rr.TypeAAAA:
		a, err := netip.ParseAddr(s)
		if err != nil || a.Is4() != (t == rr.TypeA) || a.Zone() != "" {
			return "", false
		}
		return rr.Data(a.AsSlice()), true
	case rr.TypeCNAME, rr.TypeNS:
		n, ok := hostV0(s)
		return rr.NameData(n), ok
	case rr.TypeMX:
		digits, host, _ := strings.Cut(s, " ")
		pref, err := strconv.ParseUint(digits, 10, 16)
		n, ok := hostV0(host)
		return rr.MXData(uint16(pref), n), ok && err == nil && len(digits) <= 5
	}
	return rr.TXTData(s), len(s) <= maxTextV0
}

// maxTextV0 is the longest text whose 255-octet strings fit in record data.
const maxTextV0 = 65535 - 65535/256 - 1

// hostV0 reads a name in record data; a dot at its end is let pass.
func hostV0(s string) (rr.Name, bool) {
	n, code := nameV0(strings.TrimSuffix(s, "."))
	return n, code == CodeOK && n != "" && !n.Wildcard()
}
