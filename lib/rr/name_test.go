package rr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var label63 = strings.Repeat("a", 63)

// longest is a name of exactly MaxName octets.
var longest = strings.Join([]string{label63, label63, label63, strings.Repeat("b", 61)}, ".")

func TestParseName(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Name
		wantErr  error
	}{
		{"root", ".", "", nil},
		{"apex", "@", "", nil},
		{"escaped at sign is a label", `\@`, "\x01@", nil},
		{"relative", "www", "\x03www", nil},
		{"dot at the end", "www.example.", "\x03www\x07example", nil},
		{"case is kept", "WwW", "\x03WwW", nil},
		{"escaped dot", `a\.b.c`, "\x03a.b\x01c", nil},
		{"decimal escape", `\000\255\046`, "\x03\x00\xff.", nil},
		{"escaped backslash", `\\`, "\x01\\", nil},
		{"wildcard and underscore", "*._tcp", "\x01*\x04_tcp", nil},
		{"longest label", label63, Name("\x3f" + label63), nil},
		{"longest name", longest, Name("\x3f" + label63 + "\x3f" + label63 + "\x3f" + label63 + "\x3d" + strings.Repeat("b", 61)), nil},
		{"label of 64 escapes", strings.Repeat(`\097`, 64), "", ErrTooLong},
		{"label too long", "x." + label63 + "a", "", ErrTooLong},
		{"name too long", longest + "b", "", ErrTooLong},
		{"empty", "", "", ErrBadName},
		{"empty label", "a..b", "", ErrBadName},
		{"dot first", ".a", "", ErrBadName},
		{"two dots at the end", "a..", "", ErrBadName},
		{"escape cut off", `a\`, "", ErrBadName},
		{"escape of two digits", `a\12`, "", ErrBadName},
		{"escape with a letter", `a\1b2`, "", ErrBadName},
		{"escape above 255", `a\256`, "", ErrBadName},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseName(tc.in)
			if !errors.Is(err, tc.wantErr) {
				t.Fatalf("error %v, want %v", err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNameCheck(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   Name
		want error
	}{
		{"empty", "", nil},
		{"longest", MustName(longest), nil},
		{"one octet too long", MustName(longest) + "\x00", ErrTooLong},
		{"empty label", "\x01a\x00", ErrBadName},
		{"label cut off", "\x02a", ErrBadName},
		{"length octet alone", "\x01", ErrBadName},
		{"compression pointer", "\xc0\x0c", ErrBadName},
		{"label length 64", Name("\x40" + strings.Repeat("a", 64)), ErrBadName},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.in.Check(); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

func TestNameParts(t *testing.T) {
	n := MustName("WWW.Example.com")
	base := MustName("example.COM")
	if rest, ok := n.Cut(base); !ok || rest != MustName("WWW") {
		t.Errorf("cut: %q %v", rest, ok)
	}
	if _, ok := n.Cut(MustName("ample.com")); ok {
		t.Error("a suffix inside a label was cut off")
	}
	if !base.Under(base) || base.Under(n) || !n.Under("") {
		t.Error("under is wrong")
	}
	if got := n.Parent().Parent().Parent().Parent(); got != "" {
		t.Errorf("parent of the empty name: %q", got)
	}
	if n.Count() != 3 || n.First() != "WWW" || Name("").First() != "" {
		t.Error("count or first is wrong")
	}
	if got := n.Lower().FQDN(); got != "www.example.com." {
		t.Errorf("lower: %s", got)
	}
	if j, err := n.Join(base); err != nil || j.String() != "WWW.Example.com.example.COM" {
		t.Errorf("join: %s, %v", j, err)
	}
	if _, err := n.Join(MustName(longest)); !errors.Is(err, ErrTooLong) {
		t.Errorf("join: %v", err)
	}
	if !MustName("*.a").Wildcard() || MustName("**.a").Wildcard() || MustName("a.*").Wildcard() {
		t.Error("wildcard is wrong")
	}
	if Star+n != MustName("*.WWW.Example.com") {
		t.Error("star is wrong")
	}
}

func TestParseMailbox(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Name
		wantErr  error
	}{
		{"plain", "hostmaster@example.com", "\x0ahostmaster\x07example\x03com", nil},
		{"dot before the at sign", "host.master@example.com", "\x0bhost.master\x07example\x03com", nil},
		{"plus", "a+b@example.com.", "\x03a+b\x07example\x03com", nil},
		{"no at sign", "example.com", "", ErrBadName},
		{"nothing before it", "@example.com", "", ErrBadName},
		{"nothing after it", "a@", "", ErrBadName},
		{"root after it", "a@.", "", ErrBadName},
		{"two at signs", "a@b@example.com", "", ErrBadName},
		{"space", "a b@example.com", "", ErrBadName},
		{"underscore in the domain", "a@b_c.com", "", ErrBadName},
		{"Unicode", "a@b\u00fcc.com", "", ErrBadName},
		{"empty label", "a@b..com", "", ErrBadName},
		{"long local part", label63 + "a@b.com", "", ErrBadName},
		{"too long", "a@" + longest, "", ErrTooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseMailbox(tc.in)
			if !errors.Is(err, tc.wantErr) {
				t.Fatalf("error %v, want %v", err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"", ".", "@", `\@`, "www.example.com.", `a\.b\000\255`, "*._x", longest, longest + "x", `\`, "a..b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			if !errors.Is(err, ErrTooLong) && !errors.Is(err, ErrBadName) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if err := n.Check(); err != nil {
			t.Fatalf("%q gave a bad name: %v", s, err)
		}
		for _, text := range []string{n.String(), n.FQDN()} {
			if back, err := ParseName(text); err != nil || back != n {
				t.Errorf("%q printed as %q, read back as %q, %v", s, text, back, err)
			}
		}
		if n.Lower() != n.Lower().Lower() || !n.Equal(n.Lower()) {
			t.Errorf("folding %q", s)
		}
	})
}

func FuzzNameCheck(f *testing.F) {
	for _, s := range []string{"", "\x03www", "\x01", "\x00", "\xc0\x0c", "\x01a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := Name(s)
		if n.Check() != nil {
			return
		}
		if back, err := ParseName(n.FQDN()); err != nil || back != n {
			t.Errorf("%q printed as %q, read back as %q, %v", s, n.FQDN(), back, err)
		}
		var joined Name
		for label := range n.Labels() {
			joined += Name(append([]byte{byte(len(label))}, label...))
		}
		if joined != n || len(n) > 0 && n.Count() == 0 {
			t.Errorf("labels of %q make %q", n, joined)
		}
	})
}
