// Package rr is the vocabulary of the tree: domain names, record types and
// record data, all held in the wire form of RFC 1035 and printed in its
// presentation form.
//
// Every other room speaks in these terms, so it is the one room that knows how
// github.com/miekg/dns reads and writes the data of a type.
package rr

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// Limits of RFC 1035 section 2.3.4, in octets.
const (
	MaxLabel = 63
	MaxName  = 254 // without the root label, which a Name does not carry
)

// Reasons why a name is refused. ErrTooLong and ErrBadName are told apart
// because the paper's protocol has a code for each.
var (
	ErrTooLong = errors.New("name too long")
	ErrBadName = errors.New("bad name")
)

// A Name is a domain name as length-prefixed labels, without the root label at
// the end. The empty Name is the root where absolute names are meant and the
// apex ("@") where relative ones are. Case is kept; use [Name.Lower] before a
// Name becomes a key.
type Name string

// ParseName reads the presentation form: labels separated by dots, an optional
// dot at the end, \DDD and \X escapes. "." and "@" are the empty Name.
func ParseName(s string) (Name, error) {
	if s == "." || s == "@" {
		return "", nil
	}
	wire := make([]byte, 1, len(s)+2)
	start, open := 0, false // start: where the label's length octet stands
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '.' {
			if !open {
				return "", fmt.Errorf("%w: empty label in %q", ErrBadName, s)
			}
			wire[start] = byte(len(wire) - start - 1)
			start, open = len(wire), false
			wire = append(wire, 0)
			continue
		}
		if c == '\\' {
			b, n, err := unescape(s[i+1:])
			if err != nil {
				return "", fmt.Errorf("%w: %v in %q", ErrBadName, err, s)
			}
			c, i = b, i+n
		}
		wire, open = append(wire, c), true
		if len(wire)-start-1 > MaxLabel {
			return "", fmt.Errorf("%w: a label of more than %d octets in %q", ErrTooLong, MaxLabel, s)
		}
	}
	if open {
		wire[start] = byte(len(wire) - start - 1)
	} else {
		wire = wire[:start]
	}
	if len(wire) == 0 {
		return "", fmt.Errorf("%w: empty", ErrBadName)
	}
	if len(wire) > MaxName {
		return "", fmt.Errorf("%w: more than %d octets: %q", ErrTooLong, MaxName, s)
	}
	return Name(wire), nil
}

// unescape reads what follows a backslash and says how many octets it took.
func unescape(s string) (b byte, n int, err error) {
	switch {
	case s == "":
		return 0, 0, errors.New("escape without a character")
	case s[0] < '0' || s[0] > '9':
		return s[0], 1, nil
	case len(s) < 3 || !digit(s[1]) || !digit(s[2]):
		return 0, 0, errors.New("escape needs three digits")
	}
	v := int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
	if v > 255 {
		return 0, 0, errors.New("escape above 255")
	}
	return byte(v), 3, nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// MustName is [ParseName] for names that are written in the program.
func MustName(s string) Name {
	n, err := ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

// Check reports whether n is well-formed wire labels within the limits; a Name
// made of foreign octets must pass it before anything else is done with it.
func (n Name) Check() error {
	if len(n) > MaxName {
		return fmt.Errorf("%w: %d octets", ErrTooLong, len(n))
	}
	for i := 0; i < len(n); i += int(n[i]) + 1 {
		switch l := int(n[i]); {
		case l == 0:
			return fmt.Errorf("%w: empty label", ErrBadName)
		case l > MaxLabel:
			return fmt.Errorf("%w: label length %d", ErrBadName, l)
		case i+l >= len(n):
			return fmt.Errorf("%w: label cut off", ErrBadName)
		}
	}
	return nil
}

// String gives the presentation form without a dot at the end; the empty Name
// is "@".
func (n Name) String() string {
	if n == "" {
		return "@"
	}
	var b strings.Builder
	for label := range n.Labels() {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		for i := 0; i < len(label); i++ {
			escape(&b, label[i])
		}
	}
	return b.String()
}

// escape writes one octet of a label the way master files do (RFC 1035 5.1).
func escape(b *strings.Builder, c byte) {
	switch {
	case c <= ' ' || c > '~':
		fmt.Fprintf(b, "\\%03d", c)
	case strings.IndexByte(`."();@\$`, c) >= 0:
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
}

// FQDN gives the presentation form with the dot of the root at the end.
func (n Name) FQDN() string {
	if n == "" {
		return "."
	}
	return n.String() + "."
}

// Wire gives the octets with the root label at the end.
func (n Name) Wire() []byte { return append([]byte(n), 0) }

// Labels yields the labels from the left, without their length octets.
func (n Name) Labels() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 0; i < len(n); i += int(n[i]) + 1 {
			if !yield(string(n[i+1 : i+1+int(n[i])])) {
				return
			}
		}
	}
}

// Count is the number of labels.
func (n Name) Count() int {
	k := 0
	for i := 0; i < len(n); i += int(n[i]) + 1 {
		k++
	}
	return k
}

// First gives the leftmost label without its length octet, "" for the empty Name.
func (n Name) First() string {
	if n == "" {
		return ""
	}
	return string(n[1 : 1+n[0]])
}

// Parent takes the leftmost label off; the parent of the empty Name is itself.
func (n Name) Parent() Name {
	if n == "" {
		return ""
	}
	return n[1+n[0]:]
}

// Lower folds ASCII letters, as RFC 4343 compares names.
func (n Name) Lower() Name {
	for i := 0; i < len(n); i++ {
		if 'A' <= n[i] && n[i] <= 'Z' {
			b := []byte(n)
			for ; i < len(b); i++ {
				// A length octet is at most 63, below every letter.
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return Name(b)
		}
	}
	return n
}

// Equal compares without regard to ASCII case.
func (n Name) Equal(m Name) bool { return len(n) == len(m) && n.Lower() == m.Lower() }

// Under reports whether n is suffix or below it.
func (n Name) Under(suffix Name) bool {
	_, ok := n.Cut(suffix)
	return ok
}

// Cut takes suffix off and gives the relative rest, "" when n is suffix itself.
// Case is not regarded.
func (n Name) Cut(suffix Name) (rest Name, ok bool) {
	for i := 0; ; i += int(n[i]) + 1 {
		if len(n)-i <= len(suffix) {
			return n[:i], n[i:].Equal(suffix)
		}
	}
}

// Join puts the relative name n under suffix.
func (n Name) Join(suffix Name) (Name, error) {
	if len(n)+len(suffix) > MaxName {
		return "", fmt.Errorf("%w: %s under %s", ErrTooLong, n, suffix)
	}
	return n + suffix, nil
}

// Wildcard reports whether the leftmost label is "*" (RFC 4592).
func (n Name) Wildcard() bool { return strings.HasPrefix(string(n), "\x01*") }

// Star is the wildcard label alone; Star+n is the source of synthesis at the
// closest encloser n.
const Star Name = "\x01*"

// ParseMailbox turns an e-mail address into the name that SOA records have for
// it: the part before the "@" is one label (RFC 1035 section 8). The domain
// must be ASCII.
func ParseMailbox(address string) (Name, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at > MaxLabel {
		return "", fmt.Errorf("%w: no e-mail address: %q", ErrBadName, address)
	}
	local, domain := address[:at], strings.TrimSuffix(address[at+1:], ".")
	if strings.ContainsFunc(local, notMailbox) || strings.ContainsFunc(domain, notHost) || domain == "" {
		return "", fmt.Errorf("%w: no e-mail address: %q", ErrBadName, address)
	}
	n, err := ParseName(domain)
	if err != nil {
		return "", err
	}
	return Name(append([]byte{byte(at)}, local...)).Join(n)
}

// notMailbox tells what the part of an address before the "@" does not hold
// (RFC 5321 section 4.1.2, without its quoted form).
func notMailbox(c rune) bool {
	return c <= ' ' || c > '~' || strings.ContainsRune(`@"(),:;<>[\]`, c)
}

// notHost tells what no host name holds (RFC 1123 section 2.1).
func notHost(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.')
}
