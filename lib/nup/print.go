package nup

import (
	"fmt"
	"strings"

	"namecast/lib/rr"
)

// verb is the words that a line of update text with the element begins with.
func (e *Element) verb() string {
	switch e.Op {
	case OpAdd:
		return "add"
	case OpDelete:
		return "delete"
	case OpValidate:
		return "validate"
	case OpReplace:
		return "replace"
	case OpExists:
		return "require exists"
	case OpAbsent:
		return "require absent"
	case OpRekey:
		return "rekey"
	}
	return fmt.Sprintf("opcode %d", uint16(e.Op))
}

// Lines gives the element as lines of update text. Of a rekey, which names a
// file there, the line has the new key's account name in its place.
func (e *Element) Lines() []string {
	head := e.verb()
	switch e.Op {
	case OpAdd, OpReplace:
		head = fmt.Sprintf("%s %s %d %s", head, printName(e.Owner), e.TTL, e.Type)
	case OpDelete, OpExists, OpAbsent:
		head += " " + printName(e.Owner)
		if e.Type != 0 {
			head += " " + e.Type.String()
		}
	case OpValidate:
		return []string{fmt.Sprintf("%s %s %s %d", head, printName(e.Owner), e.Contact, e.TTL)}
	case OpRekey:
		r := Request{Version: 1, Key: e.NewKey}
		return []string{head + " " + r.KeyID()}
	}
	if len(e.Data) == 0 {
		return []string{head}
	}
	out := make([]string, len(e.Data))
	for i, d := range e.Data {
		out[i] = head + " " + printData(d, e.Type)
	}
	return out
}

// String is the element on one line: the first of Lines, and how many more
// there are.
func (e *Element) String() string {
	lines := e.Lines()
	if len(lines) > 1 {
		return fmt.Sprintf("%s (and %d more)", lines[0], len(lines)-1)
	}
	return lines[0]
}

// printName writes a name so that it is one token.
func printName(n rr.Name) string {
	s := n.String()
	if strings.HasPrefix(s, "#") {
		return `\` + s
	}
	return s
}

// printData writes data so that update text gives the same data, if need be in
// the form of RFC 3597.
func printData(d rr.Data, t rr.Type) string {
	s := d.Text(t)
	p := textParser{version: 1}
	words, err := lex(s)
	if err == nil && len(words) > 0 {
		if back, err := p.parseData(t, words); err == nil && back == d {
			return s
		}
	}
	return d.Generic()
}
