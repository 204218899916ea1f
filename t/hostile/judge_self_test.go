package hostile

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestJudge gives the judge answers that are right and wrong, octet by octet.
func TestJudge(t *testing.T) {
	const (
		head   = "1234 8500 0001 0001 0000 0000 "
		asked  = "03777777 07657861 6d706c65 03636f6d 00 0001 0001 " // www.example.com A IN, 21 octets: the next at 33
		answer = "c00c 0001 0001 0000012c 0004 c0000201 "
		soa    = "c010 0006 0001 0000012c 0018 c00c c00c 00000001 00000001 00000001 00000001 00000001 "
		opt    = "00 0029 04d0 00000000 0000 "
	)
	plain := query("www.example.com", typeA, 1, nil)
	extended := query("www.example.com", typeA, 1, options[1])
	for _, c := range []struct {
		name  string
		query []byte
		reply string
		fault string // "" is none
	}{
		{"right", plain, head + asked + answer, ""},
		{"right, with EDNS", extended, "1234 8500 0001 0001 0000 0001" + asked + answer + opt, ""},
		{"right, no data", plain, "1234 8500 0001 0000 0001 0000" + asked + soa, ""},
		{"right, refused", plain, "1234 8105 0001 0000 0000 0000" + asked, ""},
		{"right, a header alone", plain, "1234 8101 0000 0000 0000 0000", ""},
		{"header cut off", plain, "1234 8500 0001", "too early"},
		{"another ID", plain, "1235 8500 0001 0001 0000 0000" + asked + answer, "another ID"},
		{"no QR", plain, "1234 0500 0001 0001 0000 0000" + asked + answer, "QR"},
		{"another opcode", plain, "1234 a500 0001 0001 0000 0000" + asked + answer, "opcode"},
		{"no RD", plain, "1234 8400 0001 0001 0000 0000" + asked + answer, "RD"},
		{"RA", plain, "1234 8580 0001 0001 0000 0000" + asked + answer, "RA"},
		{"Z", plain, "1234 8540 0001 0001 0000 0000" + asked + answer, "Z"},
		{"storage failed", plain, "1234 8502 0001 0000 0000 0000" + asked, "SERVFAIL"},
		{"no question", plain, "1234 8505 0000 0000 0000 0000", "no question"},
		{"case of the question", plain, head + strings.Replace(asked, "7777", "5777", 1) + answer, "asked"},
		{"one record less than counted", plain, "1234 8500 0001 0002 0000 0000" + asked + answer, "too early"},
		{"one more than counted", plain, head + asked + answer + answer, "after the end"},
		{"a record twice", plain, "1234 8500 0001 0002 0000 0000" + asked + answer + answer, "twice"},
		{"octets left over", plain, head + asked + answer + "00", "after the end"},
		{"a pointer to itself", plain, head + asked + strings.Replace(answer, "c00c", "c021", 1), "does not lead back"},
		{"a pointer ahead", plain, head + asked + strings.Replace(answer, "c00c", "c025", 1), "does not lead back"},
		{"a pointer into a label", plain, head + asked + strings.Replace(answer, "c00c", "c00d", 1), "no label"},
		{"a pointer into the header", plain, head + asked + strings.Replace(answer, "c00c", "c004", 1), "no label"},
		{"a label type", plain, head + asked + strings.Replace(answer, "c00c", "410c", 1), "label type"},
		{"an address of 5 octets", plain, head + asked + strings.Replace(answer, "0004 c0000201", "0005 c000020100", 1), "5 octets"},
		{"data cut off", plain, head + asked + strings.Replace(answer, "0004 c0000201", "0004 c00002", 1), "too early"},
		{"a TTL below zero", plain, head + asked + strings.Replace(answer, "0000012c", "8000012c", 1), "TTL"},
		{"a name beyond its data", plain, head + asked + "c00c 0005 0001 0000012c 0001 c00c", "too early"},
		{"data that are not used", plain, head + asked + "c00c 0005 0001 0000012c 0003 c00c00", "not used"},
		{"DNAME with a pointer", plain, head + asked + "c00c 0027 0001 0000012c 0002 c00c", "a pointer where none may be"},
		{"NSEC with an empty window", plain, head + asked + "c00c 002f 0001 0000012c 0003 00 0000", "window"},
		{"TXT without a string", plain, head + asked + "c00c 0010 0001 0000012c 0000", "no string"},
		{"TXT cut off", plain, head + asked + "c00c 0010 0001 0000012c 0002 0561", "too early"},
		{"neither data nor SOA", plain, "1234 8500 0001 0000 0000 0000" + asked, "neither"},
		{"refused with data", plain, "1234 8105 0001 0001 0000 0000" + asked + answer, "code 5"},
		{"OPT twice", extended, "1234 8500 0001 0001 0000 0002" + asked + answer + opt + opt, "twice"},
		{"OPT in the answer", extended, "1234 8500 0001 0001 0000 0000" + asked + opt, "wrong place"},
		{"an option cut off", extended, "1234 8500 0001 0001 0000 0001" + asked + answer + "00 0029 04d0 00000000 0003 000a00", "too early"},
		{"too large without EDNS", plain, head + asked + "c00c 0010 0001 0000012c 0200" + strings.Repeat("ff"+strings.Repeat("61", 255), 2), "allowed are 512"},
		{"too large with EDNS", extended, "1234 8500 0001 0001 0000 0001" + asked + "c00c 0010 0001 0000012c 0500" + strings.Repeat("ff"+strings.Repeat("61", 255), 5) + opt, "allowed are 1232"},
		{"an answer to a response", []byte("\x12\x34\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "1234 8101 0000 0000 0000 0000", "gets none"},
		{"two questions and a version of EDNS that is unknown", unhex(t, "1234 0100 0002 0000 0000 0001"+asked+asked+"00 0029 1000 c00c8000 0000"),
			"1234 8100 0000 0000 0000 0001 00 0029 04d0 01008000 0000", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := judge(c.query, unhex(t, c.reply), true)
			if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%v, want %q", err, c.fault)
			}
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
