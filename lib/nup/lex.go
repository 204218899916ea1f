package nup

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A token is a word of a line as it is written: quotes and escapes included.
type token string

func (t token) quoted() bool { return strings.HasPrefix(string(t), `"`) }

// generic reports whether the token begins data in the form of RFC 3597.
func (t token) generic() bool { return t == `\#` }

// text is the token without its quotes, escapes resolved; it is for words that
// are neither names nor record data.
func (t token) text() string {
	s := string(t)
	if t.quoted() {
		s = s[1 : len(s)-1]
	}
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// lex splits a line into tokens and drops its comment. Parentheses, which in a
// zone file let a record go on over several lines, must close on the line and
// mean nothing else.
func lex(line string) ([]token, error) {
	if !utf8.ValidString(line) {
		return nil, errors.New(`not UTF-8; write other octets as \DDD`)
	}
	var out []token
	depth := 0
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '(':
			depth++
			i++
			continue
		case c == ')':
			if depth--; depth < 0 {
				return nil, errors.New(`")" without "("`)
			}
			i++
			continue
		case c == '#' || c == ';':
			i = len(line)
			continue
		}
		n, err := tokenLength(line[i:])
		if err != nil {
			return nil, err
		}
		out = append(out, token(line[i:i+n]))
		i += n
	}
	if depth > 0 {
		return nil, errors.New(`"(" without ")": an element is one line`)
	}
	return out, nil
}

// tokenLength measures the token that s begins with. Quotes after "=" are part
// of a word, as in the alpn="h2,h3" of SVCB data (RFC 9460 section 2.1).
func tokenLength(s string) (int, error) {
	quoted := s[0] == '"'
	inner := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < ' ' && c != '\t' || c == 0x7F:
			return 0, fmt.Errorf("control character %q; write it as \\%03d", c, c)
		case c == '\\':
			if i++; i == len(s) {
				return 0, errors.New(`"\" at the end of the line`)
			}
			if s[i] < ' ' || s[i] == 0x7F {
				return 0, fmt.Errorf("control character %q; write it as \\%03d", s[i], s[i])
			}
		case inner:
			inner = c != '"'
		case quoted && c == '"' && i > 0:
			return i + 1, nil
		case quoted:
		case c == '"' && i > 0 && s[i-1] == '=':
			inner = true
		case c == ' ' || c == '\t' || c == '(' || c == ')' || c == '"':
			return i, nil
		case c == ';':
			return 0, fmt.Errorf(`";" in %q would start a comment; put the text in quotes`, s[:i])
		}
	}
	if quoted || inner {
		return 0, errors.New("quoted string does not end")
	}
	return len(s), nil
}
