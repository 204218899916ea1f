package nup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"namecast/lib/rr"
)

// Reasons why version 0 cannot carry an element.
var (
	errNotV0   = errors.New("version 0 (a DSA key) cannot carry it; use an Ed25519 key")
	errNoData  = errors.New("data missing")
	errRecords = errors.New("too many records")
)

// append appends the element as it travels in a version.
func (e *Element) append(b []byte, version int) ([]byte, error) {
	if version == 0 {
		return e.appendV0(b)
	}
	return e.appendV1(b)
}

func (e *Element) appendV1(b []byte) ([]byte, error) {
	if len(e.Owner) > 255 {
		return nil, rr.ErrTooLong
	}
	records := e.Data
	switch e.Op {
	case OpValidate:
		records = []rr.Data{rr.Data(e.Contact)}
	case OpRekey:
		records = []rr.Data{rr.Data(e.NewKey), rr.Data(e.NewSig)}
	}
	if len(records) > 65535 {
		return nil, errRecords
	}
	b = binary.BigEndian.AppendUint16(b, uint16(e.Op))
	b = append(append(b, byte(len(e.Owner))), e.Owner...)
	b = binary.BigEndian.AppendUint16(b, uint16(e.Type))
	b = binary.BigEndian.AppendUint32(b, e.TTL)
	b = binary.BigEndian.AppendUint16(b, uint16(len(records)))
	for _, d := range records {
		if len(d) > 65535 {
			return nil, rr.ErrBadData
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(d)))
		b = append(b, d...)
	}
	return b, nil
}

// appendV0 appends the element in version 0; several records become as many
// elements there, which is the caller's business: here it is one at most.
func (e *Element) appendV0(b []byte) ([]byte, error) {
	out, err := e.toV0()
	if err != nil {
		return nil, err
	}
	if len(out.name) > 1<<15-1 || len(out.rtype) > 1<<15-1 || len(out.data) > MaxPacket {
		return nil, ErrTooLarge
	}
	b = binary.BigEndian.AppendUint16(b, uint16(out.op))
	b = binary.BigEndian.AppendUint16(b, uint16(len(out.name)))
	b = append(b, out.name...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(out.rtype)))
	b = append(b, out.rtype...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(out.data)))
	b = append(b, out.data...)
	return binary.BigEndian.AppendUint32(b, uint32(out.ttl)), nil
}

// toV0 writes the element's fields as texts; an error says what version 0 has
// no words for.
func (e *Element) toV0() (elementV0, error) {
	out := elementV0{op: e.Op, ttl: int32(e.TTL)}
	var err error
	if out.name, err = textV0(e.Owner); err != nil {
		return out, err
	}
	switch {
	case e.Op == OpValidate:
		out.data = e.Contact
		return out, nil
	case e.Op != OpAdd && e.Op != OpDelete:
		return out, errNotV0
	case e.Op == OpDelete && e.Type == 0 && len(e.Data) == 0:
		out.rtype = "\x00"
		return out, nil
	case !carriedV0(e.Type):
		return out, fmt.Errorf("record type %s: %w", e.Type, errNotV0)
	}
	out.rtype = e.Type.String() + "\x00"
	switch {
	case len(e.Data) > 1:
		return out, errRecords
	case len(e.Data) == 1:
		out.data, err = dataTextV0(e.Type, e.Data[0])
	case e.Op == OpAdd:
		err = errNoData
	}
	return out, err
}

// textV0 writes a name without a dot at its end; the apex is empty.
func textV0(n rr.Name) (string, error) {
	if n == "" {
		return "", nil
	}
	s := n.String()
	if back, code := nameV0(s); code != CodeOK || back != n {
		return "", fmt.Errorf("name %q: %w", s, errNotV0)
	}
	return s, nil
}

// dataTextV0 writes record data as version 0 has it; reading it again gives
// the same data.
func dataTextV0(t rr.Type, d rr.Data) (string, error) {
	var s string
	switch t {
	case rr.TypeA, rr.TypeAAAA:
		a, _ := netip.AddrFromSlice([]byte(d))
		s = a.String()
	case rr.TypeCNAME, rr.TypeNS:
		n, _ := d.Target(t)
		s = n.String()
	case rr.TypeMX:
		if n, ok := d.Target(t); ok {
			s = strconv.Itoa(int(d[0])<<8|int(d[1])) + " " + n.String()
		}
	case rr.TypeTXT:
		s = strings.Join(d.Strings(), "")
	}
	if back, ok := dataV0(t, s); !ok || back != d {
		return "", fmt.Errorf("%s data %s: %w", t, d.Text(t), errNotV0)
	}
	return s, nil
}
