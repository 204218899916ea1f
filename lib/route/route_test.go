package route

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var compare = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func med(n uint32) *uint32 { return &n }

// TestCommands: each command in each form, and the line that it is written as.
func TestCommands(t *testing.T) {
	four, six := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")
	for _, c := range []struct {
		line string
		want Command
		back string // "" is line
	}{
		{line: "announce 192.0.2.0/24", want: Command{Verb: Announce, Prefix: four}},
		{line: "announce 2001:db8::/32 med 0", want: Command{Verb: Announce, Prefix: six, Attrs: Attrs{MED: med(0)}}},
		{line: "announce\t192.0.2.0/24  large 1:2:3 community 65535:65535 prepend 16 med 4294967295 community 0:1\r\n",
			want: Command{Verb: Announce, Prefix: four, Attrs: Attrs{MED: med(1<<32 - 1), Prepend: 16, Communities: []Community{1<<32 - 1, 1}, Large: []Large{{1, 2, 3}}}},
			back: "announce 192.0.2.0/24 med 4294967295 prepend 16 community 65535:65535 community 0:1 large 1:2:3"},
		{line: "drain 192.0.2.0/24", want: Command{Verb: Drain, Prefix: four}},
		{line: "drain 192.0.2.0/24 prepend 3\n", want: Command{Verb: Drain, Prefix: four, Attrs: Attrs{Prepend: 3}}, back: "drain 192.0.2.0/24 prepend 3"},
		{line: "withdraw 192.0.2.0/24", want: Command{Verb: Withdraw, Prefix: four}},
		{line: "withdraw 192.0.2.0/24 med 5  fails", want: Command{Verb: Withdraw, Prefix: four, Why: "med 5 fails"}, back: "withdraw 192.0.2.0/24 med 5 fails"},
		{line: "beat 1500", want: Command{Verb: Beat, Beat: 1500 * time.Millisecond}},
		{line: "beat 600000", want: Command{Verb: Beat, Beat: MaxBeat}},
		{line: "status", want: Command{Verb: Status}},
		{line: "quit", want: Command{Verb: Quit}},
	} {
		got, err := ParseCommand(c.line)
		if diff := cmp.Diff(c.want, got, compare); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got)\n%s", c.line, err, diff)
		}
		if c.back == "" {
			c.back = c.line
		}
		if got.String() != c.back {
			t.Errorf("%q is written as %q", c.line, got)
		}
	}
}

// TestCommandsRefused: what is wrong is named.
func TestCommandsRefused(t *testing.T) {
	many := strings.Repeat(" community 1:1", 2)
	for line, want := range map[string]string{
		"":                                 "empty",
		" \n":                              "empty",
		"Announce":                         `unknown command "Announce"`,
		"announce":                         "announce needs a prefix",
		"quit now":                         `quit takes no "now"`,
		"status \x00":                      "not plain UTF-8 text",
		"announce 192.0.2.0\n192.0.2.0/24": "not plain UTF-8 text",
		"withdraw 192.0.2.0/24 " + strings.Repeat("x", MaxLine): "longer than 2048 octets",
		"announce 192.0.2.0":                `"192.0.2.0" is no prefix`,
		"announce 192.0.2.1/24":             `prefix "192.0.2.1/24" has bits beyond its length: 192.0.2.0/24 has not`,
		"announce ::ffff:192.0.2.0/120":     `prefix "::ffff:192.0.2.0/120" is IPv4 within IPv6`,
		"announce 192.0.2.0/24 med":         `"med" has no value`,
		"announce 192.0.2.0/24 med -1":      `"-1" is not a number up to 4294967295`,
		"announce 192.0.2.0/24 med 1 med 1": `one med too many: "1"`,
		"announce 192.0.2.0/24 prepend 0":   "prepend 0 adds nothing",
		"announce 192.0.2.0/24 prepend 17":  `"17" is not a number up to 16`,
		"announce 192.0.2.0/24 localpref 1": `unknown attribute "localpref"`,
		"announce 192.0.2.0/24 community 1": `community "1" is not A:B with numbers up to 65535`,
		"announce 192.0.2.0/24 large 1:2":   `large community "1:2" is not A:B:C with numbers up to 4294967295`,
		"announce 192.0.2.0/24" + many:      `one community too many: "1:1"`,
		"drain 192.0.2.0/24 med 1":          "drain takes no attribute but prepend",
		"drain 192.0.2.0/24 community 1:1":  "drain takes no attribute but prepend",
		"beat":                              "beat needs one number of milliseconds",
		"beat 99":                           `beat "99" is not within 100 to 600000 ms`,
		"beat 600001":                       `beat "600001" is not within 100 to 600000 ms`,
	} {
		c, err := ParseCommand(line)
		if !errors.Is(err, ErrLine) || err.Error() != "bad line: "+want || c.Verb != "" {
			t.Errorf("%q: %v, %v; want %q", line, c, err, want)
		}
	}
}

// TestCommunitiesAreBounded.
func TestCommunitiesAreBounded(t *testing.T) {
	var a Attrs
	for i := range MaxCommunities {
		for name, value := range map[string]string{"community": Community(i).String(), "large": Large{uint32(i), 1, 2}.String()} {
			if err := a.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range map[string]string{"community": "9:9", "large": "9:9:9"} {
		if err := a.Set(name, value); !errors.Is(err, ErrLine) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOver: what a wish says stands before what is configured.
func TestOver(t *testing.T) {
	below := Attrs{MED: med(1), Prepend: 2, Communities: []Community{3}, Large: []Large{{4}}}
	if got := (Attrs{}).Over(below); !got.Equal(below) {
		t.Errorf("nothing said: %v", got)
	}
	above := Attrs{MED: med(0), Prepend: 1, Communities: []Community{5}, Large: []Large{{6}}}
	if got := above.Over(below); !got.Equal(above) {
		t.Errorf("all said: %v", got)
	}
	if above.Equal(below) || (Attrs{}).Equal(Attrs{MED: med(0)}) {
		t.Error("equal")
	}
}

// TestStates: each state, written and read.
func TestStates(t *testing.T) {
	four := netip.MustParsePrefix("192.0.2.0/24")
	for line, want := range map[string]State{
		"ok 17 withdraw 192.0.2.0/24":                 {Kind: OK, N: 17, Text: "withdraw 192.0.2.0/24"},
		"error 18 not ours: 1.2.3.0/24":               {Kind: Error, N: 18, Text: "not ours: 1.2.3.0/24"},
		"error 0":                                     {Kind: Error},
		"peer 10.0.0.1 established":                   {Kind: Peer, Addr: netip.MustParseAddr("10.0.0.1"), Is: Established},
		"peer 2001:db8::1 down":                       {Kind: Peer, Addr: netip.MustParseAddr("2001:db8::1"), Is: Down},
		"route 192.0.2.0/24 drained 1/2":              {Kind: Route, Prefix: four, Is: Drained, Out: 1, Of: 2},
		"bfd 10.0.0.1 up":                             {Kind: BFD, Addr: netip.MustParseAddr("10.0.0.1"), Is: Up},
		"order 192.0.2.0/24 ended":                    {Kind: Order, Prefix: four, Is: Ended},
		"lost 12":                                     {Kind: Lost, N: 12},
		"beat lost":                                   {Kind: BeatLost},
		"order 192.0.2.0/24 withdrawn 1763835600 a,c": {Kind: Order, Prefix: four, Is: Withdrawn, Until: time.Unix(1763835600, 0), By: []string{"a", "c"}},
	} {
		got, err := ParseState(line + "\n")
		if diff := cmp.Diff(want, got, compare); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got)\n%s", line, err, diff)
		}
		if got.String() != line {
			t.Errorf("%q is written as %q", line, got)
		}
	}
}

// TestStatesRefused: what is not a state is not taken for one.
func TestStatesRefused(t *testing.T) {
	for _, line := range []string{
		"", "ok", "ok x", "ok -1 quit", "error 4294967296", "peer", "peer 10.0.0.1", "peer 10.0.0.1 up", "peer x idle", "peer 10.0.0.1 idle now",
		"route 192.0.2.0/24 announced", "route 192.0.2.0/24 announced 1", "route 192.0.2.0/24 announced 1/", "route 192.0.2.0/24 up 1/1",
		"bfd 10.0.0.1 established", "order 192.0.2.0/24", "order 192.0.2.0/24 ended now", "order 192.0.2.0/24 withdrawn 1",
		"order 192.0.2.0/24 withdrawn x a", "order 192.0.2.0/24 withdrawn 1 a,", "lost", "lost 1 2", "beat", "beat 1500", "beat lost now", "up", "route ",
	} {
		if s, err := ParseState(line); !errors.Is(err, ErrLine) {
			t.Errorf("%q: %v, %v", line, s, err)
		}
	}
}

// TestForeignText: text of others never makes a second line, or one too long.
func TestForeignText(t *testing.T) {
	for _, s := range []string{
		State{Kind: Error, N: 1, Text: "a\nbeat lost\r\x1b[2J \xff"}.String(),
		State{Kind: Error, N: 1, Text: strings.Repeat("é", MaxLine)}.String(),
		Command{Verb: Withdraw, Prefix: netip.MustParsePrefix("192.0.2.0/24"), Why: "a\nquit\x00 \xff" + strings.Repeat("é", MaxLine)}.String(),
	} {
		if len(s) > MaxLine || strings.ContainsFunc(s, control) {
			t.Errorf("%q", s)
		}
		if _, err := words(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzCommand: a command that is read is written such that the same is read.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"announce 192.0.2.0/24 med 5 prepend 1 community 1:2 large 1:2:3", "drain ::/1 prepend 2", "withdraw 192.0.2.0/24 a b\u00a0c", "beat 100", "status", "quit\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := ParseCommand(line)
		if err != nil {
			if !errors.Is(err, ErrLine) {
				t.Error(err)
			}
			return
		}
		again, err := ParseCommand(c.String())
		if diff := cmp.Diff(c, again, compare); err != nil || diff != "" {
			t.Errorf("%q, written as %q: %v\n%s", line, c, err, diff)
		}
		if len(c.String()) > MaxLine {
			t.Errorf("%q has %d octets", c, len(c.String()))
		}
	})
}

// FuzzState: a state that is read is written such that the same is read.
func FuzzState(f *testing.F) {
	for _, s := range []string{"ok 1 a", "error 2 b c", "peer ::1 idle", "route 192.0.2.0/24 announced 1/2", "bfd 10.0.0.1 down", "order 192.0.2.0/24 withdrawn 5 a,b", "order ::/0 ended", "lost 3", "beat lost"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s, err := ParseState(line)
		if err != nil {
			if !errors.Is(err, ErrLine) {
				t.Error(err)
			}
			return
		}
		again, err := ParseState(s.String())
		if diff := cmp.Diff(s, again, compare); err != nil || diff != "" {
			t.Errorf("%q, written as %q: %v\n%s", line, s, err, diff)
		}
	})
}
