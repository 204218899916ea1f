package frame

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

var handshake = Handshake{Oldest: 1, Newest: 1, Class: ClassChain, Incarnation: 12}

func TestAgree(t *testing.T) {
	with := func(change func(*Handshake)) Handshake {
		h := handshake
		h.Features = 0b0110
		change(&h)
		return h
	}
	mine := with(func(h *Handshake) { h.Oldest, h.Newest = 2, 4 })
	for _, c := range []struct {
		name     string
		theirs   Handshake
		version  uint16
		features Features
		want     error
	}{
		{"the same", mine, 4, 0b0110, nil},
		{"an older peer", with(func(h *Handshake) { h.Oldest, h.Newest = 1, 3 }), 3, 0b0110, nil},
		{"a newer peer", with(func(h *Handshake) { h.Oldest, h.Newest = 3, 9 }), 4, 0b0110, nil},
		{"a peer too old", with(func(h *Handshake) { h.Oldest, h.Newest = 1, 1 }), 0, 0, ErrVersion},
		{"a peer too new", with(func(h *Handshake) { h.Oldest, h.Newest = 5, 6 }), 0, 0, ErrVersion},
		{"fewer features", with(func(h *Handshake) { h.Oldest, h.Newest, h.Features = 2, 4, 0b1100 }), 4, 0b0100, nil},
		{"a feature it must have", with(func(h *Handshake) { h.Oldest, h.Newest, h.Features, h.Required = 2, 4, 0b1000, 0b1000 }), 0, 0, ErrFeature},
		{"another class", with(func(h *Handshake) { h.Oldest, h.Newest, h.Class = 2, 4, ClassFeed }), 0, 0, ErrClass},
	} {
		v, f, err := Agree(mine, c.theirs)
		if v != c.version || f != c.features || !errors.Is(err, c.want) {
			t.Errorf("%s: version %d, features %#b, %v", c.name, v, f, err)
		}
		if v2, f2, err2 := Agree(c.theirs, mine); v2 != v || f2 != f || (err2 == nil) != (err == nil) {
			t.Errorf("%s: the other side comes to version %d, features %#b, %v", c.name, v2, f2, err2)
		}
	}
}

func TestHandshakeRefused(t *testing.T) {
	good := AppendHandshake(nil, handshake)
	if h, err := ParseHandshake(append(good, "of a newer version"...)); err != nil || h != handshake {
		t.Errorf("more octets than are known: %v, %+v", err, h)
	}
	for n := range good {
		if _, err := ParseHandshake(good[:n]); !errors.Is(err, ErrHandshake) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
	for name, h := range map[string]Handshake{
		"no version":         {Newest: 1, Incarnation: 1},
		"versions backwards": {Oldest: 2, Newest: 1, Incarnation: 1},
		"no incarnation":     {Oldest: 1, Newest: 1},
		"requires more":      {Oldest: 1, Newest: 1, Incarnation: 1, Features: 1, Required: 3},
	} {
		if _, err := ParseHandshake(AppendHandshake(nil, h)); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestByeReason: whatever the reason, what is written is read, and is one line.
func TestByeReason(t *testing.T) {
	for _, c := range []struct{ reason, want string }{
		{"full", "full"},
		{"", ""},
		{"two\nlines\x1b[31m", "two?lines?[31m"},
		{"not \xff UTF-8", "not ? UTF-8"},
		{strings.Repeat("ä", 101), strings.Repeat("ä", 100)},
		{strings.Repeat("a", 199) + "ä", strings.Repeat("a", 199)},
	} {
		b, err := ParseBye(AppendBye(nil, Bye{ByeBroken, c.reason}))
		if err != nil || b.Code != ByeBroken || b.Reason != c.want {
			t.Errorf("%q: %v, %+v", c.reason, err, b)
		}
	}
	if _, err := ParseBye(nil); !errors.Is(err, ErrBye) {
		t.Errorf("nothing: %v", err)
	}
}

func TestClassNames(t *testing.T) {
	for c, want := range map[Class]string{ClassChain: "chain", ClassFeed: "feed", ClassClient: "client", 9: "class 9"} {
		if c.String() != want {
			t.Errorf("%d: %q", uint8(c), c)
		}
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add(AppendHandshake(nil, handshake))
	f.Add(AppendBye(nil, Bye{ByeFull, "full"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHandshake(b); err == nil {
			if got := AppendHandshake(nil, h); string(got) != string(b[:len(got)]) {
				t.Errorf("%x is read as %+v and written as %x", b, h, got)
			}
			other := h
			other.Newest = h.Oldest + uint16(rand.IntN(3))
			if _, _, err := Agree(h, other); err != nil {
				t.Errorf("no agreement with oneself: %v", err)
			}
		}
		if bye, err := ParseBye(b); err == nil {
			if got := AppendBye(nil, bye); string(got) != string(b) {
				t.Errorf("%x is read as %+v and written as %x", b, bye, got)
			}
		}
	})
}
