package nup

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/key"
)

// elements reads text and gives the elements' lines back, "send" between groups.
func elements(t *testing.T, version int, text string) (lines []string, warnings []Warning, err error) {
	t.Helper()
	u, err := ParseText(strings.NewReader(text), version, nil)
	if err != nil {
		return nil, nil, err
	}
	for i, g := range u.Groups {
		if i > 0 {
			lines = append(lines, "send")
		}
		for j := range g {
			lines = append(lines, strings.Join(g[j].Lines(), " + "))
		}
	}
	return lines, u.Warnings, nil
}

func TestParseText(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"comments and blank lines", "# a\n\n  ; b\n \t\n", nil},
		{"add", "add www 300 A 192.0.2.1", []string{"add www 300 A 192.0.2.1"}},
		{"words in any case", "ADD www 300 a 192.0.2.1\nSend\n", []string{"add www 300 A 192.0.2.1"}},
		{"apex", "add @ 3600 MX 10 mail.example.net.", []string{"add @ 3600 MX 10 mail.example.net."}},
		{"a line of a zone file", "add www\t1h IN  A\t192.0.2.1 ; the web", []string{"add www 3600 A 192.0.2.1"}},
		{"class before TTL", "add www IN 60 A 192.0.2.1", []string{"add www 60 A 192.0.2.1"}},
		{"quotes inside a word", `add @ 60 HTTPS 1 . alpn="h2,h3" ipv4hint="192.0.2.1" ; why not`, []string{`add @ 60 HTTPS 1 . alpn="h2,h3" ipv4hint="192.0.2.1"`}},
		{"ALIAS, with a Unicode name", "add @ 60 ALIAS www.bücher.example.", []string{"add @ 60 ALIAS www.xn--bcher-kva.example."}},
		{"no TTL", "add www A 192.0.2.1", []string{"add www 3600 A 192.0.2.1"}},
		{"TTL with units", "add www 1w2d3h4m5s A 192.0.2.1", []string{"add www 788645 A 192.0.2.1"}},
		{"largest TTL", "add www 2147483647 A 192.0.2.1", []string{"add www 2147483647 A 192.0.2.1"}},
		{"TTL zero", "add www 0 A 192.0.2.1", []string{"add www 0 A 192.0.2.1"}},
		{"owner that looks like a TTL", "add 300 300 A 192.0.2.1", []string{"add 300 300 A 192.0.2.1"}},
		{"deletes", "delete old\ndelete www A\ndelete www A 192.0.2.1\ndelete www 300 IN A 192.0.2.1",
			[]string{"delete old", "delete www A", "delete www A 192.0.2.1", "delete www A 192.0.2.1"}},
		{"replace lines make one set", "replace h 60 A 192.0.2.1\nreplace H 60 A 192.0.2.2\nreplace h 60 AAAA ::1",
			[]string{"replace h 60 A 192.0.2.1 + replace h 60 A 192.0.2.2", "replace h 60 AAAA ::1"}},
		{"a set again in the next group", "replace h A 192.0.2.1\nsend\nreplace h A 192.0.2.2",
			[]string{"replace h 3600 A 192.0.2.1", "send", "replace h 3600 A 192.0.2.2"}},
		{"require", "require exists a\nrequire exists a A\nrequire exists a A 192.0.2.1\nrequire exists a A 192.0.2.2\nrequire absent b\nrequire absent b TXT",
			[]string{"require exists a", "require exists a A", "require exists a A 192.0.2.1 + require exists a A 192.0.2.2", "require absent b", "require absent b TXT"}},
		{"validate", "validate example.com. hostmaster@example.com 3600\nvalidate example.net h@example.net",
			[]string{"validate example.com hostmaster@example.com 3600", "validate example.net h@example.net 3600"}},
		{"empty groups", "send\nadd a A 192.0.2.1\nsend\nsend\nadd b A 192.0.2.2\nsend\n",
			[]string{"add a 3600 A 192.0.2.1", "send", "add b 3600 A 192.0.2.2"}},
		{"line ends of Windows and a signature", "\uFEFFadd a A 192.0.2.1\r\nsend\r\n", []string{"add a 3600 A 192.0.2.1"}},
		{"quotes", `add t TXT "a # b ; c" "d\"e"`, []string{`add t 3600 TXT "a # b ; c" "d\"e"`}},
		{"quotes without space between", `add t TXT "a""b"`, []string{`add t 3600 TXT "a" "b"`}},
		{"number sign inside a word", `add t TXT a#b`, []string{`add t 3600 TXT "a#b"`}},
		{"comment after data", "add t TXT a # b", []string{`add t 3600 TXT "a"`}},
		{"UTF-8 in a text", "add t TXT \"\u00e9\"", []string{`add t 3600 TXT "\195\169"`}},
		{"parentheses", "add @ MX ( 10 mail.example.net. )", []string{"add @ 3600 MX 10 mail.example.net."}},
		{"generic data", `add a A \# 4 c0000201`, []string{"add a 3600 A 192.0.2.1"}},
		{"unknown type", `add a TYPE65534 \# 2 abcd`, []string{`add a 3600 TYPE65534 \# 2 abcd`}},
		{"escapes in the owner", `add a\.b\032c A 192.0.2.1`, []string{`add a\.b\032c 3600 A 192.0.2.1`}},
		{"owner that begins like a comment", `add \#a A 192.0.2.1`, []string{`add \#a 3600 A 192.0.2.1`}},
		{"wildcard and underscores", "add *._x SRV 0 0 1 _y.example.", []string{"add *._x 3600 SRV 0 0 1 _y.example."}},
		{"international owner", "add b\u00fccher A 192.0.2.1", []string{"add xn--bcher-kva 3600 A 192.0.2.1"}},
		{"mapping", "add B\u00dcCHER\u3002Fa\u00df A 192.0.2.1", []string{"add xn--bcher-kva.xn--fa-hia 3600 A 192.0.2.1"}},
		{"wildcard beside an international label", "add *._dmarc.b\u00fccher A 192.0.2.1", []string{"add *._dmarc.xn--bcher-kva 3600 A 192.0.2.1"}},
		{"international name in data", "add @ MX 10 b\u00fccher.example.", []string{"add @ 3600 MX 10 xn--bcher-kva.example."}},
		{"international domain and mail", "validate b\u00fccher.example h@b\u00fccher.example", []string{"validate xn--bcher-kva.example h@xn--bcher-kva.example 3600"}},
		{"Katakana middle dot in its place", "add \u30a2\u30fb\u30a2 A 192.0.2.1", []string{"add xn--ccka0y 3600 A 192.0.2.1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, warnings, err := elements(t, 1, tc.text)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("error %v, warnings %v", err, warnings)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseTextErrors(t *testing.T) {
	label := strings.Repeat("a", 64)
	for _, tc := range []struct {
		name    string
		version int
		text    string
		want    string
	}{
		{"bad IPv4 address", 1, "\n\nadd www 300 A 10.0.0", `line 3: bad IPv4 address "10.0.0"`},
		{"IPv6 address in A", 1, "add www A ::1", `line 1: bad IPv4 address "::1": an IPv6 address goes into AAAA`},
		{"bad IPv6 address", 1, "add www AAAA 2001:db8:::1", `line 1: bad IPv6 address "2001:db8:::1"`},
		{"IPv6 address with a zone", 1, "add www AAAA fe80::1%eth0", `line 1: bad IPv6 address "fe80::1%eth0"`},
		{"IPv4 address in AAAA", 1, "add www AAAA 192.0.2.1", `line 1: bad IPv6 address "192.0.2.1": an IPv4 address goes into A`},
		{"two addresses", 1, "add www A 192.0.2.1 192.0.2.2", `line 1: A wants one address, not 2 words`},
		{"unknown type", 1, "add www FOO 1", `line 1: unknown record type "FOO"; a type without a name is written like TYPE65534`},
		{"type with a slip", 1, "add www AAA ::1", `line 1: unknown record type "AAA"; is it AAAA?`},
		{"type with letters swapped", 1, "add www CNMAE a.b.", `line 1: unknown record type "CNMAE"; is it CNAME?`},
		{"type missing", 1, "add www 300 192.0.2.1", `line 1: record type missing before "192.0.2.1"`},
		{"type made by the server", 1, "add @ SOA a. b. 1 2 3 4 5", `line 1: record type cannot be hosted: SOA is made by the server`},
		{"TTL too large", 1, "add www 2147483648 A 192.0.2.1", `line 1: TTL 2147483648 is above 2147483647 seconds`},
		{"TTL too large with units", 1, "add www 4000W A 192.0.2.1", `line 1: TTL 4000W is above 2147483647 seconds`},
		{"negative TTL", 1, "add www -1 A 192.0.2.1", `line 1: bad TTL "-1"`},
		{"TTL with a bad unit", 1, "add www 5y A 192.0.2.1", `line 1: bad TTL "5y"`},
		{"TTL of many digits", 1, "add www 99999999999999999999 A 192.0.2.1", `line 1: TTL 99999999999999999999 is above 2147483647 seconds`},
		{"no data", 1, "add www 300 A", `line 1: A record without data`},
		{"no type", 1, "add www", `line 1: "add" without a record type`},
		{"no name", 1, "add", `line 1: "add" without a name`},
		{"label too long", 1, "add " + label + " A 192.0.2.1", `line 1: name too long: a label of more than 63 octets in "` + label + `"`},
		{"label in data too long", 1, "add a CNAME " + label + ".", `line 1: name too long: a label of more than 63 octets in "` + label + `."`},
		{"empty label", 1, "add a..b A 192.0.2.1", `line 1: bad name: empty label in "a..b"`},
		{"absolute owner", 1, "add www.example.com. A 192.0.2.1", `line 1: name "www.example.com." ends in a dot: owner names are relative to the account's suffix`},
		{"quoted owner", 1, `add "www" A 192.0.2.1`, `line 1: bad name "www": names are not quoted`},
		{"unknown word", 1, "ad www A 192.0.2.1", `line 1: unknown word "ad": want add, delete, replace, require, validate, rekey or send`},
		{"class", 1, "add www CH TXT a", `line 1: class CH is not served, only IN`},
		{"MX without preference", 1, "add @ MX mail.example.", `line 1: MX wants a preference and a host, such as "10 mail.example.net."`},
		{"MX preference", 1, "add @ MX x mail.example.", `line 1: bad MX preference "x"`},
		{"at sign in data", 1, "add a CNAME @", `line 1: "@" in data: names in data are absolute, write the whole name`},
		{"quote open", 1, `add a TXT "b`, `line 1: quoted string does not end`},
		{"semicolon inside a word", 1, "add a TXT v=DKIM1;p=x", `line 1: ";" in "v=DKIM1" would start a comment; put the text in quotes`},
		{"parenthesis open", 1, "add a MX ( 10 b.", `line 1: "(" without ")": an element is one line`},
		{"parenthesis closed", 1, "add a MX 10 b. )", `line 1: ")" without "("`},
		{"control character", 1, "add a TXT a\x00b", `line 1: control character '\x00'; write it as \000`},
		{"not UTF-8", 1, "add a TXT \"\xff\"", `line 1: not UTF-8; write other octets as \DDD`},
		{"backslash at the end", 1, `add a\`, `line 1: "\" at the end of the line`},
		{"send with words", 1, "send now", `line 1: unexpected "now" after "send"`},
		{"require alone", 1, "require", `line 1: "require" wants "exists" or "absent" and a name`},
		{"require else", 1, "require a b", `line 1: "require" wants "exists" or "absent" and a name, not "a"`},
		{"require absent with data", 1, "require absent a A 192.0.2.1", `line 1: unexpected "192.0.2.1": "require absent" takes a name and a type`},
		{"replace again", 1, "replace a A 192.0.2.1\nreplace b A 192.0.2.1\nreplace A A 192.0.2.2", `line 3: A A again: line 1 began this RRset; its lines must follow one another`},
		{"prerequisite again", 1, "require exists a A 192.0.2.1\nadd b A 192.0.2.1\nrequire exists a A 192.0.2.2", `line 3: a A again: line 1 began this RRset; its lines must follow one another`},
		{"two TTLs of a set", 1, "replace a 60 A 192.0.2.1\nreplace a 61 A 192.0.2.2", `line 2: TTL 61, but 60 on line 1: the records of an RRset share one TTL`},
		{"validate without contact", 1, "validate example.com", `line 1: "validate" wants a domain, an e-mail address and a TTL`},
		{"validate with a bad contact", 1, "validate example.com hostmaster", `line 1: bad e-mail address "hostmaster"`},
		{"validate the root", 1, "validate . a@b.c", `line 1: bad name: empty`},
		{"validate the apex", 1, "validate @ a@b.c", `line 1: bad domain "@"`},
		{"validate with a bad TTL", 1, "validate example.com a@b.c x", `line 1: bad TTL "x"`},
		{"rekey where it cannot be", 1, "rekey new.key", `line 1: "rekey" is not possible here`},
		{"rekey of what", 1, "rekey", `line 1: "rekey" wants the file of the new key`},
		{"symbol in a name", 1, "add \u2603 A 192.0.2.1", "line 1: bad international name \"\u2603\": IDNA 2008 does not allow '\u2603'"},
		{"middle dot out of place", 1, "add a\u00b7b A 192.0.2.1", "line 1: bad international name \"a\u00b7b\": IDNA 2008 does not allow '\u00b7'"},
		{"escape in an international label", 1, "add b\u00fc\\.c A 192.0.2.1", "line 1: bad international name \"b\u00fc\\\\.c\": an escape in the label \"b\u00fc\\\\\""},
		{"long line", 1, "add a TXT " + strings.Repeat("x", maxLine), `line 1: longer than 1048576 octets`},
		{"bad data of another type", 1, "add a CAA 0 issue", `line 1: bad record data: CAA "0 issue": bad CAA Value: "issue"`},
		{"version 0: type", 0, "add a SRV 0 0 1 b.c.", `line 1: record type SRV: version 0 (a DSA key) cannot carry it; use an Ed25519 key`},
		{"version 0: replace", 0, "replace a A 192.0.2.1", `line 1: "replace": version 0 (a DSA key) cannot carry it; use an Ed25519 key`},
		{"version 0: require", 0, "require absent a", `line 1: "require absent": version 0 (a DSA key) cannot carry it; use an Ed25519 key`},
		{"version 0: rekey", 0, "rekey new.key", `line 1: "rekey": version 0 (a DSA key) cannot carry it; use an Ed25519 key`},
		{"version 0: name", 0, `add a\.b A 192.0.2.1`, `line 1: name "a\\.b": version 0 (a DSA key) cannot carry it; use an Ed25519 key`},
		{"version 0: strings of a text", 0, `add a TXT "b" "c"`, `line 1: TXT data "b" "c": version 0 (a DSA key) cannot carry it; use an Ed25519 key`},
		{"version 0: root as a target", 0, "add a MX 0 .", `line 1: MX data 0 .: version 0 (a DSA key) cannot carry it; use an Ed25519 key`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := elements(t, tc.version, tc.text)
			var at *LineError
			if !errors.As(err, &at) {
				t.Fatalf("error %v names no line", err)
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseTextWarnings(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []Warning
	}{
		{"single label in data", "\nadd a CNAME mail", []Warning{{2, `name "mail" in data is absolute: it stands for "mail."`}}},
		{"single label in MX", "add a MX 10 mail", []Warning{{1, `name "mail" in data is absolute: it stands for "mail."`}}},
		{"single label with its dot", "add a CNAME mail.", nil},
		{"null MX", "add a MX 0 .", nil},
		{"text without quotes", "add a TXT v=spf1 -all", []Warning{{1, `TXT of 2 strings; is it one, "v=spf1 -all"?`}}},
		{"the same record twice", "replace a A 192.0.2.1\nreplace a A 192.0.2.1", []Warning{{2, "the same record again"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, got, err := elements(t, 1, tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseTextRekey(t *testing.T) {
	ed, dsa := edKey(t, 2), dsaKey(t)
	load := func(path string) (*key.Secret, error) {
		switch path {
		case "new key":
			return ed, nil
		case "dsa.key":
			return dsa, nil
		}
		return nil, errors.New("no such file")
	}
	u, err := ParseText(strings.NewReader(`rekey "new key"`), 1, load)
	if err != nil || u.Groups[0][0].NewSecret != ed {
		t.Fatalf("%v, %v", u, err)
	}
	for _, tc := range []struct{ name, text, want string }{
		{"missing file", "rekey x", "line 1: no such file"},
		{"other kind", "rekey dsa.key", `line 1: new key "dsa.key" is not of the kind of the old`},
		{"twice", "rekey \"new key\"\nrekey \"new key\"", "line 2: second rekey; the first is on line 1"},
		{"something after it", "rekey \"new key\"\nsend\nadd a A 192.0.2.1", "line 3: nothing can follow the rekey of line 1: from there on the new key signs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseText(strings.NewReader(tc.text), 1, load)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{
		"add www 300 A 192.0.2.1\nsend\n", "replace a 1h IN TXT \"x ; y\" z # c\nreplace a 1h TXT b", "require exists a A 192.0.2.1\nrequire absent b",
		"validate b\u00fccher.example h@example.com 60", "delete a\\.b A", "add @ MX ( 10 b\u00fc. )", `add a TYPE65534 \# 2 abcd`, "rekey x", "add \\#a CNAME \\#.",
		"add a HTTPS 1 . alpn=h2", "add a NAPTR 1 2 \"S\" \"X\" \"\" b.c.",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for version := range 2 {
			u, err := ParseText(strings.NewReader(s), version, nil)
			if err != nil {
				var at *LineError
				if !errors.As(err, &at) || strings.ContainsAny(err.Error(), "\n\x00\x1b") {
					t.Fatalf("version %d: error %q", version, err)
				}
				continue
			}
			if len(u.Groups) == 0 {
				continue
			}
			var lines []string
			for _, g := range u.Groups {
				for i := range g {
					lines = append(lines, g[i].Lines()...)
				}
				lines = append(lines, "send")
			}
			back, err := ParseText(strings.NewReader(strings.Join(lines, "\n")), version, nil)
			if err != nil {
				t.Fatalf("version %d: %q printed as %q: %v", version, s, lines, err)
			}
			if diff := cmp.Diff(u.Groups, back.Groups); diff != "" {
				t.Errorf("version %d: printed as %q (-want +got)\n%s", version, lines, diff)
			}
		}
	})
}
