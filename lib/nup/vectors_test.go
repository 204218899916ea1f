package nup

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/key"
	"namecast/lib/rr"
)

var update = flag.Bool("update", false, "write the vectors in testdata anew")

// service is the installation that the vectors' requests are made for.
var service = rr.MustName("namecast.example")

// A vector is one file of testdata: a header of "name: value" lines, an empty
// line, and the packet in hexadecimal. See testdata/README.
type vector struct {
	kind   string // request or reply
	note   string // the rule
	expect string // what a reader must make of it
	packet []byte
}

// verdict is what a node makes of a request by the format alone: the account
// is free to be made and the sequence number is the one expected.
func verdict(b []byte) string {
	r, err := ParseDatagram(b)
	var bad *ParseError
	switch {
	case errors.Is(err, ErrNotNUP):
		return "no reply"
	case errors.As(err, &bad):
		return answer(bad.Reply(), len(b))
	}
	pub, err := key.ParsePublic(r.Version, r.Key)
	switch {
	case err != nil:
		return answer(r.Reply(StatusMalformed, 0), len(b))
	case r.Version == 1 && r.Service != service:
		return answer(r.Reply(StatusOtherService, 0), len(b))
	case !r.Verify(pub):
		return answer(r.Reply(StatusBadSignature, 0), len(b))
	case len(r.Elements) == 0:
		return answer(r.Reply(StatusNoElements, 0), len(b))
	}
	for i, e := range r.Elements {
		if e.Code == CodeOK && e.Op == OpRekey && !r.VerifyRekey(e) {
			r.Elements[i].Code = CodeBadData
		}
	}
	if i, code := r.BadElement(); i >= 0 {
		reply := r.Reply(StatusInvalidElement, 0)
		reply.Codes = FailedElement(len(r.Elements), i, code)
		return answer(reply, len(b))
	}
	return answer(r.Reply(StatusOK, 0), len(b)) + contents(r)
}

// answer writes a reply as "expect" has it.
func answer(r *Reply, limit int) string {
	b := r.Append(nil, limit)
	if b == nil {
		return "no reply"
	}
	back, err := ParseReply(b)
	if err != nil {
		return err.Error()
	}
	s := fmt.Sprintf("version %d status %d codes", back.Version, back.Status)
	for _, c := range back.Codes {
		s += fmt.Sprintf(" %d", c)
	}
	return strings.TrimSuffix(s, " codes")
}

// contents are the elements as update text.
func contents(r *Request) string {
	var s strings.Builder
	for i := range r.Elements {
		for _, line := range r.Elements[i].Lines() {
			s.WriteString("\nelement: " + line)
		}
	}
	return s.String()
}

// replyFields writes all that a reply says as "expect" has it.
func replyFields(b []byte) string {
	r, err := ParseReply(b)
	switch {
	case errors.Is(err, ErrNotNUP):
		return "not a packet"
	case errors.Is(err, ErrVersion):
		return "unsupported version"
	case err != nil:
		return "malformed"
	}
	s := fmt.Sprintf("version %d sequence %d next %d status %d", r.Version, r.Seq, r.Next, r.Status)
	for i, c := range r.Codes {
		s += fmt.Sprintf("%s %d", map[bool]string{true: " codes"}[i == 0], c)
	}
	if r.From.IsValid() {
		s += "\nfrom: " + r.From.String()
	}
	if r.RetryAfter > 0 {
		s += "\nretry after: " + r.RetryAfter.String()
	}
	if r.Text != "" {
		s += "\ntext: " + r.Text
	}
	if r.WorkBits > 0 {
		s += fmt.Sprintf("\nwork: %d bits", r.WorkBits)
	}
	if r.Account != "" {
		s += "\naccount: " + r.Account
	}
	if r.Sync != NotAsked {
		s += fmt.Sprintf("\ninsync: %d", r.Sync)
	}
	return s
}

func (v vector) read() string {
	if v.kind == "reply" {
		return replyFields(v.packet)
	}
	return verdict(v.packet)
}

// format writes a vector's file.
func (v vector) format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "kind: %s\nnote: %s\nexpect: %s\n\n", v.kind, v.note, v.expect)
	for line := range slices.Chunk(v.packet, 32) {
		fmt.Fprintf(&b, "%x\n", line)
	}
	return b.Bytes()
}

// readVector reads a vector's file.
func readVector(path string) (v vector, err error) {
	f, err := os.Open(path)
	if err != nil {
		return v, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() && s.Text() != "" {
		name, value, _ := strings.Cut(s.Text(), ": ")
		switch name {
		case "kind":
			v.kind = value
		case "note":
			v.note = value
		case "expect":
			v.expect = value
		default:
			v.expect += "\n" + s.Text()
		}
	}
	for s.Scan() {
		b, err := hex.DecodeString(s.Text())
		if err != nil {
			return v, err
		}
		v.packet = append(v.packet, b...)
	}
	return v, s.Err()
}

// vectorFiles gives every vector by its file's name.
func vectorFiles(t testing.TB) map[string]vector {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no vectors", err)
	}
	out := map[string]vector{}
	for _, path := range paths {
		v, err := readVector(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".txt")] = v
	}
	return out
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	for name, v := range vectorFiles(t) {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(v.expect, v.read()); diff != "" {
				t.Errorf("%s (-want +got)\n%s", v.note, diff)
			}
			if v.kind == "reply" {
				again(t, v.packet)
			}
		})
	}
}

// again checks that a reply that was read is written the same.
func again(t *testing.T, b []byte) {
	r, err := ParseReply(b)
	if err != nil || strings.Contains(string(b), "ignored") {
		return
	}
	if diff := cmp.Diff(b, r.Append(nil, len(b))); diff != "" {
		t.Errorf("written again (-want +got)\n%s", diff)
	}
}

// TestVectorsComplete checks that every status and every element code of the
// specification stands in some vector.
func TestVectorsComplete(t *testing.T) {
	statuses, codes := map[string]bool{}, map[string]bool{}
	for _, v := range vectorFiles(t) {
		first, _, _ := strings.Cut(v.expect, "\n")
		words := strings.Fields(first)
		for i, w := range words {
			if w == "status" {
				statuses[words[i+1]] = true
			}
			if w == "codes" {
				for _, c := range words[i+1:] {
					codes[c] = true
				}
			}
		}
	}
	for s := range statusText {
		if !statuses[fmt.Sprint(uint16(s))] && s != StatusPartial {
			t.Errorf("no vector with status %d", uint16(s))
		}
	}
	for c := range codeText {
		if !codes[fmt.Sprint(uint16(c))] {
			t.Errorf("no vector with code %d", uint16(c))
		}
	}
}

// writeVectors writes the files that makeVectors describes.
func writeVectors(t *testing.T) {
	old, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range makeVectors(t) {
		if err := os.WriteFile("testdata/"+name+".txt", v.format(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
