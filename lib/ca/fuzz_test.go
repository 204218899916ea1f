package ca

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"
)

func FuzzToken(f *testing.F) {
	a := newAuthority(f, "c1", day)
	token, err := a.NewToken(Name{"c1", Node, "n4"}, []string{"n4.example", "192.0.2.4"}, 0, day)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token.Text())
	f.Add("# a comment\n" + strings.Replace(token.Text(), "id=n4", "id='n4'", 1) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		one, err := ParseToken(s)
		if err != nil {
			return
		}
		two, err := ParseToken(one.Text())
		if err != nil || one.Text() != two.Text() {
			t.Fatalf("%q is printed as %q: %v", s, one.Text(), err)
		}
		if _, err := a.list[0].tokenSecret(one); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzFiles(f *testing.F) {
	a := newAuthority(f, "c1", day)
	f.Add([]byte(a.Text()))
	f.Add([]byte(newMember(f, a, Node, "n1", day).Text()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseAuthority(b); err == nil {
			if again, err := ParseAuthority([]byte(a.Text())); err != nil || again.Text() != a.Text() {
				t.Fatalf("%q is printed as %q: %v", b, a.Text(), err)
			}
		}
		if id, err := ParseIdentity(b); err == nil {
			if again, err := ParseIdentity([]byte(id.Text())); err != nil || again.Text() != id.Text() {
				t.Fatalf("%q is printed as %q: %v", b, id.Text(), err)
			}
		}
	})
}

// FuzzAnswer: whatever is asked, the answer is one line, and nothing is issued for
// what is not exactly a good request.
func FuzzAnswer(f *testing.F) {
	a := newAuthority(f, "c1", day)
	token, err := a.NewToken(Name{"c1", Node, "n4"}, nil, 0, day)
	if err != nil {
		f.Fatal(err)
	}
	j, err := NewJoiner(token)
	if err != nil {
		f.Fatal(err)
	}
	_, proof, _ := strings.Cut(j.request, " proof=")
	member := newMember(f, a, Node, "n1", day)
	renew := "renew ca=" + PinOf(a.list[0].cert).String() + " nonce=" + strings.Repeat("A", 26)
	f.Add(j.request, false)
	f.Add(renew, true)
	f.Add(renew, false)
	f.Fuzz(func(t *testing.T, line string, known bool) {
		issuer := Issuer{
			Authority: func() *Authority { return a },
			Ledger:    &ledger{spent: map[string][sha256.Size]byte{}},
			Now:       func() time.Time { return day },
		}
		peer := member.Leaf
		if !known {
			peer = nil
		}
		reply := issuer.Answer(t.Context(), line, peer)
		if strings.ContainsAny(reply, "\n\r") || len(reply) > maxReply {
			t.Fatalf("%q is answered with %q", line, reply)
		}
		if strings.HasPrefix(reply, "issued ") && !known && !strings.Contains(line, proof) {
			t.Fatalf("%q is answered with %q", line, reply)
		}
	})
}

func FuzzReply(f *testing.F) {
	a := newAuthority(f, "c1", day)
	id := newMember(f, a, Node, "n1", day)
	good, err := reply("request", id.Leaf, a, a.list[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.String())
	f.Add("refused why='a reason'")
	f.Fuzz(func(t *testing.T, line string) {
		got, err := parseReply(line, "request", id.key, a.list[0].cert)
		if err == nil && (got.Name != id.Name || !got.Leaf.Equal(id.Leaf)) {
			t.Fatalf("%q is taken for %s", line, got)
		}
	})
}
