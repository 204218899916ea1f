package nup

import "testing"

// BenchmarkParse is what a request costs before its signature is checked.
func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"v0_add_a", "v0_add_mx", "v1_add", "v1_add_two", "v1_validate"} {
		packet := vectorFiles(b)[name].packet
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseDatagram(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseLarge is the worst that one datagram can ask for before its
// signature is checked.
func BenchmarkParseLarge(b *testing.B) {
	m := &maker{b, dsaKey(b), edKey(b, 1), nil}
	many := make([]wire, 3500)
	for i := range many {
		many[i] = v1(0, "", 1, 0, "\x01\x02\x03\x04")
	}
	records := make([]string, 13000)
	for i := range records {
		records[i] = "\x00\x01\x00"
	}
	for name, packet := range map[string]wire{"addresses": m.p1(many...), "MX records": m.p1(v1(0, "", 15, 0, records...))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseDatagram(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
