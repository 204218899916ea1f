package nup

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// addVectors seeds a fuzz target with the vectors of a kind.
func addVectors(f *testing.F, kind string) {
	for _, v := range vectorFiles(f) {
		if v.kind == kind {
			f.Add(v.packet)
		}
	}
}

func FuzzParse(f *testing.F) {
	addVectors(f, "request")
	ed, dsa := edKey(f, 1), dsaKey(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := Parse(b)
		var bad *ParseError
		if errors.As(err, &bad) {
			checkReply(t, bad.Reply(), len(b))
			return
		}
		if err != nil {
			return
		}
		if n > len(b) || n != r.Size() {
			t.Fatalf("%d octets of %d, size %d", n, len(b), r.Size())
		}
		if m, err := Length(b); m != n || err != nil {
			t.Fatalf("length %d, %v; want %d", m, err, n)
		}
		for _, s := range []Status{StatusOK, StatusKeyReplaced} {
			reply := r.Reply(s, 0)
			reply.Text = "a text"
			checkReply(t, reply, n)
		}
		r.Check()
		if i, _ := r.BadElement(); i >= 0 {
			return
		}
		// The same elements signed anew are the same request.
		secret := dsa
		if r.Version == 1 {
			secret = ed
		}
		again := *r
		packet, err := Sign(&again, secret)
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("sign again: %v", err)
		}
		back, err := ParseDatagram(packet)
		if err != nil || !back.Verify(secret.Public()) {
			t.Fatalf("parse again: %v", err)
		}
		back.Key = r.Key
		if diff := cmp.Diff(r, back, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Request{})); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// checkReply checks that a reply is never longer than its request, and is read
// as it was written.
func checkReply(t *testing.T, r *Reply, limit int) {
	b := r.Append(nil, limit)
	if b == nil {
		return
	}
	if len(b) > limit {
		t.Fatalf("reply of %d octets to %d", len(b), limit)
	}
	back, err := ParseReply(b)
	if err != nil {
		t.Fatalf("parse reply: %v", err)
	}
	if back.Seq != r.Seq || back.Next != r.Next || !bytes.Equal(back.Key, r.Key) || len(back.Codes) != len(r.Codes) {
		t.Fatalf("reply %+v became %+v", r, back)
	}
}

func FuzzParseReply(f *testing.F) {
	addVectors(f, "reply")
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReply(b)
		if err != nil {
			if !errors.Is(err, ErrNotNUP) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again := r.Append(nil, MaxPacket)
		if again == nil {
			return
		}
		back, err := ParseReply(again)
		if err != nil {
			t.Fatalf("parse again: %v", err)
		}
		want := *r
		if want.Version == 0 {
			want.Status = want.Status.V0()
			for i, c := range want.Codes {
				want.Codes[i] = c.V0()
			}
		}
		if diff := cmp.Diff(&want, back, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" && len(again) < MaxPacket-maxReplyText {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func FuzzScan(f *testing.F) {
	var all []byte
	for _, v := range vectorFiles(f) {
		if v.kind == "request" && len(v.packet) < 600 {
			f.Add(v.packet)
			all = append(all, v.packet...)
		}
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		var joined []byte
		for p, err := range Scan(bytes.NewReader(b)) {
			if err != nil {
				return
			}
			if _, err := ParseDatagram(p); err != nil {
				t.Fatalf("packet %x: %v", p, err)
			}
			joined = append(joined, p...)
		}
		if !bytes.Equal(joined, b) {
			t.Errorf("%x came out as %x", b, joined)
		}
	})
}
