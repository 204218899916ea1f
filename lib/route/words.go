package route

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words splits a line, with or without its end, into one word or more.
func words(line string) ([]string, error) {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	switch {
	case len(line) > MaxLine:
		return nil, fmt.Errorf("%w: longer than %d octets", ErrLine, MaxLine)
	case !utf8.ValidString(line) || strings.ContainsFunc(line, control):
		return nil, fmt.Errorf("%w: not plain UTF-8 text", ErrLine)
	}
	w := strings.Fields(line)
	if len(w) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrLine)
	}
	return w, nil
}

// control tells characters that no line has.
func control(c rune) bool { return c != '\t' && unicode.IsControl(c) }

// clip makes a line of any text, some of which may be foreign: single spaces, no
// control characters, MaxLine octets.
func clip(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	for len(text) > MaxLine {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return strings.TrimRight(text, " ")
}
