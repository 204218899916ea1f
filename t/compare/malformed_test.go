package compare

import (
	"encoding/hex"
	"strings"
	"testing"
)

// silence is the code of no answer.
const silence = -1

// A packet is octets that are no proper query, in hexadecimal, with the
// response code that they get here.
type packet struct {
	name string
	want int
	hex  string
}

// question part of the packets, without and with a header.
const (
	asked      = " 03777777076578616d706c6503636f6d00 0001 0001" // www.example.com. A IN
	plainQuery = "1234 0100 0001 0000 0000 0000" + asked
	withOPT    = "1234 0100 0001 0000 0000 0001" + asked
	extra      = " c00c 0001 0001 00000000 0004 c0000201"
)

func malformed() []packet {
	return []packet{
		{"proper", 0, plainQuery},
		{"empty", silence, ""},
		{"header cut off", silence, "1234 0100 0001 0000 0000"},
		{"header alone", 1, "1234 0100 0000 0000 0000 0000"},
		{"header that counts a question", 1, "1234 0100 0001 0000 0000 0000"},
		{"a response", silence, "1234 8100 0001 0000 0000 0000" + asked},
		{"a response header alone", silence, "1234 8100 0000 0000 0000 0000"},
		{"no question but a count of answers", 1, "1234 0100 0000 0001 0000 0000"},
		{"two questions", 1, "1234 0100 0002 0000 0000 0000" + asked + " c00c 0001 0001"},
		{"question counted twice", 1, "1234 0100 0002 0000 0000 0000" + asked},
		{"question without class", 1, strings.TrimSuffix(plainQuery, "0001")},
		{"question without type", 1, strings.TrimSuffix(plainQuery, "0001 0001")},
		{"name cut off", 1, "1234 0100 0001 0000 0000 0000 03777777076578"},
		{"label type 01", 1, "1234 0100 0001 0000 0000 0000 43777777076578616d706c6503636f6d00 0001 0001"},
		{"label type 10", 1, "1234 0100 0001 0000 0000 0000 83777777076578616d706c6503636f6d00 0001 0001"},
		{"name pointing at itself", 1, "1234 0100 0001 0000 0000 0000 c00c 0001 0001"},
		{"name pointing past the end", 1, "1234 0100 0001 0000 0000 0000 c0ff 0001 0001"},
		{"name of 256 octets", 1, "1234 0100 0001 0000 0000 0000 " + strings.Repeat("0161", 127) + "016100 0001 0001"},
		{"octets after the question", 0, plainQuery + " 00"},
		{"an answer in a query", 1, "1234 0100 0001 0001 0000 0000" + asked + extra},
		{"an authority in a query", 1, "1234 0100 0001 0000 0001 0000" + asked + extra},
		{"an additional record in a query", 0, withOPT + extra},
		{"additional counted but missing", 1, withOPT},
		{"opt with a name", 1, withOPT + " 016100 0029 04d0 00000000 0000"},
		{"opt cut off", 1, withOPT + " 00 0029 04d0 0000"},
		{"opt with an option cut off", 1, withOPT + " 00 0029 04d0 00000000 0003 000300"},
		{"opt with an option too long", 1, withOPT + " 00 0029 04d0 00000000 0004 00030009"},
		{"opt in the answer section", 1, "1234 0100 0001 0001 0000 0000" + asked + " 00 0029 04d0 00000000 0000"},
	}
}

// compareMalformed sends each packet to all servers. Ours answers as the table
// says, and at least one of the peers does the same.
func compareMalformed(t *testing.T, ours *client, theirs []*client) {
	for _, p := range malformed() {
		octets, err := hex.DecodeString(strings.ReplaceAll(p.hex, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		if got := ours.raw(octets); got != p.want {
			t.Errorf("%s: response code %d, want %d", p.name, got, p.want)
		}
		agree := false
		codes := map[string]int{}
		for _, c := range theirs {
			codes[c.name] = c.raw(octets)
			agree = agree || codes[c.name] == p.want
		}
		if !agree {
			t.Errorf("%s: response code %d is nobody else's: %v", p.name, p.want, codes)
		}
	}
	t.Logf("%d malformed packets", len(malformed()))
}
