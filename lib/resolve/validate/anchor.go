package validate

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// ErrAnchor says that a text has no trust anchors, or something else.
var ErrAnchor = errors.New("bad trust anchor")

// An Anchor is a key of a zone that is trusted without a chain.
type Anchor struct {
	Zone rr.Name // in lower case

	ds  *dns.DS     // one of
	key *dns.DNSKEY // these two is there
}

func (a Anchor) String() string {
	if a.ds != nil {
		return a.ds.String()
	}
	return a.key.String()
}

// rootAnchors are the keys of the root: KSK-2017 and KSK-2024, as IANA publishes them in
// https://data.iana.org/root-anchors/root-anchors.xml. Either is good for as long as the
// root has it, so that the change from the one to the other needs nothing done here.
const rootAnchors = `
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
`

// RootAnchors are those of the Internet's root, which are built in.
func RootAnchors() []Anchor {
	anchors, err := ParseAnchors([]byte(rootAnchors))
	if err != nil {
		panic(err) // the text is above
	}
	return anchors
}

// maxAnchors is how many anchors a text may have, and maxAnchorText how long it may be, in
// octets.
const (
	maxAnchors    = 1000
	maxAnchorText = 1 << 20
)

// ParseAnchors reads a file of trust anchors: DS and DNSKEY records as in master files, the
// form of unbound's root.key and of what nc-keygen -ds prints. Keys that have no use in
// validation, because they are revoked or no zone's, are left out, as are those that whoever
// follows the root's keys for us (RFC 5011) does not trust, yet or any more.
func ParseAnchors(text []byte) ([]Anchor, error) {
	if len(text) > maxAnchorText {
		return nil, fmt.Errorf("%w: a text of more than %d octets", ErrAnchor, maxAnchorText)
	}
	p := dns.NewZoneParser(bytes.NewReader(text), ".", "")
	p.SetDefaultTTL(0)
	p.SetIncludeAllowed(false)
	var anchors []Anchor
	records := 0
	for record, ok := p.Next(); ok; record, ok = p.Next() {
		if !spend(&records, maxAnchors) {
			return nil, fmt.Errorf("%w: more than %d", ErrAnchor, maxAnchors)
		}
		a, err := anchor(record)
		if err != nil {
			return nil, err
		}
		if (a.key == nil || usable(a.key)) && !untrusted(p.Comment()) {
			anchors = append(anchors, a)
		}
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrAnchor, strings.TrimPrefix(err.Error(), "dns: "))
	}
	if len(anchors) == 0 {
		return nil, fmt.Errorf("%w: no DS or DNSKEY record", ErrAnchor)
	}
	return anchors, nil
}

// untrusted tells whether the comment of a key says so, in a file of unbound's: a key is
// valid (2) or missing (3), or else it is new, revoked or removed (RFC 5011 section 4).
func untrusted(comment string) bool {
	_, state, ok := strings.Cut(comment, ";state=")
	return ok && !strings.HasPrefix(state, "2") && !strings.HasPrefix(state, "3")
}

func anchor(record dns.RR) (Anchor, error) {
	h := record.Header()
	zone, err := rr.ParseName(h.Name)
	if err != nil {
		return Anchor{}, fmt.Errorf("%w: %w", ErrAnchor, err)
	}
	a := Anchor{Zone: zone.Lower()}
	switch r := record.(type) {
	case *dns.DS:
		a.ds = r
	case *dns.DNSKEY:
		a.key = r
	default:
		return a, fmt.Errorf("%w: %s has a record of type %s", ErrAnchor, h.Name, dns.Type(h.Rrtype))
	}
	if h.Class != dns.ClassINET {
		return a, fmt.Errorf("%w: %s is not of class IN", ErrAnchor, h.Name)
	}
	return a, nil
}
