// Package ndb reads and prints lines of attribute=value pairs in the manner of
// Plan 9's network database: the form of every list that a person keeps for a
// Namecast tool, and of a key file.
//
// One line is one record. Words are separated by spaces and tabs. A word is
// name=value, or a bare name whose value is empty. A value that holds a space,
// a tab, a quote or a number sign, or starts one, is written in single quotes,
// and a quote inside it is doubled. A number sign that starts a word starts a
// comment that ends with the line. Empty lines mean nothing. The text is UTF-8
// without control characters. By custom a name that starts with '!' is secret.
package ndb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLine is the longest line that is read, in octets.
const MaxLine = 64 << 10

// What is wrong with a line; the error that Parse returns names its number.
var (
	// ErrLong: the line has more than MaxLine octets.
	ErrLong = errors.New("line too long")
	// ErrText: the line is not UTF-8, or holds a control character.
	ErrText = errors.New("not plain UTF-8 text")
	// ErrQuote: a quoted value does not end, or is followed by more of the word.
	ErrQuote = errors.New("bad quoting")
	// ErrName: a word has no name before '=', or a quote within its name.
	ErrName = errors.New("bad attribute name")
)

// An Attr is one word of a line.
type Attr struct{ Name, Value string }

// A Record is the words of one line, in their order. A name can come more than
// once.
type Record []Attr

// A Line is a record and the number of the line it stood on, counted from 1.
type Line struct {
	Number int
	Record
}

// Get gives the value of the first attribute with the name, and whether there
// is one.
func (r Record) Get(name string) (string, bool) {
	for _, a := range r {
		if a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// All gives the values of every attribute with the name, in their order.
func (r Record) All(name string) []string {
	var values []string
	for _, a := range r {
		if a.Name == name {
			values = append(values, a.Value)
		}
	}
	return values
}

// String prints the record as a line without its newline, such that Parse reads
// the same record back. A value cannot hold control characters or octets that
// are not UTF-8: each is printed as U+FFFD, so that a foreign value never
// becomes a second line. Names are printed as they are: they are the program's
// own words.
func (r Record) String() string {
	var b strings.Builder
	for i, a := range r {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.Name)
		if a.Value != "" {
			b.WriteByte('=')
			b.WriteString(quote(a.Value))
		}
	}
	return b.String()
}

// quote gives a value as it is written.
func quote(v string) string {
	v = strings.Map(func(c rune) rune {
		if control(c) {
			return utf8.RuneError
		}
		return c
	}, v)
	if !strings.ContainsAny(v, " \t'#") {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", "''") + "'"
}

// control tells characters that no line holds.
func control(c rune) bool { return c != '\t' && unicode.IsControl(c) }

// Parse reads all records of r. An error names the line at fault; errors of
// reading are wrapped.
func Parse(r io.Reader) ([]Line, error) {
	var lines []Line
	s := bufio.NewScanner(r)
	// One octet more for the line's end, so that a line of exactly MaxLine fits.
	s.Buffer(make([]byte, 0, 4096), MaxLine+1)
	n := 0
	for s.Scan() {
		n++
		record, err := parseLine(s.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(record) > 0 {
			lines = append(lines, Line{n, record})
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: %w", n+1, ErrLong)
	}
	if s.Err() != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, s.Err())
	}
	return lines, nil
}

// parseLine reads one line, which has lost its end.
func parseLine(line []byte) (Record, error) {
	if len(line) > MaxLine {
		return nil, ErrLong
	}
	if !utf8.Valid(line) || bytes.IndexFunc(line, control) >= 0 {
		return nil, ErrText
	}
	var record Record
	rest := skip(string(line))
	for rest != "" && rest[0] != '#' {
		a, after, err := parseWord(rest)
		if err != nil {
			return nil, err
		}
		record = append(record, a)
		rest = skip(after)
	}
	return record, nil
}

// parseWord reads the word at the start of s and gives what follows it.
func parseWord(s string) (a Attr, rest string, err error) {
	end := strings.IndexAny(s, "= \t'")
	if end < 0 {
		return Attr{Name: s}, "", nil
	}
	a.Name, rest = s[:end], s[end:]
	switch {
	case rest[0] == '\'' || a.Name == "":
		return a, rest, fmt.Errorf("%w in %q", ErrName, firstWord(s))
	case rest[0] != '=':
		return a, rest, nil
	}
	rest = rest[1:]
	if strings.HasPrefix(rest, "'") {
		a.Value, rest, err = parseQuoted(rest[1:])
		return a, rest, err
	}
	a.Value = firstWord(rest)
	if strings.Contains(a.Value, "'") {
		return a, rest, fmt.Errorf("%w in the value of %q", ErrQuote, a.Name)
	}
	return a, rest[len(a.Value):], nil
}

// parseQuoted reads a value after its opening quote.
func parseQuoted(s string) (value, rest string, err error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "'")
		if !found {
			return "", "", fmt.Errorf("%w: a quote is not closed", ErrQuote)
		}
		b.WriteString(before)
		switch {
		case after == "" || isSpace(after[0]):
			return b.String(), after, nil
		case after[0] != '\'':
			return "", "", fmt.Errorf("%w: text after a closing quote", ErrQuote)
		}
		b.WriteByte('\'')
		s = after[1:]
	}
}

// firstWord gives s up to its first space.
func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// skip drops leading spaces.
func skip(s string) string { return strings.TrimLeft(s, " \t") }
