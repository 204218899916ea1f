package nup

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// dots are the characters that UTS 46 takes for a dot in international names.
var dots = strings.NewReplacer("\u3002", ".", "\uFF0E", ".", "\uFF61", ".")

// toASCII turns the labels of a name that are not ASCII into A-labels: IDNA
// 2008 with the mapping of UTS 46, non-transitional. ASCII labels stay as they
// are, so that wildcards, underscores and escapes can stand beside them.
func toASCII(name string) (string, error) {
	if isASCII(name) {
		return name, nil
	}
	labels := strings.Split(dots.Replace(name), ".")
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		a, err := labelToASCII(label)
		if err != nil {
			return "", fmt.Errorf("bad international name %q: %w", name, err)
		}
		labels[i] = a
	}
	return strings.Join(labels, "."), nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c > unicode.MaxASCII })
}

// labelToASCII turns one label into an A-label.
func labelToASCII(label string) (string, error) {
	if strings.Contains(label, `\`) {
		return "", fmt.Errorf("an escape in the label %q", label)
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true),
		idna.BidiRule(), idna.CheckHyphens(true), idna.CheckJoiners(true))
	a, err := profile.ToASCII(label)
	if err != nil {
		return "", fmt.Errorf("label %q: %s", label, strings.TrimPrefix(err.Error(), "idna: "))
	}
	u, err := profile.ToUnicode(a)
	if err != nil {
		return "", fmt.Errorf("label %q: %s", label, strings.TrimPrefix(err.Error(), "idna: "))
	}
	runes := []rune(u)
	for i, c := range runes {
		if !allowed2008(runes, i) {
			return "", fmt.Errorf("IDNA 2008 does not allow %q", c)
		}
	}
	return a, nil
}

// allowed2008 applies the part of RFC 5892 that UTS 46 leaves out: symbols are
// no letters, and some punctuation is allowed where its language needs it
// (appendix A). The joiners were checked with the mapping.
func allowed2008(s []rune, i int) bool {
	at := func(j int) rune {
		if j < 0 || j >= len(s) {
			return 0
		}
		return s[j]
	}
	switch c := s[i]; c {
	case '-', '\u200C', '\u200D', '\u06FD', '\u06FE', '\u0F0B', '\u3007':
		return true
	case '\u00B7': // middle dot
		return at(i-1) == 'l' && at(i+1) == 'l'
	case '\u0375': // Greek lower numeral sign
		return unicode.Is(unicode.Greek, at(i+1))
	case '\u05F3', '\u05F4': // Hebrew geresh, gershayim
		return unicode.Is(unicode.Hebrew, at(i-1))
	case '\u30FB': // Katakana middle dot
		return strings.ContainsFunc(string(s), func(r rune) bool {
			return unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) && r != '\u30FB'
		})
	case '\u302E', '\u302F', '\u0640', '\u07FA', '\u303B':
		return false
	default:
		return unicode.In(c, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
	}
}
