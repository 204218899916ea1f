package ndb

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     []Line
	}{
		{name: "nothing", in: ""},
		{name: "blank lines and comments", in: "\n  \t\n# a=b\n   # c\n"},
		{name: "words", in: "key proto=dsa !secret=x=\n", want: []Line{{1, Record{{"key", ""}, {"proto", "dsa"}, {"!secret", "x="}}}}},
		{name: "no newline at the end", in: "a=1", want: []Line{{1, Record{{"a", "1"}}}}},
		{name: "line numbers count every line", in: "# c\n\na=1\nb=2\n", want: []Line{{3, Record{{"a", "1"}}}, {4, Record{{"b", "2"}}}}},
		{name: "carriage returns", in: "a=1\r\nb\r\n", want: []Line{{1, Record{{"a", "1"}}}, {2, Record{{"b", ""}}}}},
		{name: "tabs and spaces", in: "\ta=1 \t b ", want: []Line{{1, Record{{"a", "1"}, {"b", ""}}}}},
		{name: "empty value", in: "a= b='' c", want: []Line{{1, Record{{"a", ""}, {"b", ""}, {"c", ""}}}}},
		{name: "quoted", in: "a='b c' d='it''s' e='# no comment' f=''''", want: []Line{{1, Record{{"a", "b c"}, {"d", "it's"}, {"e", "# no comment"}, {"f", "'"}}}}},
		{name: "comment after words", in: "a=1 # b=2", want: []Line{{1, Record{{"a", "1"}}}}},
		{name: "number sign inside a word", in: "a=b#c d#e", want: []Line{{1, Record{{"a", "b#c"}, {"d#e", ""}}}}},
		{name: "a name twice", in: "a=1 a=2", want: []Line{{1, Record{{"a", "1"}, {"a", "2"}}}}},
		{name: "unicode", in: "name=bücher", want: []Line{{1, Record{{"name", "bücher"}}}}},
		{name: "longest line", in: "a=" + strings.Repeat("x", MaxLine-2) + "\n", want: []Line{{1, Record{{"a", strings.Repeat("x", MaxLine-2)}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
		text     string
	}{
		{name: "open quote", in: "a=1\nb='x", want: ErrQuote, text: "line 2: bad quoting: a quote is not closed"},
		{name: "text after a quote", in: "b='x'y", want: ErrQuote, text: "line 1: bad quoting: text after a closing quote"},
		{name: "quote inside a value", in: "b=x'y", want: ErrQuote, text: `line 1: bad quoting in the value of "b"`},
		{name: "quote in a name", in: "it's=1", want: ErrName, text: `line 1: bad attribute name in "it's=1"`},
		{name: "no name", in: "\n\n=1 a", want: ErrName, text: `line 3: bad attribute name in "=1"`},
		{name: "not UTF-8", in: "a=\xff", want: ErrText, text: "line 1: not plain UTF-8 text"},
		{name: "control character", in: "a=\x00", want: ErrText, text: "line 1: not plain UTF-8 text"},
		{name: "too long for the buffer", in: "b\n" + strings.Repeat("x", 2*MaxLine), want: ErrLong, text: "line 2: line too long"},
		{name: "too long by one", in: strings.Repeat("x", MaxLine+1) + "\n", want: ErrLong, text: "line 1: line too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(strings.NewReader(tt.in))
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if d := cmp.Diff(tt.text, err.Error()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseReadError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Parse(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestGetAndAll(t *testing.T) {
	r := Record{{"a", "1"}, {"b", ""}, {"a", "2"}}
	if v, ok := r.Get("a"); v != "1" || !ok {
		t.Errorf("Get(a) = %q, %v", v, ok)
	}
	if v, ok := r.Get("b"); v != "" || !ok {
		t.Errorf("Get(b) = %q, %v", v, ok)
	}
	if _, ok := r.Get("c"); ok {
		t.Error("Get(c) found something")
	}
	if d := cmp.Diff([]string{"1", "2"}, r.All("a")); d != "" {
		t.Error(d)
	}
}

func TestStringKeepsOneLine(t *testing.T) {
	r := Record{{"a", "x\nb=2"}, {"c", "\xff"}}
	if d := cmp.Diff("a=x\uFFFDb=2 c=\uFFFD", r.String()); d != "" {
		t.Error(d)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a", "a=1 b='c d' # e\n", "f=''''", "a='", "=\n", "# x\n\nq=\r\n", "ü=é !s=#", "a= "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lines, err := Parse(strings.NewReader(string(in)))
		if err != nil {
			return
		}
		for _, line := range lines {
			again, err := Parse(strings.NewReader(line.String()))
			// Doubled quotes can push a line past the limit: nothing else may fail.
			if errors.Is(err, ErrLong) {
				continue
			}
			if err != nil {
				t.Fatalf("%q printed as %q: %v", in, line.String(), err)
			}
			if d := cmp.Diff([]Line{{1, line.Record}}, again); d != "" {
				t.Fatalf("%q: %s", in, d)
			}
		}
	})
}

// TestWords: what nobody takes is refused, and what stands twice and may not.
func TestWords(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"all taken", "probe=dns at=x name=a name=b tcp", ""},
		{"nobody takes it", "probe=dns at=x colour=red", `unknown word "colour"`},
		{"twice", "probe=dns at=x at=y", "at= stands twice"},
	} {
		lines, err := Parse(strings.NewReader(c.text))
		if err != nil {
			t.Fatal(err)
		}
		w := Words{Record: lines[0].Record}
		w.Known("name")
		if w.Take("probe") != "dns" || w.Take("at") != "x" || w.Take("missing") != "" || w.Has("tcp") != (c.want == "") {
			t.Errorf("%s: %+v", c.name, w)
		}
		if err := w.Left("name"); c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
