package rr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/miekg/dns"
)

// ErrBadData says that record data does not fit its type.
var ErrBadData = errors.New("bad record data")

// Data is the data of one record in uncompressed wire form; names in it are
// absolute. Its length is at most 65,535 octets.
type Data string

// A Set is an RRset (RFC 2181 section 5): the records that share an owner name
// and a type, and so one TTL. TTL is in seconds, 0 to 2^31-1.
type Set struct {
	Owner Name
	Type  Type
	TTL   uint32
	Data  []Data
}

// MaxTTL is the largest TTL, in seconds (RFC 2181 section 8).
const MaxTTL = 1<<31 - 1

// ParseData reads the presentation form of one record's data, also the generic
// form of RFC 3597. Names in it are absolute whether or not they end in a dot.
// A string of more than 255 octets in TXT data becomes several.
func ParseData(t Type, text string) (Data, error) {
	if strings.ContainsAny(text, "\n\r") {
		return "", fmt.Errorf("%w: a line break", ErrBadData)
	}
	as := t.form(text)
	line := ". 0 IN " + as.String() + " " + text
	zp := dns.NewZoneParser(strings.NewReader(line+"\n"), ".", "")
	r, ok := zp.Next()
	if err := zp.Err(); err != nil {
		return "", fmt.Errorf("%w: %s %q: %s", ErrBadData, t, text, reason(err))
	}
	if !ok || Type(r.Header().Rrtype) != as {
		return "", fmt.Errorf("%w: %s %q", ErrBadData, t, text)
	}
	if _, more := zp.Next(); more {
		return "", fmt.Errorf("%w: %s %q: more than one record", ErrBadData, t, text)
	}
	d, err := pack(r)
	if err != nil {
		return "", fmt.Errorf("%w: %s %q: %s", ErrBadData, t, text, err)
	}
	return d, d.Check(t)
}

// form is the type whose presentation form text has: the library does not know
// that of ALIAS.
func (t Type) form(text string) Type {
	if t == TypeALIAS && !strings.HasPrefix(strings.TrimSpace(text), `\#`) {
		return TypeCNAME
	}
	return t
}

// reason takes the library's prefix and position off an error: the position is
// one in a line that the user never wrote.
func reason(err error) string {
	s := strings.TrimPrefix(err.Error(), "dns: ")
	if i := strings.LastIndex(s, " at line: "); i >= 0 {
		s = s[:i]
	}
	return s
}

// pack gives the uncompressed wire form of r's data.
func pack(r dns.RR) (Data, error) {
	buf := make([]byte, dns.Len(r)+64)
	n, err := dns.PackRR(r, buf, 0, nil, false)
	if errors.Is(err, dns.ErrBuf) {
		buf = make([]byte, dns.MaxMsgSize)
		n, err = dns.PackRR(r, buf, 0, nil, false)
	}
	if err != nil {
		return "", err
	}
	head, err := dns.PackDomainName(r.Header().Name, make([]byte, 256), 0, nil, false)
	if err != nil {
		return "", err
	}
	return Data(buf[head+10 : n]), nil
}

// Check reports whether d is data of the type: the whole of it, with no
// compressed name, in the one form that packing it again gives.
func (d Data) Check(t Type) error {
	if ok, known := d.plain(t); known {
		if !ok {
			return fmt.Errorf("%w: not %s data", ErrBadData, t)
		}
		return nil
	}
	r, err := d.record(".", t, 0)
	if err != nil {
		return err
	}
	again, err := pack(r)
	if err != nil || again != d || nameMissing(reflect.ValueOf(r).Elem()) {
		return fmt.Errorf("%w: %s in an irregular form", ErrBadData, t)
	}
	return nil
}

// nameMissing finds a record that ends before one of its names does. The library
// reads such data, and packs it again as it was.
func nameMissing(v reflect.Value) bool {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch field.Tag.Get("dns") {
		case "domain-name", "cdomain-name":
			if v.Field(i).Kind() == reflect.String && v.Field(i).Len() == 0 {
				return true
			}
		}
		if field.Anonymous && nameMissing(v.Field(i)) {
			return true
		}
	}
	return false
}

// plain is Check for the types that nearly all records have. It is some fifty
// times as fast, which counts: a packet can bring ten thousand records.
func (d Data) plain(t Type) (ok, known bool) {
	switch t {
	case TypeA:
		return len(d) == 4, true
	case TypeAAAA:
		return len(d) == 16, true
	case TypeNS, TypeCNAME, TypePTR, TypeDNAME, TypeALIAS, TypeMX, TypeSRV:
		_, ok := d.Target(t)
		return ok && d[len(d)-1] == 0, true
	case TypeTXT:
		at := 0
		for at < len(d) {
			at += 1 + int(d[at])
		}
		return at == len(d) && 0 < at && at <= 65535, true
	}
	return false, false
}

// record builds the library's form of one record.
func (d Data) record(owner string, t Type, ttl uint32) (dns.RR, error) {
	if len(d) > 65535 {
		return nil, fmt.Errorf("%w: %s of %d octets", ErrBadData, t, len(d))
	}
	h := dns.RR_Header{Name: owner, Rrtype: uint16(t), Class: dns.ClassINET, Ttl: ttl, Rdlength: uint16(len(d))}
	if len(d) == 0 && !mayBeEmpty(t) {
		return nil, fmt.Errorf("%w: %s without data", ErrBadData, t)
	}
	r, n, err := dns.UnpackRRWithHeader(h, []byte(d), 0)
	if err != nil || n != len(d) {
		return nil, fmt.Errorf("%w: not %s data", ErrBadData, t)
	}
	return r, nil
}

// mayBeEmpty tells the types whose data can have no octets: an empty list of
// address prefixes (RFC 3123), NULL (RFC 1035), and all whose data has no
// format here (RFC 3597).
func mayBeEmpty(t Type) bool {
	_, known := dns.TypeToRR[uint16(t)]
	return !known || t == Type(dns.TypeAPL) || t == Type(dns.TypeNULL)
}

// Text gives the presentation form, or the RFC 3597 one if d does not fit t or
// the other form does not read back as d.
func (d Data) Text(t Type) string {
	r, err := d.record(".", t.form(""), 0)
	if err != nil {
		return d.Generic()
	}
	text, ok := strings.CutPrefix(r.String(), r.Header().String())
	if back, err := ParseData(t, text); !ok || err != nil || back != d {
		return d.Generic()
	}
	return text
}

// Generic gives the form that RFC 3597 section 5 has for data of any type.
func (d Data) Generic() string {
	return strings.TrimSuffix(fmt.Sprintf("\\# %d %x", len(d), string(d)), " ")
}

// Equal reports whether a and b are the same data of type t; the case of names
// in it does not count (RFC 2181 section 5, RFC 4343).
func (d Data) Equal(b Data, t Type) bool {
	if d == b {
		return true
	}
	if len(d) != len(b) || !bytes.EqualFold([]byte(d), []byte(b)) {
		return false
	}
	x, err1 := d.record(".", t.form(""), 0)
	y, err2 := b.record(".", t.form(""), 0)
	return err1 == nil && err2 == nil && dns.IsDuplicate(x, y)
}

// Records gives the set in the library's form under an absolute owner name in
// presentation form, ready to be packed into a message.
func (s Set) Records(owner string) ([]dns.RR, error) {
	out := make([]dns.RR, 0, len(s.Data))
	for _, d := range s.Data {
		r, err := d.record(owner, s.Type, s.TTL)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Target gives the name that the data leads on to, for the types that have one:
// NS, CNAME, PTR, DNAME, ALIAS, MX, AFSDB, RT, KX, SRV, SVCB and HTTPS. The root
// of the last two stands for the owner (RFC 9460 section 2.5).
func (d Data) Target(t Type) (Name, bool) {
	skip, last := 0, true // octets before the name; whether it ends the data
	switch t {
	case TypeNS, TypeCNAME, TypePTR, TypeDNAME, TypeALIAS:
	case TypeMX, TypeAFSDB, TypeRT, TypeKX:
		skip = 2
	case TypeSRV:
		skip = 6
	case TypeSVCB, TypeHTTPS:
		skip, last = 2, false
	default:
		return "", false
	}
	if len(d) <= skip {
		return "", false
	}
	end := len(d) - 1
	if !last {
		for end = skip; end < len(d) && d[end] != 0; {
			end += int(d[end]) + 1
		}
		if end >= len(d) {
			return "", false
		}
	}
	n := Name(d[skip:end])
	return n, n.Check() == nil
}

// Size is the number of octets the set counts for in an account's quota: names
// and data in wire form, 10 octets of fixed fields a record.
func (s Set) Size() int {
	n := 0
	for _, d := range s.Data {
		n += len(s.Owner) + 10 + len(d)
	}
	return n
}

// NameData makes the data of NS, CNAME, PTR and DNAME records.
func NameData(n Name) Data { return Data(n.Wire()) }

// MXData makes the data of an MX record.
func MXData(preference uint16, host Name) Data {
	return Data(append(binary.BigEndian.AppendUint16(nil, preference), host.Wire()...))
}

// TXTData makes the data of a TXT record from a text: strings of 255 octets,
// the last one shorter; an empty text is one empty string.
func TXTData(text string) Data {
	b := make([]byte, 0, len(text)+len(text)/255+1)
	for {
		n := min(len(text), 255)
		b = append(append(b, byte(n)), text[:n]...)
		text = text[n:]
		if text == "" {
			return Data(b)
		}
	}
}

// Strings gives the character strings that the data of a TXT record is.
func (d Data) Strings() []string {
	var out []string
	for len(d) > 0 {
		n := min(int(d[0]), len(d)-1)
		out = append(out, string(d[1:1+n]))
		d = d[1+n:]
	}
	return out
}
