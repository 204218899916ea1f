package nup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"namecast/lib/key"
	"namecast/lib/rr"
)

// groups reads update text of one or more groups.
func groups(t testing.TB, version int, text string) [][]Element {
	t.Helper()
	u, err := ParseText(strings.NewReader(text), version, nil)
	if err != nil {
		t.Fatal(err)
	}
	return u.Groups
}

const plainText = `
add www 300 A 192.0.2.1
add @ MX 10 mail.example.net.
add t TXT "a # b"
add *._x AAAA 2001:db8::1
delete old
delete www A
delete www A 192.0.2.1
validate example.com hostmaster@example.com 3600
`

const fullText = plainText + `
replace home 60 A 203.0.113.7
replace home 60 A 203.0.113.8
require absent lock
require exists www A 192.0.2.1
add s HTTPS 1 . alpn=h2
add u TYPE65534 \# 0
`

func TestSignParse(t *testing.T) {
	for _, tc := range []struct {
		name   string
		secret *key.Secret
		req    Request
	}{
		{"version 0", dsaKey(t), Request{Seq: 3, Elements: groups(t, 0, plainText)[0]}},
		{"version 0 query", dsaKey(t), Request{}},
		{"version 1", edKey(t, 1), Request{Seq: 1<<63 - 1, Service: service, Elements: groups(t, 1, fullText)[0]}},
		{"version 1 query", edKey(t, 1), Request{Service: service}},
		{"version 1 options", edKey(t, 1), Request{Service: service, Token: []byte("token"), HasWork: true, Work: 1<<64 - 1, Padding: 9}},
		{"version 1 rekey", edKey(t, 1), Request{Service: service, Seq: 9, Elements: []Element{{Op: OpRekey, NewSecret: edKey(t, 2)}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := Sign(&tc.req, tc.secret)
			if err != nil {
				t.Fatal(err)
			}
			got, n, err := Parse(append(bytes.Clone(b), "next"...))
			if err != nil || n != len(b) {
				t.Fatalf("%d of %d octets, %v", n, len(b), err)
			}
			if !got.Verify(tc.secret.Public()) || got.Verify(edKey(t, 3).Public()) {
				t.Error("signature")
			}
			for i, e := range got.Elements {
				if e.Op == OpRekey && !got.VerifyRekey(e) {
					t.Errorf("signature of the new key in element %d", i)
				}
			}
			diff := cmp.Diff(tc.req, *got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Request{}), cmpopts.IgnoreFields(Element{}, "NewSecret"))
			if diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got.Hash() != tc.req.Hash() || got.Size() != len(b) || got.KeyID() != tc.secret.Public().Account() {
				t.Error("hash, size or key")
			}
			if got.IsQuery() != strings.HasSuffix(tc.name, "query") && len(got.Elements) > 0 {
				t.Error("query")
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	add := Element{Type: rr.TypeA, Data: []rr.Data{"\xc0\x00\x02\x01"}}
	for _, tc := range []struct {
		name   string
		secret *key.Secret
		req    Request
		want   string
	}{
		{"no service", edKey(t, 1), Request{}, `sign packet: bad service name "@"`},
		{"service in upper case", edKey(t, 1), Request{Service: rr.MustName("A.example")}, `sign packet: bad service name "A.example"`},
		{"bad data", edKey(t, 1), Request{Service: service, Elements: []Element{add, {Type: rr.TypeA, Data: []rr.Data{"x"}}}}, "sign packet: element 2: invalid record data"},
		{"reserved opcode", edKey(t, 1), Request{Service: service, Elements: []Element{{Op: OpGrant}}}, "sign packet: element 1: invalid opcode"},
		{"too many records for version 0", dsaKey(t), Request{Elements: []Element{{Type: rr.TypeA, Data: []rr.Data{"\x01\x02\x03\x04", "\x01\x02\x03\x05"}}}}, "sign packet: element 1: too many records"},
		{"too large", edKey(t, 1), Request{Service: service, Elements: []Element{{Type: 65534, Data: []rr.Data{rr.Data(strings.Repeat("x", 65000)), rr.Data(strings.Repeat("x", 400))}}}}, "sign packet: 65556 octets: larger than one datagram"},
		{"too many elements", dsaKey(t), Request{Elements: make([]Element, 1<<15)}, "sign packet: 32768 elements: larger than one datagram"},
		{"too much padding", edKey(t, 1), Request{Service: service, Padding: 1 << 16}, "sign packet: options: larger than one datagram"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := Sign(&tc.req, tc.secret)
			if err == nil || err.Error() != tc.want || b != nil {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

func TestPad(t *testing.T) {
	secret := edKey(t, 1)
	empty, err := Sign(&Request{Service: service}, secret)
	if err != nil {
		t.Fatal(err)
	}
	for size := len(empty) - 1; size < len(empty)+8; size++ {
		r := Request{Key: secret.Public().Bytes(), Version: 1, Service: service}
		if err := r.Pad(size); err != nil {
			t.Fatal(err)
		}
		b, err := Sign(&r, secret)
		if want := max(size, len(empty)); err != nil || len(b) < want || len(b) > want+5 {
			t.Errorf("padded to %d: %d octets, %v", size, len(b), err)
		}
	}
}

func TestReplyFits(t *testing.T) {
	r := Reply{Version: 1, Key: edKey(t, 1).Public().Bytes(), Codes: []Code{0, 0}, From: netip.MustParseAddrPort("[2001:db8::1]:1"),
		RetryAfter: time.Second, Text: strings.Repeat("\u00e9", 100), WorkBits: 20, Account: strings.Repeat("a", 32)}
	full := len(r.Append(nil, MaxPacket))
	least := r.headSize() + 4
	seen := map[string]bool{}
	for limit := 0; limit <= full; limit++ {
		b := r.Append(nil, limit)
		if len(b) > limit || (b == nil) != (limit < least) {
			t.Fatalf("limit %d: %d octets", limit, len(b))
		}
		if b == nil {
			continue
		}
		got, err := ParseReply(b)
		if err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		if strings.Trim(got.Text, "\u00e9") != "" {
			t.Fatalf("limit %d: text %q", limit, got.Text)
		}
		seen[fmt.Sprintln(got.From.IsValid(), got.WorkBits > 0, got.RetryAfter > 0, got.Account != "", got.Text != "")] = true
	}
	if !seen["true true true true false\n"] || !seen["true false false false false\n"] || !seen["false false false false false\n"] {
		t.Errorf("parts that were left out: %v", seen)
	}
	if b := r.Append([]byte("before"), full); len(b) != len("before")+full {
		t.Errorf("%d octets appended", len(b))
	}
}

func TestReplyRounding(t *testing.T) {
	for _, tc := range []struct {
		name     string
		in, want time.Duration
	}{
		{"up", 1, time.Millisecond},
		{"whole", 2 * time.Millisecond, 2 * time.Millisecond},
		{"years", 1 << 62, (1<<32 - 1) * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseReply((&Reply{Version: 1, RetryAfter: tc.in}).Append(nil, MaxPacket))
			if err != nil || got.RetryAfter != tc.want {
				t.Errorf("%v, %v; want %v", got.RetryAfter, err, tc.want)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	q := Request{Version: 1, Key: []byte("key"), Seq: 7}
	for _, tc := range []struct {
		name string
		r    Reply
		want bool
	}{
		{"the reply", Reply{Version: 1, Key: []byte("key"), Seq: 7}, true},
		{"other key", Reply{Version: 1, Key: []byte("kez"), Seq: 7}, false},
		{"other sequence", Reply{Version: 1, Key: []byte("key"), Seq: 8}, false},
		{"version not spoken", Reply{Key: []byte("key"), Status: StatusUnsupported}, true},
		{"old version refused", Reply{Version: 1, Key: []byte("key"), Status: StatusUnsupported}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.r.Answers(&q); got != tc.want {
				t.Errorf("answers: %v", got)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	_, err := ParseDatagram([]byte(Magic + "\x00\x07\x00\x00"))
	var bad *ParseError
	if !errors.Is(err, ErrVersion) || !errors.As(err, &bad) || bad.Reply().Version != 0 {
		t.Errorf("other version: %v", err)
	}
	if want := "read packet: unsupported protocol version: version 7"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if _, err := ParseDatagram([]byte(Magic)); !errors.Is(err, ErrMalformed) {
		t.Errorf("cut off: %v", err)
	}
	if s := Status(7).String() + ", " + Code(7).String(); s != "status 7, code 7" {
		t.Errorf("unknown numbers: %s", s)
	}
}

func TestScan(t *testing.T) {
	q0, err0 := Sign(&Request{}, dsaKey(t))
	q1, err1 := Sign(&Request{Service: service}, edKey(t, 1))
	largest := Request{Service: service, Elements: []Element{{Type: 65534, Data: []rr.Data{rr.Data(strings.Repeat("x", MaxPacket-len(q1)-13))}}}}
	big, err2 := Sign(&largest, edKey(t, 1))
	if err := errors.Join(err0, err1, err2); err != nil || len(big) != MaxPacket {
		t.Fatal(len(big), err)
	}
	stream := bytes.Join([][]byte{q0, big, q1, q0}, nil)
	broken := errors.New("pipe broken")
	for _, tc := range []struct {
		name    string
		in      io.Reader
		want    [][]byte
		wantErr string
	}{
		{"nothing", strings.NewReader(""), nil, ""},
		{"packets", bytes.NewReader(stream), [][]byte{q0, big, q1, q0}, ""},
		{"octet by octet", iotest.OneByteReader(bytes.NewReader(append(bytes.Clone(q0), q1...))), [][]byte{q0, q1}, ""},
		{"cut off", bytes.NewReader(stream[:len(stream)-1]), [][]byte{q0, big, q1}, fmt.Sprintf("read packet at octet %d: cut off", len(stream)-len(q0))},
		{"cut off in the magic", bytes.NewReader(stream[:len(q0)+3]), [][]byte{q0}, fmt.Sprintf("read packet at octet %d: cut off", len(q0))},
		{"something else", strings.NewReader("add www A 192.0.2.1\n"), nil, "read packet at octet 0: not a Namecast packet"},
		{"something else after a packet", bytes.NewReader(append(bytes.Clone(q1), '\n')), [][]byte{q1}, fmt.Sprintf("read packet at octet %d: not a Namecast packet", len(q1))},
		{"a count that is wrong", bytes.NewReader(bytes.Replace(q1, []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"), 1)), nil, "read packet at octet 0: read packet: element count is wrong"},
		{"lengths past every datagram", strings.NewReader(Magic + "\x00\x00\x00\x01k\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff" + strings.Repeat("x", 70000)), nil, "read packet at octet 0: larger than one datagram"},
		{"reader that fails", iotest.ErrReader(broken), nil, "read packet at octet 0: pipe broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got [][]byte
			message := ""
			for p, err := range Scan(tc.in) {
				if err != nil {
					message = err.Error()
					break
				}
				got = append(got, p)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%.1000s", diff)
			}
			if message != tc.wantErr {
				t.Errorf("error %q, want %q", message, tc.wantErr)
			}
		})
	}
}

func TestScanStops(t *testing.T) {
	q, err := Sign(&Request{Service: service}, edKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	for range Scan(bytes.NewReader(append(bytes.Clone(q), q...))) {
		return
	}
	t.Error("no packet")
}
