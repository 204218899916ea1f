package dnssec

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/private"
)

// day is the beginning of the tests' calendar.
var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// testSecret has epochs that begin at the given times after day; the octets of
// the secret of epoch n are all n.
func testSecret(t testing.TB, from ...time.Duration) Secret {
	t.Helper()
	var s Secret
	for i, d := range from {
		var err error
		if s, err = s.Next(bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, SecretSize)), day.Add(d)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestReadSecret(t *testing.T) {
	const one = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	const two = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
	line := func(n int, from, secret string) string {
		return fmt.Sprintf("epoch=%d from=%s !secret=%s\n", n, from, secret)
	}
	first := line(1, "2026-11-22T00:00:00Z", one)
	for _, c := range []struct {
		name, in, want string // want: the error, or the epochs
	}{
		{"one", first, "epoch=1 from=2026-11-22T00:00:00Z"},
		{"comments", "# a\n\n" + first + "# b\n", "epoch=1 from=2026-11-22T00:00:00Z"},
		{"two, in any order", line(2, "2026-12-01T01:00:00+01:00", two) + first, "epoch=1 from=2026-11-22T00:00:00Z epoch=2 from=2026-12-01T00:00:00Z"},
		{"a gap", first + line(7, "2026-12-01T00:00:00Z", two), "epoch=1 from=2026-11-22T00:00:00Z epoch=7 from=2026-12-01T00:00:00Z"},
		{"empty", "", "bad secret: no epoch"},
		{"epoch twice", first + line(1, "2026-12-01T00:00:00Z", two), "bad secret: epoch 1 is there twice"},
		{"times out of order", first + line(2, "2026-11-22T00:00:00Z", two), "bad secret: epoch 2 is not from a later time than epoch 1"},
		{"secret again", first + line(2, "2026-12-01T00:00:00Z", one), "bad secret: epochs 1 and 2 have the same secret"},
		{"epoch zero", line(0, "2026-11-22T00:00:00Z", one), `bad secret: line 1: epoch="0" is not a number from 1 on`},
		{"epoch too large", "epoch=4294967296 from=2026-11-22T00:00:00Z !secret=" + one, `bad secret: line 1: epoch="4294967296" is not a number from 1 on`},
		{"no time", line(1, "soon", one), `bad secret: line 1: from="soon" is not a time as 2006-01-02T15:04:05Z`},
		{"short secret", line(1, "2026-11-22T00:00:00Z", "AQEB"), "bad secret: line 1: !secret= is not base64 of 32 octets"},
		{"word missing", "epoch=1 !secret=" + one, "bad secret: line 1: from= is missing"},
		{"word twice", "epoch=1 epoch=2 from=2026-11-22T00:00:00Z !secret=" + one, `bad secret: line 1: "epoch" is there twice`},
		{"unknown word", "epoch=1 until=2027-01-01T00:00:00Z", `bad secret: line 1: unknown word "until"`},
		{"too large", strings.Repeat("#\n", maxFile), "bad secret: more than 65536 octets"},
		{"five epochs", first + line(2, "2026-11-23T00:00:00Z", two) + line(3, "2026-11-24T00:00:00Z", one) +
			line(4, "2026-11-25T00:00:00Z", two) + line(5, "2026-11-26T00:00:00Z", one),
			"bad secret: more than 4 epochs: take out the line of one that no parent zone names"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadSecret(strings.NewReader(c.in))
			got := ""
			if err != nil {
				got = err.Error()
				if !errors.Is(err, ErrSecret) {
					t.Errorf("not ErrSecret: %v", err)
				}
			}
			for _, e := range s.epochs {
				if err == nil {
					got = strings.TrimSpace(got + " " + e.String())
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSecretText(t *testing.T) {
	s := testSecret(t, 0, 48*time.Hour)
	back, err := ReadSecret(strings.NewReader(s.Text()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Text(), back.Text()); diff != "" {
		t.Errorf("text does not read back (-want +got):\n%s", diff)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, v := range []any{s.epochs[0], s.Epochs(), testKey(t, s, "example.com")} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "AQEB") || strings.Contains(out, "0101") || strings.Contains(out, "1, 1") || strings.Contains(out, "0x1, 0x1") {
				t.Errorf("%s prints the secret: %s", verb, out)
			}
		}
	}
}

func TestNextRefuses(t *testing.T) {
	s := testSecret(t, 0)
	if _, err := s.Next(strings.NewReader("short"), day.Add(time.Hour)); err == nil {
		t.Error("a short source of randomness makes an epoch")
	}
	if _, err := s.Next(bytes.NewReader(make([]byte, 32)), day); !errors.Is(err, ErrSecret) {
		t.Errorf("an epoch from the same time: got %v", err)
	}
	last := Secret{[]Epoch{{Number: 1<<32 - 1}}}
	if _, err := last.Next(bytes.NewReader(make([]byte, 32)), day); !errors.Is(err, ErrSecret) {
		t.Errorf("an epoch after the last number: got %v", err)
	}
}

func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	s := testSecret(t, 0)
	if err := s.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("written over: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	back, err := Load(path)
	if err != nil || back.Text() != s.Text() {
		t.Errorf("read back: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o610, 0o602} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, private.ErrMode) {
			t.Errorf("mode %04o: got %v", mode, err)
		}
	}
	if _, err := Load(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

func TestStates(t *testing.T) {
	s := testSecret(t, 0, 48*time.Hour, 120*time.Hour)
	for _, c := range []struct {
		name string
		at   time.Duration
		want string
	}{
		{"the first signs before its time", -time.Hour, "[signing coming coming]"},
		{"the first", 0, "[signing coming coming]"},
		{"just before the second", 48*time.Hour - 1, "[signing coming coming]"},
		{"the second is published", 48 * time.Hour, "[signing published coming]"},
		{"just before it signs", 48*time.Hour + Prepublish - 1, "[signing published coming]"},
		{"the second signs", 48*time.Hour + Prepublish, "[retired signing coming]"},
		{"the third is published", 120 * time.Hour, "[retired signing published]"},
		{"the third signs", 120*time.Hour + Prepublish, "[retired retired signing]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fmt.Sprint(s.States(day.Add(c.at))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzReadSecret(f *testing.F) {
	f.Add("epoch=1 from=2026-11-22T00:00:00Z !secret=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n")
	f.Add("# nothing\n")
	f.Add("epoch=1 from=9999-12-31T23:59:59.9+23:59 !secret=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ReadSecret(strings.NewReader(in))
		if err != nil {
			return
		}
		s.States(day)
		text := s.Text()
		back, err := ReadSecret(strings.NewReader(text))
		if err != nil || back.Text() != text {
			t.Errorf("%q reads as %q and then %v", in, text, err)
		}
	})
}
