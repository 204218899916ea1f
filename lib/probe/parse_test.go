package probe

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/miekg/dns"

	"namecast/lib/ndb"
)

func TestParseRefused(t *testing.T) {
	for words, want := range map[string]string{
		"ping at=127.0.0.1:1":                                 `no probe of kind "ping"`,
		"dns name=a.example":                                  `at="" is not ADDRESS:PORT`,
		"dns at=127.0.0.1:0 name=a.example":                   `at="127.0.0.1:0" is not`,
		"dns at=127.0.0.1:53":                                 "no name=",
		"dns at=127.0.0.1:53 type=A name=a.example":           "type= before any name=",
		"dns at=127.0.0.1:53 name=a..example":                 `name="a..example"`,
		"dns at=127.0.0.1:53 name":                            `name="" is no name`,
		"dns at=127.0.0.1:53 name=a.example type=B":           `type="B"`,
		"dns at=127.0.0.1:53 name=a.example rcode=NO":         `rcode="NO"`,
		"dns at=127.0.0.1:53 name=a.example type=A expect=b":  `expect="b"`,
		"dns at=127.0.0.1:53 name=a. rcode=NXDOMAIN expect=b": "is not to be there",
		"dns at=127.0.0.1:53 name=a.example tpc":              `unknown word "tpc"`,
		"dns at=127.0.0.1:53 at=127.0.0.1:54 name=a.example":  "at= stands twice",
		"http":                                       `url=""`,
		"http url=ftp://a/":                          `url="ftp://a/"`,
		"metric url=http://a/":                       "no metric=",
		"metric url=http://a/ metric=n min=low":      `min="low"`,
		"counter url=http://a/ metric=n min=1":       `unknown word "min"`,
		"counter url=http://a/":                      "no metric=",
		"command":                                    "no run=",
		"update at=127.0.0.1:53 key=/does/not/exist": "no such file",
	} {
		kind, rest, _ := strings.Cut(words, " ")
		lines, err := ndb.Parse(strings.NewReader("probe " + rest))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(kind, lines[0].Record[1:])
		if err == nil || !strings.Contains(err.Error(), want) || kind != "update" && !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v; want %q", words, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, words := range []string{
		"dns at=[::1]:53 tcp name=a.example type=TXT expect='\"x y\"' name=b.example rcode=NODATA",
		"http url=http://127.0.0.1:8080/healthz",
		"metric url=http://127.0.0.1:1/metrics metric='n{a=\"b\"}' min=1 max=2 rises",
		"counter url=http://127.0.0.1:1/metrics metric=n",
		"command run=true",
		"dns at=127.0.0.1:53 name=. type=TYPE65535 expect='\\# 1 00'",
	} {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		kind, rest, _ := strings.Cut(words, " ")
		lines, err := ndb.Parse(strings.NewReader(rest))
		if err != nil || len(lines) != 1 || kind == "update" {
			return
		}
		p, err := Parse(kind, lines[0].Record)
		if err == nil && (p.Name == "" || p.Look == nil && p.Counter == nil) {
			t.Errorf("a probe that cannot look: %+v", p)
		}
	})
}

// FuzzCheck gives foreign responses to what judges them.
func FuzzCheck(f *testing.F) {
	m := new(dns.Msg)
	m.SetQuestion("a.example.", dns.TypeA)
	m.Authoritative = true
	r, err := dns.NewRR("a.example. 60 IN A 192.0.2.1")
	if err != nil {
		f.Fatal(err)
	}
	m.Answer = []dns.RR{r}
	seed, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, response []byte) {
		m := new(dns.Msg)
		if m.Unpack(response) != nil {
			return
		}
		q := Question{Name: "a.example.", Type: dns.TypeA, Expect: []dns.RR{r}}
		err := q.check(m)
		if err == nil && (!m.Authoritative || len(q.records(m.Answer)) != 1) {
			t.Errorf("accepted: %v", m)
		}
		if err != nil && (!errors.Is(err, ErrWrong) || len(err.Error()) > 1000) {
			t.Errorf("refused with %v", err)
		}
		Question{Name: "a.example.", Type: dns.TypeA, Rcode: dns.RcodeNameError}.check(m)
	})
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("ok\nmore"))
	f.Add([]byte("\xff\x1b[1m"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := line(text)
		if len(s) > maxText+3 || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\x1b\x00") {
			t.Errorf("%q", s)
		}
	})
}
