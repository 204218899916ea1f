package nup

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"namecast/lib/rr"
)

// record reads NAME [TTL] [IN] [TYPE [DATA]], which is a line of a zone file.
func (p *textParser) record(op Op, args []token) (Element, error) {
	e := Element{Op: op}
	stores := op == OpAdd || op == OpReplace
	if stores {
		e.TTL = DefaultTTL
	}
	if len(args) == 0 {
		return e, fmt.Errorf("%q without a name", e.verb())
	}
	var err error
	if e.Owner, err = parseOwner(args[0]); err != nil {
		return e, err
	}
	ttl, args, err := ttlAndClass(args[1:])
	if err != nil {
		return e, err
	}
	if ttl != nil && stores {
		e.TTL = *ttl
	}
	if len(args) == 0 {
		if stores || ttl != nil {
			return e, fmt.Errorf("%q without a record type", e.verb())
		}
		return e, nil
	}
	if e.Type, err = parseType(string(args[0])); err != nil {
		return e, err
	}
	if err := e.check(1); err != nil {
		return e, err
	}
	return e, p.data(&e, args[1:])
}

// data reads a record's data, if there is any and there may be.
func (p *textParser) data(e *Element, args []token) error {
	if len(args) == 0 {
		if e.Op == OpAdd || e.Op == OpReplace {
			return fmt.Errorf("%s record without data", e.Type)
		}
		return nil
	}
	if e.Op == OpAbsent {
		return fmt.Errorf(`unexpected %q: "require absent" takes a name and a type`, args[0])
	}
	d, err := p.parseData(e.Type, args)
	e.Data = []rr.Data{d}
	return err
}

// parseOwner reads an owner name, which is relative to the account's suffix.
func parseOwner(t token) (rr.Name, error) {
	if t == "@" {
		return "", nil
	}
	if strings.HasSuffix(string(t), ".") && !strings.HasSuffix(string(t), `\.`) {
		return "", fmt.Errorf("name %q ends in a dot: owner names are relative to the account's suffix", t)
	}
	return parseName(string(t))
}

// parseName reads a name; it may be international.
func parseName(s string) (rr.Name, error) {
	if strings.HasPrefix(s, `"`) {
		return "", fmt.Errorf("bad name %s: names are not quoted", s)
	}
	s, err := toASCII(s)
	if err != nil {
		return "", err
	}
	return rr.ParseName(s)
}

// ttlAndClass takes a TTL and the class IN off, in either order.
func ttlAndClass(args []token) (*uint32, []token, error) {
	var ttl *uint32
	class := false
	for ; len(args) > 0; args = args[1:] {
		word := strings.ToUpper(string(args[0]))
		switch {
		case ttl == nil && strings.ContainsAny(word[:1], "0123456789-+"):
			v, err := parseTTL(string(args[0]))
			if err != nil {
				return nil, nil, err
			}
			ttl = &v
		case !class && word == "IN":
			class = true
		case word == "CH" || word == "HS" || word == "CS":
			return nil, nil, fmt.Errorf("class %s is not served, only IN", word)
		default:
			return ttl, args, nil
		}
	}
	return ttl, args, nil
}

// units are those of BIND's zone files, in seconds.
var units = map[byte]uint64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}

// parseTTL reads seconds, or numbers with units such as 1h30m.
func parseTTL(s string) (uint32, error) {
	var total, n uint64
	digits := false
	for i := 0; i < len(s); i++ {
		unit := units[s[i]|0x20]
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			n, digits = min(n*10+uint64(c-'0'), 1<<40), true
		case unit > 0 && digits:
			total, n, digits = min(total+n*unit, 1<<40), 0, false
		default:
			return 0, fmt.Errorf("bad TTL %q", s)
		}
	}
	if s == "" {
		return 0, fmt.Errorf("bad TTL %q", s)
	}
	if total += n; total > rr.MaxTTL {
		return 0, fmt.Errorf("TTL %s is above %d seconds", s, rr.MaxTTL)
	}
	return uint32(total), nil
}

// parseType reads a type, with a hint for slips of the fingers.
func parseType(s string) (rr.Type, error) {
	t, err := rr.ParseType(s)
	if err == nil {
		return t, nil
	}
	for _, known := range []string{"A", "AAAA", "CNAME", "MX", "NS", "TXT", "SRV", "PTR", "CAA", "TLSA", "SSHFP", "HTTPS", "SVCB", "DNAME", "NAPTR", "DS"} {
		if near(strings.ToUpper(s), known) {
			return 0, fmt.Errorf("%w; is it %s?", err, known)
		}
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return 0, fmt.Errorf("record type missing before %q", s)
	}
	return 0, fmt.Errorf("%w; a type without a name is written like TYPE65534", err)
}

// near reports whether one letter put in, left out, changed or swapped with
// its neighbour makes a of b; both have at least two letters.
func near(a, b string) bool {
	if min(len(a), len(b)) < 2 || max(len(a), len(b)) > 8 {
		return false
	}
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch len(a) - len(b) {
	case 1:
		return a[1:] == b
	case -1:
		return b[1:] == a
	case 0:
		swapped := len(a) >= 2 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
		return a != "" && (a[1:] == b[1:] || swapped)
	}
	return false
}

// names tells where a type's data holds names, counted in words from 0.
var names = map[rr.Type][]int{
	rr.TypeNS: {0}, rr.TypeCNAME: {0}, rr.TypePTR: {0}, rr.TypeDNAME: {0}, rr.TypeALIAS: {0},
	rr.TypeMX: {1}, rr.TypeSRV: {3},
	7: {0}, 8: {0}, 9: {0}, // MB, MG, MR
	14: {0, 1}, 17: {0, 1}, // MINFO, RP
	18: {1}, 21: {1}, 36: {1}, 107: {1}, // AFSDB, RT, KX, LP
	26: {1, 2},       // PX
	35: {5},          // NAPTR
	64: {1}, 65: {1}, // SVCB, HTTPS
}

// parseData reads record data in the presentation form of master files.
func (p *textParser) parseData(t rr.Type, args []token) (rr.Data, error) {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = string(a)
	}
	if !args[0].generic() {
		if err := p.prepare(t, args, words); err != nil {
			return "", err
		}
	}
	d, err := rr.ParseData(t, strings.Join(words, " "))
	if err == nil && p.version == 0 && !carriedV0(t) {
		return "", fmt.Errorf("record type %s: %w", t, errNotV0)
	}
	return d, err
}

// prepare finds the common mistakes, and puts names in their ASCII form.
func (p *textParser) prepare(t rr.Type, args []token, words []string) error {
	switch t {
	case rr.TypeA, rr.TypeAAAA:
		return checkAddress(t, args)
	case rr.TypeMX:
		if len(args) == 1 {
			return fmt.Errorf(`MX wants a preference and a host, such as "10 mail.example.net."`)
		}
		if _, err := strconv.ParseUint(words[0], 10, 16); err != nil {
			return fmt.Errorf("bad MX preference %q", words[0])
		}
	case rr.TypeTXT:
		if len(args) > 1 && !args[0].quoted() {
			p.warn("TXT of %d strings; is it one, %q?", len(args), strings.Join(words, " "))
		}
	}
	for _, i := range names[t] {
		if i >= len(args) {
			continue
		}
		var err error
		if words[i], err = p.nameInData(words[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkAddress finds what is wrong with the data of A and AAAA.
func checkAddress(t rr.Type, args []token) error {
	kind, other := "IPv4", "an IPv6 address goes into AAAA"
	if t == rr.TypeAAAA {
		kind, other = "IPv6", "an IPv4 address goes into A"
	}
	if len(args) > 1 {
		return fmt.Errorf("%s wants one address, not %d words", t, len(args))
	}
	a, err := netip.ParseAddr(string(args[0]))
	switch {
	case err != nil || a.Zone() != "":
		return fmt.Errorf("bad %s address %q", kind, args[0])
	case a.Is4() != (t == rr.TypeA):
		return fmt.Errorf("bad %s address %q: %s", kind, args[0], other)
	}
	return nil
}

// nameInData reads a name in record data, which is absolute whether or not it
// ends in a dot, and gives it in ASCII with the dot.
func (p *textParser) nameInData(s string) (string, error) {
	switch s {
	case ".":
		return s, nil
	case "@":
		return "", errors.New(`"@" in data: names in data are absolute, write the whole name`)
	}
	n, err := parseName(s)
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(s, ".") && n.Count() == 1 {
		p.warn("name %q in data is absolute: it stands for %q", s, n.FQDN())
	}
	return n.FQDN(), nil
}
