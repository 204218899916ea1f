package nup

import (
	"crypto/ed25519"
	"fmt"

	"namecast/lib/key"
	"namecast/lib/rr"
)

// Sizes of version 1, in octets.
const (
	keySizeV1    = 1 + ed25519.PublicKeySize // algorithm, key
	sigSizeV1    = ed25519.SignatureSize
	minElementV1 = 11 // an element without owner and records
)

// parseV1 reads what follows the version number.
func parseV1(c *cursor, r *Request) (*Request, int, error) {
	if detail := r.parseKeyV1(c); !c.ok() {
		return nil, 0, r.parseError(c, detail)
	}
	r.Service = rr.Name(c.take(c.u8()))
	r.Seq = int64(c.u64())
	count := int(c.u16())
	if r.Seq < 0 || c.ok() && !serviceName(r.Service) {
		c.fail(StatusMalformed)
	}
	if !c.ok() {
		return nil, 0, r.parseError(c, "")
	}
	r.Elements = make([]Element, 0, min(count, (len(c.b)-c.at)/minElementV1))
	for i := 0; i < count && c.ok(); i++ {
		e := readElementV1(c)
		if c.ok() {
			r.Elements = append(r.Elements, e.element())
			r.unchecked = append(r.unchecked, e)
		}
	}
	detail := r.parseOptions(c)
	r.signed = c.at
	if size := c.u16(); c.ok() && size != sigSizeV1 {
		c.fail(StatusMalformed)
		detail = fmt.Sprintf("signature of %d octets", size)
	}
	r.sig = c.take(sigSizeV1)
	if !c.ok() {
		r.recount(c, count)
		return nil, 0, r.parseError(c, detail)
	}
	r.packet = c.b[:c.at]
	return r, c.at, nil
}

// parseKeyV1 reads the key with its length and says what is wrong with it.
func (r *Request) parseKeyV1(c *cursor) (detail string) {
	if size := c.u16(); c.ok() && size != keySizeV1 {
		c.fail(StatusMalformed)
		return fmt.Sprintf("key of %d octets", size)
	}
	r.Key = c.take(keySizeV1)
	if c.ok() && key.Algorithm(r.Key[0]) != key.Ed25519 {
		c.fail(StatusMalformed)
		return fmt.Sprintf("key of algorithm %d", r.Key[0])
	}
	return ""
}

// serviceName reports whether n can name an installation: a domain, lower case.
func serviceName(n rr.Name) bool { return n != "" && n.Check() == nil && n == n.Lower() }

// An elementV1 is an element as it travels in version 1.
type elementV1 struct {
	op      Op
	owner   rr.Name
	rtype   rr.Type
	ttl     uint32
	records []rr.Data
}

func readElementV1(c *cursor) elementV1 {
	var e elementV1
	e.op = Op(c.u16())
	e.owner = rr.Name(c.take(c.u8()))
	e.rtype = rr.Type(c.u16())
	e.ttl = c.u32()
	count := int(c.u16())
	for i := 0; i < count && c.ok(); i++ {
		e.records = append(e.records, rr.Data(c.take(int(c.u16()))))
	}
	return e
}

// element gives the fields as they are.
func (e elementV1) element() Element {
	out := Element{Op: e.op, Owner: e.owner, Type: e.rtype, TTL: e.ttl}
	switch {
	case e.op == OpValidate && len(e.records) > 0:
		out.Contact = string(e.records[0])
	case e.op == OpRekey && len(e.records) == 2:
		out.NewKey, out.NewSig = []byte(e.records[0]), []byte(e.records[1])
	case e.op != OpValidate && e.op != OpRekey:
		out.Data = e.records
	}
	return out
}

// check looks into the fields, in the order in which they travel; the first
// that is wrong gives the code.
func (e elementV1) check() Code {
	switch e.op {
	case OpAdd, OpReplace, OpDelete, OpExists, OpAbsent:
		return e.checkRecords()
	case OpValidate:
		return e.checkValidate()
	case OpRekey:
		return e.checkRekey()
	}
	return CodeBadOpcode
}

// checkOwner finds what is wrong with the owner name.
func (e elementV1) checkOwner() Code {
	switch err := e.owner.Check(); {
	case err == nil:
		return CodeOK
	case len(e.owner) > rr.MaxName:
		return CodeNameTooLong
	}
	return CodeBadName
}

// checkRecords finds what is wrong with an element about records.
func (e elementV1) checkRecords() Code {
	if code := e.checkOwner(); code != CodeOK {
		return code
	}
	stores := e.op == OpAdd || e.op == OpReplace
	switch {
	case e.rtype == 0 && stores, e.rtype == 0 && len(e.records) > 0:
		return CodeBadType
	case e.rtype != 0 && e.rtype.Hostable() != nil:
		return CodeTypeUnsupported
	case stores && e.ttl > rr.MaxTTL, !stores && e.ttl != 0:
		return CodeBadTTL
	case stores && len(e.records) == 0:
		return CodeNoData
	case e.op == OpAbsent && len(e.records) > 0:
		return CodeBadData
	}
	for _, d := range e.records {
		if d.Check(e.rtype) != nil {
			return CodeBadData
		}
	}
	return CodeOK
}

// checkValidate finds what is wrong with a claim of a domain.
func (e elementV1) checkValidate() Code {
	if code := e.checkOwner(); code != CodeOK {
		return code
	}
	switch {
	case e.owner == "":
		return CodeBadName
	case e.owner.Wildcard():
		return CodeNameChars
	case e.rtype != 0:
		return CodeBadType
	case e.ttl > rr.MaxTTL:
		return CodeBadTTL
	case len(e.records) == 0:
		return CodeNoData
	case len(e.records) > 1:
		return CodeBadData
	}
	if _, err := rr.ParseMailbox(string(e.records[0])); err != nil {
		return CodeBadData
	}
	return CodeOK
}

// checkRekey finds what is wrong with a move to a new key; the signature in it
// is for VerifyRekey.
func (e elementV1) checkRekey() Code {
	switch {
	case e.owner != "":
		return CodeBadName
	case e.rtype != 0:
		return CodeBadType
	case e.ttl != 0:
		return CodeBadTTL
	case len(e.records) < 2:
		return CodeNoData
	case len(e.records) > 2, len(e.records[0]) != keySizeV1, len(e.records[1]) != sigSizeV1,
		key.Algorithm(e.records[0][0]) != key.Ed25519:
		return CodeBadData
	}
	return CodeOK
}
