package nup

import (
	"net/netip"
	"time"
)

func (m *maker) replies() {
	k0, k1 := m.dsa.Public().Bytes(), m.ed.Public().Bytes()
	add := func(name, note, expect string, r Reply) {
		m.add("reply", "reply_"+name, note, expect, r.Append(nil, MaxPacket))
	}
	for s, name := range map[Status]string{0: "0", 100: "100", 102: "102", 103: "103", 200: "200", 300: "300", 400: "400", 401: "401", 500: "500", 501: "501", 502: "502"} {
		add("v0_status_"+name, "version 0: "+s.String(), "version 0 sequence 7 next 8 status "+name, Reply{Key: k0, Seq: 7, Next: 8, Status: s})
	}
	for s, name := range map[Status]string{110: "110", 111: "111", 112: "112", 210: "210", 410: "410"} {
		add("v0_status_100_for_"+name, "version 0 has no word for "+s.String(), "version 0 sequence 7 next 8 status 100", Reply{Key: k0, Seq: 7, Next: 8, Status: s})
		add("v1_status_"+name, "version 1: "+s.String(), "version 1 sequence 7 next 8 status "+name, Reply{Version: 1, Key: k1, Seq: 7, Next: 8, Status: s})
	}
	all := []Code{0, 100, 200, 201, 202, 300, 301, 400, 401, 500, 600, 601, 602, 700, 800, 801, 802, 803, 804, 805}
	add("v0_codes", "version 0 has no words for codes from 700 on: 600", "version 0 sequence 7 next 8 status 102 codes 0 100 200 201 202 300 301 400 401 500 600 601 602 600 600 600 600 600 600 600",
		Reply{Key: k0, Seq: 7, Next: 8, Status: 102, Codes: all})
	add("v1_codes", "every code of version 1", "version 1 sequence 7 next 8 status 102 codes 0 100 200 201 202 300 301 400 401 500 600 601 602 700 800 801 802 803 804 805",
		Reply{Version: 1, Key: k1, Seq: 7, Next: 8, Status: 102, Codes: all})
	add("v1_options", "every option of a reply", "version 1 sequence 7 next 8 status 111 codes 601\nfrom: 192.0.2.7:4711\nretry after: 1.5s\ntext: too busy\nwork: 20 bits\naccount: mfrggzdfmztwq2lkmfrggzdfmztwq2lk",
		Reply{Version: 1, Key: k1, Seq: 7, Next: 8, Status: 111, Codes: []Code{601}, From: netip.MustParseAddrPort("192.0.2.7:4711"), RetryAfter: 1500 * time.Millisecond, Text: "too busy", WorkBits: 20, Account: "mfrggzdfmztwq2lkmfrggzdfmztwq2lk"})
	add("v1_from_ipv6", "the address that the request came from", "version 1 sequence 7 next 8 status 0 codes 0\nfrom: [2001:db8::7]:4711",
		Reply{Version: 1, Key: k1, Seq: 7, Next: 8, Codes: []Code{0}, From: netip.MustParseAddrPort("[2001:db8::7]:4711")})
	add("v1_insync", "every node has it", "version 1 sequence 7 next 8 status 0 codes 0\ninsync: 1", Reply{Version: 1, Key: k1, Seq: 7, Next: 8, Codes: []Code{0}, Sync: InSync})
	add("v1_behind", "not every node has it", "version 1 sequence 7 next 8 status 0 codes 0\ninsync: 2", Reply{Version: 1, Key: k1, Seq: 7, Next: 8, Codes: []Code{0}, Sync: Behind})
	m.badReplies(k0, k1)
}

func (m *maker) badReplies(k0, k1 []byte) {
	add := func(name, note, expect string, w wire) { m.add("reply", "reply_"+name, note, expect, w) }
	r0 := wire((&Reply{Key: k0, Seq: 7, Next: 8, Codes: []Code{0}}).Append(nil, MaxPacket))
	r1 := wire((&Reply{Version: 1, Key: k1, Seq: 7, Next: 8, Codes: []Code{0}}).Append(nil, MaxPacket))
	body := r1[:len(r1)-4]
	const bad = "malformed"
	add("not_magic", "a reply begins with the magic", "not a packet", wire("namecast").raw(string(r0[8:])))
	add("version_7", "a version that is not spoken", "unsupported version", r0.to(8).u16(7).raw(string(r0[10:])))
	add("v0_cut", "every field has its whole length", bad, r0[:len(r0)-1])
	add("v0_long", "nothing follows the codes", bad, append(r0.to(len(r0)), 0))
	add("v0_key_length_negative", "negative lengths are malformed", bad, r0.to(10).u16(-1).raw(string(r0[12:])))
	add("v0_count_negative", "negative counts are malformed", bad, r0.to(len(r0)-6).u16(-1).raw(string(r0[len(r0)-4:])))
	add("v1_cut", "every field has its whole length", bad, r1[:len(r1)-1])
	add("v1_long", "nothing follows the signature", bad, append(r1.to(len(r1)), 0))
	add("v1_signature", "a signature of a later day is passed over", "version 1 sequence 7 next 8 status 0 codes 0", body.to(len(body)).u16(0).text16("ignored"))
	add("v1_unknown_option", "an unknown option of a reply is passed over", "version 1 sequence 7 next 8 status 0 codes 0\nwork: 3 bits", body.to(len(body)).text16(string(append(option(4, "\x00\x03"), option(9, "ignored")...))).u16(0))
	add("v1_option_order", "options in ascending order", bad, body.to(len(body)).text16(string(append(option(9, "x"), option(4, "\x00\x03")...))).u16(0))
	add("v1_from_length", "an address has 4 or 16 octets", bad, body.to(len(body)).text16(string(option(1, "\xc0\x00\x02\x00\x35"))).u16(0))
	add("v1_retry_length", "the time to wait has 4 octets", bad, body.to(len(body)).text16(string(option(2, "\x00\x01"))).u16(0))
	add("v1_control_character", "what is not printable in a text is shown as a question mark", "version 1 sequence 7 next 8 status 0 codes 0\ntext: a?[31mb", body.to(len(body)).text16(string(option(3, "a\x1b[31mb"))+string(option(9, "ignored"))).u16(0))
}
