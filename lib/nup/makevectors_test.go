package nup

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"namecast/lib/key"
	"namecast/lib/rr"
)

// A wire is a packet under construction, octet by octet, right or wrong.
type wire []byte

// to is the first n octets, of which what is built on them is a copy.
func (w wire) to(n int) wire        { return slices.Clip(w[:n]) }
func (w wire) raw(s string) wire    { return append(w, s...) }
func (w wire) u8(v int) wire        { return append(w, byte(v)) }
func (w wire) u16(v int) wire       { return binary.BigEndian.AppendUint16(w, uint16(v)) }
func (w wire) u32(v int64) wire     { return binary.BigEndian.AppendUint32(w, uint32(v)) }
func (w wire) u64(v int64) wire     { return binary.BigEndian.AppendUint64(w, uint64(v)) }
func (w wire) text16(s string) wire { return w.u16(len(s)).raw(s) }

// v0 is an element of version 0.
func v0(op int, name, rtype, data string, ttl int64) wire {
	return wire{}.u16(op).text16(name).text16(rtype).u32(int64(len(data))).raw(data).u32(ttl)
}

// v1 is an element of version 1.
func v1(op int, owner string, rtype rr.Type, ttl int64, records ...string) wire {
	w := wire{}.u16(op).u8(len(owner)).raw(owner).u16(int(rtype)).u32(ttl).u16(len(records))
	for _, d := range records {
		w = w.text16(d)
	}
	return w
}

// option is an option of version 1.
func option(kind int, data string) wire { return wire{}.u16(kind).text16(data) }

// A maker makes vectors with the keys it has.
type maker struct {
	t   testing.TB
	dsa *key.Secret
	ed  *key.Secret
	out map[string]vector
}

func (m *maker) sign(k *key.Secret, msg []byte) string {
	sig, err := k.Sign(msg)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(sig)
}

// head0 is a version 0 request up to its elements.
func (m *maker) head0(seq int64, count int) wire {
	return wire{}.raw(Magic).u16(0).text16(string(m.dsa.Public().Bytes())).u64(seq).u16(count)
}

// end0 signs a version 0 request.
func (m *maker) end0(w wire) wire { return w.text16(m.sign(m.dsa, w)) }

// p0 is a version 0 request of the elements.
func (m *maker) p0(elements ...wire) wire {
	w := m.head0(7, len(elements))
	for _, e := range elements {
		w = append(w, e...)
	}
	return m.end0(w)
}

// head1 is a version 1 request up to its elements.
func (m *maker) head1(seq int64, count int) wire {
	return wire{}.raw(Magic).u16(1).text16(string(m.ed.Public().Bytes())).u8(len(service)).raw(string(service)).u64(seq).u16(count)
}

// end1 puts options and signature behind a version 1 request.
func (m *maker) end1(w wire, options ...wire) wire {
	var all wire
	for _, o := range options {
		all = append(all, o...)
	}
	w = w.text16(string(all))
	return w.text16(m.sign(m.ed, append([]byte(updateContext), w...)))
}

// p1 is a version 1 request of the elements, padded like nc-sign's.
func (m *maker) p1(elements ...wire) wire {
	w := m.head1(7, len(elements))
	for _, e := range elements {
		w = append(w, e...)
	}
	return m.end1(w, option(optionPadding, strings.Repeat("\x00", 32)))
}

func (m *maker) add(kind, name, note, expect string, packet wire) {
	if _, ok := m.out[name]; ok {
		m.t.Fatalf("two vectors %s", name)
	}
	m.out[name] = vector{kind, note, expect, packet}
}

// makeVectors describes all vectors.
func makeVectors(t testing.TB) map[string]vector {
	m := &maker{t, dsaKey(t), edKey(t, 1), map[string]vector{}}
	m.packets0()
	m.elements0()
	m.packets1()
	m.elements1()
	m.rekeys()
	m.options1()
	m.replies()
	return m.out
}

func (m *maker) packets0() {
	a := v0(0, "www", "A\x00", "192.0.2.1", 300)
	good := m.p0(a)
	pub := string(m.dsa.Public().Bytes())
	add := func(name, note, expect string, w wire) { m.add("request", "v0_"+name, note, expect, w) }
	status := func(n string) string { return "version 0 status " + n }
	add("query", "sequence 0 and no elements, signed, asks for the next sequence number", status("103"), m.end0(m.head0(0, 0)))
	add("no_elements", "another sequence number and no elements", status("103"), m.end0(m.head0(5, 0)))
	add("bad_signature", "the signature covers every octet before its length", status("200 codes 601"), good.to(len(good)-46).raw(string(good[len(good)-46:len(good)-1])).u8(int(good[len(good)-1])^1))
	add("signature_of_other_octets", "an octet of an element changed after signing", status("200 codes 601"), wire(strings.Replace(string(good), "192.0.2.1", "192.0.2.2", 1)))
	add("empty_signature", "a signature of no octets is not one; the reply would be longer than the request", status("200 codes 601"), m.head0(7, 1).raw(string(a)).u16(0))
	add("not_magic", "a packet begins with the magic, else it gets no reply", "no reply", wire("namecast").raw(string(good[8:])))
	add("magic_cut_off", "a packet begins with the whole magic", "no reply", good[:7])
	add("magic_alone", "too short for a reply", "no reply", good[:8])
	add("version_7", "a version that is not spoken is answered in the form of version 0", status("400"), good.to(8).u16(7).raw(string(good[10:])))
	add("version_negative", "the version is signed", status("400"), good.to(8).u16(-1).raw(string(good[10:])))
	add("version_7_short", "too short for a reply", "no reply", good.to(8).u16(7).text16("key"))
	add("key_length_zero", "the key is not empty", status("500"), good.to(10).u16(0).raw(string(good[12:])))
	add("key_length_negative", "negative lengths are malformed", status("500"), good.to(10).u16(-5).raw(string(good[12:])))
	add("key_too_long", "a key has at most 2,048 octets", status("500"), good.to(10).text16(strings.Repeat("k", 2049)).raw(string(good[12+len(pub):])))
	add("key_not_a_key", "the key is a SubjectPublicKeyInfo", status("500 codes 601"), good.to(10).text16("kkkk").raw(string(good[12+len(pub):])))
	add("cut_in_key", "every field has its whole length", status("501"), good[:300])
	add("cut_in_sequence", "every field has its whole length; the reply would be longer than the request", "no reply", good[:12+len(pub)+4])
	add("cut_in_element", "every field has its whole length; the reply would be longer than the request", "no reply", good[:12+len(pub)+10+6])
	add("cut_in_signature", "every field has its whole length", status("501"), good[:len(good)-1])
	add("count_negative", "negative counts are malformed", status("500"), m.end0(m.head0(7, -1).raw(string(a))))
	add("count_too_large", "two elements are announced and one stands there", status("502"), m.end0(m.head0(7, 2).raw(string(a))))
	add("count_too_small", "one element is announced and two stand there", status("502"), m.end0(m.head0(7, 1).raw(string(a)+string(a))))
	add("octets_after_signature", "nothing follows the signature", status("500"), append(m.p0(a), 0))
	add("signature_length_negative", "negative lengths are malformed", status("500"), m.head0(7, 1).raw(string(a)).u16(-1).raw(string(good[len(good)-46:])))
	add("name_size_negative", "negative lengths are malformed", status("500"), m.end0(m.head0(7, 1).u16(0).u16(-1).raw(string(a[4:]))))
	add("type_size_negative", "negative lengths are malformed", status("500"), m.end0(m.head0(7, 1).u16(0).text16("www").u16(-2).raw("A\x00").u32(0).u32(0)))
	add("data_size_negative", "negative lengths are malformed", status("500"), m.end0(m.head0(7, 1).u16(0).text16("www").text16("A\x00").u32(-1).u32(0)))
	add("data_size_huge", "a length past the end of the packet", status("501"), m.end0(m.head0(7, 1).u16(0).text16("www").text16("A\x00").u32(0x7fffffff).u32(0)))
	add("sequence_negative", "a negative sequence number can be parsed; no account ever expects it", status("0 codes 0")+"\nelement: add www 300 A 192.0.2.1", m.end0(m.head0(-1, 1).raw(string(a))))
	add("sequence_last", "the largest sequence number", status("0 codes 0")+"\nelement: add www 300 A 192.0.2.1", m.end0(m.head0(1<<63-1, 1).raw(string(a))))
	add("three_elements", "the failed element has its own code, those before it 600, those after it 602", status("102 codes 600 400 602"), m.p0(a, v0(0, "b", "A\x00", "x", 1), a))
}

func (m *maker) elements0() {
	long := strings.Repeat("a", 63)
	name253 := long + "." + long + "." + long + "." + long[:61]
	text := strings.Repeat("x", 300)
	for _, v := range []struct {
		name, note, want string
		e                wire
	}{
		{"add_a", "A: dotted decimal", "add www 300 A 192.0.2.1", v0(0, "www", "A\x00", "192.0.2.1", 300)},
		{"add_aaaa", "AAAA: an IPv6 address", "add www 300 AAAA 2001:db8:85a3::8a2e:370:7334", v0(0, "www", "AAAA\x00", "2001:db8:85a3::8a2e:370:7334", 300)},
		{"add_cname", "CNAME: a name without a dot at its end", "add a 300 CNAME www.example.com.", v0(0, "a", "CNAME\x00", "www.example.com", 300)},
		{"add_cname_dot", "CNAME: one dot at the end is let pass", "add a 300 CNAME www.example.com.", v0(0, "a", "CNAME\x00", "www.example.com.", 300)},
		{"add_mx", "MX: a number, one space, a name", "add @ 300 MX 10 mail.example.com.", v0(0, "", "MX\x00", "10 mail.example.com", 300)},
		{"add_ns", "NS: a name", "add sub 300 NS ns1.example.com.", v0(0, "sub", "NS\x00", "ns1.example.com", 300)},
		{"add_txt", "TXT: stored as given", `add t 300 TXT "a \"b\" ;c"`, v0(0, "t", "TXT\x00", `a "b" ;c`, 300)},
		{"add_txt_long", "TXT: strings of 255 octets", `add t 300 TXT "` + text[:255] + `" "` + text[:45] + `"`, v0(0, "t", "TXT\x00", text, 300)},
		{"apex_empty", "the empty name is the apex", "add @ 300 A 192.0.2.1", v0(0, "", "A\x00", "192.0.2.1", 300)},
		{"apex_at", `"@" is the apex as well`, "add @ 300 A 192.0.2.1", v0(0, "@", "A\x00", "192.0.2.1", 300)},
		{"wildcard", "the whole leftmost label may be an asterisk", "add *.a 300 A 192.0.2.1", v0(0, "*.a", "A\x00", "192.0.2.1", 300)},
		{"underscore", "underscores are allowed", "add _dmarc 300 A 192.0.2.1", v0(0, "_dmarc", "A\x00", "192.0.2.1", 300)},
		{"name_longest", "a name of 253 characters", "add " + name253 + " 300 A 192.0.2.1", v0(0, name253, "A\x00", "192.0.2.1", 300)},
		{"type_lower", "a type's name in any case", "add www 300 A 192.0.2.1", v0(0, "www", "a\x00", "192.0.2.1", 300)},
		{"ttl_largest", "the largest TTL", "add www 2147483647 A 192.0.2.1", v0(0, "www", "A\x00", "192.0.2.1", 1<<31-1)},
		{"delete_name", "delete without a type: its field is one NUL", "delete www", v0(1, "www", "\x00", "", 0)},
		{"delete_type", "delete of a type", "delete www A", v0(1, "www", "A\x00", "", 0)},
		{"delete_record", "delete of a record", "delete www A 192.0.2.1", v0(1, "www", "A\x00", "192.0.2.1", 0)},
		{"delete_ttl", "the TTL of a delete means nothing", "delete www A", v0(1, "www", "A\x00", "", -1)},
		{"validate", "validate: type of size zero, the contact as data, the TTL of the SOA record", "validate example.com hostmaster@example.com 3600", v0(2, "example.com", "", "hostmaster@example.com", 3600)},
		{"validate_dot", "validate: one dot at the end is let pass", "validate example.com hostmaster@example.com 3600", v0(2, "example.com.", "", "hostmaster@example.com", 3600)},
	} {
		m.add("request", "v0_"+v.name, v.note, "version 0 status 0 codes 0\nelement: "+v.want, m.p0(v.e))
	}
	for _, v := range []struct {
		name, note, code string
		e                wire
	}{
		{"opcode_3", "version 0 has opcodes 0 to 2", "100", v0(3, "www", "A\x00", "192.0.2.1", 300)},
		{"opcode_256", "an opcode has 16 bits", "100", v0(256, "www", "A\x00", "192.0.2.1", 300)},
		{"name_empty_label", "labels are not empty", "200", v0(0, "a..b", "A\x00", "192.0.2.1", 300)},
		{"name_dot_at_end", "owner names are relative: no dot at the end", "200", v0(0, "www.", "A\x00", "192.0.2.1", 300)},
		{"name_dot_first", "labels are not empty", "200", v0(0, ".www", "A\x00", "192.0.2.1", 300)},
		{"validate_apex", "validate wants a domain", "200", v0(2, "", "", "hostmaster@example.com", 3600)},
		{"validate_wildcard", "a wildcard is no domain", "202", v0(2, "*.example.com", "", "hostmaster@example.com", 3600)},
		{"label_64", "a label has at most 63 octets", "201", v0(0, long+"a", "A\x00", "192.0.2.1", 300)},
		{"name_254", "a name has at most 253 characters", "201", v0(0, name253+"a", "A\x00", "192.0.2.1", 300)},
		{"name_space", "letters, digits, hyphens and underscores", "202", v0(0, "a b", "A\x00", "192.0.2.1", 300)},
		{"name_nul", "letters, digits, hyphens and underscores", "202", v0(0, "www\x00", "A\x00", "192.0.2.1", 300)},
		{"name_not_ascii", "letters, digits, hyphens and underscores", "202", v0(0, "b\u00fccher", "A\x00", "192.0.2.1", 300)},
		{"name_backslash", "version 0 has no escapes", "202", v0(0, `a\.b`, "A\x00", "192.0.2.1", 300)},
		{"asterisk_inside", "an asterisk is a whole label, the leftmost", "202", v0(0, "a.*", "A\x00", "192.0.2.1", 300)},
		{"asterisk_in_label", "an asterisk is a whole label, the leftmost", "202", v0(0, "*a", "A\x00", "192.0.2.1", 300)},
		{"type_without_nul", "a type's name ends in NUL, which its size counts", "300", v0(0, "www", "A", "192.0.2.1", 300)},
		{"type_unknown", "a type that does not exist", "300", v0(0, "www", "FOO\x00", "192.0.2.1", 300)},
		{"type_two_nuls", "a type's name ends in one NUL", "300", v0(0, "www", "A\x00\x00", "192.0.2.1", 300)},
		{"type_missing", "an add needs a type", "300", v0(0, "www", "\x00", "192.0.2.1", 300)},
		{"delete_type_size_zero", "delete without a type: its field is one NUL, not nothing", "300", v0(1, "www", "", "", 0)},
		{"validate_type", "validate: the type has size zero", "300", v0(2, "example.com", "\x00", "hostmaster@example.com", 3600)},
		{"type_soa", "the SOA record is made by the server", "301", v0(0, "www", "SOA\x00", "x", 300)},
		{"type_srv", "version 0 has six types", "301", v0(0, "www", "SRV\x00", "0 0 1 a.b", 300)},
		{"type_number", "version 0 has six types", "301", v0(0, "www", "TYPE65534\x00", "x", 300)},
		{"a_three_parts", "A: four parts", "400", v0(0, "www", "A\x00", "10.0.0", 300)},
		{"a_leading_zero", "A: no leading zeros", "400", v0(0, "www", "A\x00", "192.0.2.01", 300)},
		{"a_ipv6", "A: no IPv6 address", "400", v0(0, "www", "A\x00", "::1", 300)},
		{"a_nul", "data has no NUL at its end", "400", v0(0, "www", "A\x00", "192.0.2.1\x00", 300)},
		{"aaaa_ipv4", "AAAA: no IPv4 address", "400", v0(0, "www", "AAAA\x00", "192.0.2.1", 300)},
		{"aaaa_zone", "AAAA: no zone", "400", v0(0, "www", "AAAA\x00", "fe80::1%eth0", 300)},
		{"mx_without_preference", "MX: a number first", "400", v0(0, "www", "MX\x00", "mail.example.com", 300)},
		{"mx_two_spaces", "MX: one space", "400", v0(0, "www", "MX\x00", "10  mail.example.com", 300)},
		{"mx_large", "MX: the number is at most 65535", "400", v0(0, "www", "MX\x00", "65536 mail.example.com", 300)},
		{"mx_sign", "MX: the number has no sign", "400", v0(0, "www", "MX\x00", "+1 mail.example.com", 300)},
		{"cname_bad", "a name in data has the characters of a name", "400", v0(0, "www", "CNAME\x00", "a b", 300)},
		{"cname_root", "a name in data is not the root", "400", v0(0, "www", "CNAME\x00", ".", 300)},
		{"cname_label_64", "a name in data that is too long is bad data", "400", v0(0, "www", "CNAME\x00", long+"a.example", 300)},
		{"delete_data_without_type", "data without a type", "400", v0(1, "www", "\x00", "192.0.2.1", 0)},
		{"validate_contact", "validate: the contact is an e-mail address", "400", v0(2, "example.com", "", "hostmaster", 3600)},
		{"add_without_data", "an add needs data", "401", v0(0, "www", "A\x00", "", 300)},
		{"validate_without_contact", "validate: the contact is there", "401", v0(2, "example.com", "", "", 3600)},
		{"ttl_negative", "a TTL is not negative", "500", v0(0, "www", "A\x00", "192.0.2.1", -1)},
		{"validate_ttl_negative", "a TTL is not negative", "500", v0(2, "example.com", "", "hostmaster@example.com", -1)},
		{"fields_in_order", "the first wrong field gives the code", "200", v0(0, "a..b", "FOO\x00", "x", -1)},
	} {
		m.add("request", "v0_"+v.name, v.note, "version 0 status 102 codes "+v.code, m.p0(v.e))
	}
}

func (m *maker) packets1() {
	a := v1(0, "\x03www", rr.TypeA, 300, "\xc0\x00\x02\x01")
	good := m.p1(a)
	const ok = "version 1 status 0 codes 0\nelement: add www 300 A 192.0.2.1"
	add := func(name, note, expect string, w wire) { m.add("request", "v1_"+name, note, expect, w) }
	status := func(n string) string { return "version 1 status " + n }
	add("query", "sequence 0 and no elements, signed, asks for the next sequence number", status("103"), m.end1(m.head1(0, 0)))
	add("shortest_reply", "a request without padding has room for its reply", ok, m.end1(m.head1(7, 1).raw(string(a))))
	add("bad_signature", "the signature covers every octet before its length", status("200 codes 601"), wire(strings.Replace(string(good), "\xc0\x00\x02\x01", "\xc0\x00\x02\x02", 1)))
	w := m.head1(7, 1).raw(string(a)).u16(0)
	add("signature_without_context", "the signature covers the context string", status("200 codes 601"), w.text16(m.sign(m.ed, w)))
	other := wire(strings.Replace(string(good[:len(good)-66]), "\x08namecast\x07example", "\x08namecast\x07another", 1))
	add("other_service", "a request names the installation it is for, lower case", status("410 codes 601"), other.text16(m.sign(m.ed, append([]byte(updateContext), other...))))
	upper := wire(strings.Replace(string(good[:len(good)-66]), "\x08namecast\x07example", "\x08namecast\x07Example", 1))
	add("service_upper_case", "a request names the installation it is for, lower case", status("500"), upper.text16(m.sign(m.ed, append([]byte(updateContext), upper...))))
	add("service_empty", "a request names the installation it is for", status("500"), good.to(45).u8(0).raw(string(good[46+len(service):])))
	add("service_cut_off", "the service's name is whole labels", status("500"), good.to(45).u8(5).raw("\x03abcd").raw(string(good[46+len(service):])))
	add("key_length", "a key has 33 octets", status("500"), good.to(10).u16(32).raw(string(good[13:])))
	add("key_algorithm", "the algorithm is 15", status("500"), good.to(12).u8(13).raw(string(good[13:])))
	add("key_not_a_key", "a key that is no point of the curve verifies nothing", status("200 codes 601"), good.to(13).raw(strings.Repeat("\xff", 32)).raw(string(good[45:])))
	add("sequence_negative", "a sequence number is at most 2^63-1", status("500"), m.end1(m.head1(-1, 1).raw(string(a))))
	add("cut_in_key", "every field has its whole length; the reply would be longer than the request", "no reply", good[:30])
	add("cut_in_element", "every field has its whole length", status("501"), good[:90])
	add("cut_in_signature", "every field has its whole length", status("501"), good[:len(good)-1])
	add("signature_length", "a signature has 64 octets", status("500"), good.to(len(good)-66).text16(string(good[len(good)-64:])+"x"))
	add("count_too_large", "two elements are announced and one stands there", status("502"), m.end1(m.head1(7, 2).raw(string(a))))
	add("count_too_small", "one element is announced and two stand there", status("502"), m.end1(m.head1(7, 1).raw(string(a)+string(a))))
	add("octets_after_signature", "nothing follows the signature", status("500"), append(m.p1(a), 0))
	add("three_elements", "the failed element has its own code, those before it 600, those after it 602", status("102 codes 600 400 602"), m.p1(a, v1(0, "", rr.TypeA, 1, "x"), a))
}

func (m *maker) elements1() {
	const addr, addr2 = "\xc0\x00\x02\x01", "\xc0\x00\x02\x02"
	const domain, contact = "\x07example\x03com", "hostmaster@example.com"
	name := string(rr.MustName(strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("a", 61)))
	for _, v := range []struct {
		name, note, want string
		e                wire
	}{
		{"add", "add", "add www 300 A 192.0.2.1", v1(0, "\x03www", 1, 300, addr)},
		{"add_two", "add of two records", "add www 300 A 192.0.2.1\nelement: add www 300 A 192.0.2.2", v1(0, "\x03www", 1, 300, addr, addr2)},
		{"add_unknown_type", "every type can be hosted", `add @ 300 TYPE65534 \# 2 abcd`, v1(0, "", 65534, 300, "\xab\xcd")},
		{"add_unknown_type_empty", "data of an unknown type may be empty", `add @ 300 TYPE65534 \# 0`, v1(0, "", 65534, 300, "")},
		{"name_any_octet", "a label holds any octet", `add a\.\000 300 A 192.0.2.1`, v1(0, "\x03a.\x00", 1, 300, addr)},
		{"name_longest", "a name of 254 octets without the root", "add " + rr.Name(name).String() + " 300 A 192.0.2.1", v1(0, name, 1, 300, addr)},
		{"delete_name", "delete of all", "delete www", v1(1, "\x03www", 0, 0)},
		{"delete_type", "delete of a type", "delete www A", v1(1, "\x03www", 1, 0)},
		{"delete_records", "delete of records", "delete www A 192.0.2.1\nelement: delete www A 192.0.2.2", v1(1, "\x03www", 1, 0, addr, addr2)},
		{"validate", "validate: the contact is the only record", "validate example.com hostmaster@example.com 3600", v1(2, domain, 0, 3600, contact)},
		{"replace", "replace", "replace www 300 A 192.0.2.1", v1(3, "\x03www", 1, 300, addr)},
		{"exists_name", "require: the name exists", "require exists www", v1(4, "\x03www", 0, 0)},
		{"exists_type", "require: the RRset exists", "require exists www A", v1(4, "\x03www", 1, 0)},
		{"exists_equal", "require: the RRset has exactly these records", "require exists www A 192.0.2.1", v1(4, "\x03www", 1, 0, addr)},
		{"absent_name", "require: the name does not exist", "require absent www", v1(5, "\x03www", 0, 0)},
		{"absent_type", "require: the RRset does not exist", "require absent www A", v1(5, "\x03www", 1, 0)},
	} {
		m.add("request", "v1_"+v.name, v.note, "version 1 status 0 codes 0\nelement: "+v.want, m.p1(v.e))
	}
	for _, v := range []struct {
		name, note, code string
		e                wire
	}{
		{"opcode_grant", "opcode 7 is reserved", "100", v1(7, "", 0, 0)},
		{"opcode_revoke", "opcode 8 is reserved", "100", v1(8, "", 0, 0)},
		{"opcode_unknown", "opcodes are 0 to 6", "100", v1(65535, "", 0, 0)},
		{"name_cut_off", "an owner is whole labels", "200", v1(0, "\x04www", 1, 300, addr)},
		{"name_with_root", "an owner has no root label", "200", v1(0, "\x03www\x00", 1, 300, addr)},
		{"name_pointer", "an owner is not compressed", "200", v1(0, "\xc0\x0c", 1, 300, addr)},
		{"name_255", "an owner has at most 254 octets", "201", v1(0, strings.Repeat("\x04aaaa", 51), 1, 300, addr)},
		{"validate_apex", "validate wants a domain", "200", v1(2, "", 0, 3600, contact)},
		{"validate_wildcard", "a wildcard is no domain", "202", v1(2, "\x01*"+domain, 0, 3600, contact)},
		{"add_without_type", "an add needs a type", "300", v1(0, "\x03www", 0, 300, addr)},
		{"replace_without_type", "a replace needs a type", "300", v1(3, "\x03www", 0, 300, addr)},
		{"delete_data_without_type", "data without a type", "300", v1(1, "\x03www", 0, 0, addr)},
		{"validate_type", "validate has no type", "300", v1(2, domain, 6, 3600, contact)},
		{"type_soa", "the SOA record is made by the server", "301", v1(0, "\x03www", 6, 300, "\x00")},
		{"type_any", "a type for questions only", "301", v1(1, "\x03www", 255, 0)},
		{"data_short", "data is that of its type", "400", v1(0, "\x03www", 1, 300, addr[:3])},
		{"data_compressed", "names in data are not compressed", "400", v1(0, "\x03www", 15, 300, "\x00\x01\x01a\xc0\x02")},
		{"second_record_bad", "every record is looked at", "400", v1(0, "\x03www", 1, 300, addr, "x")},
		{"absent_data", "require absent takes no data", "400", v1(5, "\x03www", 1, 0, addr)},
		{"validate_contact", "the contact is an e-mail address", "400", v1(2, domain, 0, 3600, "hostmaster")},
		{"validate_two_contacts", "the contact is the only record", "400", v1(2, domain, 0, 3600, contact, contact)},
		{"add_without_data", "an add needs data", "401", v1(0, "\x03www", 1, 300)},
		{"replace_without_data", "a replace needs data", "401", v1(3, "\x03www", 1, 300)},
		{"validate_without_contact", "the contact is there", "401", v1(2, domain, 0, 3600)},
		{"ttl_large", "a TTL is at most 2^31-1", "500", v1(0, "\x03www", 1, 1<<31, addr)},
		{"delete_ttl", "what stores nothing has TTL 0", "500", v1(1, "\x03www", 1, 1)},
		{"exists_ttl", "what stores nothing has TTL 0", "500", v1(4, "\x03www", 1, 1)},
		{"validate_ttl", "a TTL is at most 2^31-1", "500", v1(2, domain, 0, 1<<31, contact)},
	} {
		m.add("request", "v1_"+v.name, v.note, "version 1 status 102 codes "+v.code, m.p1(v.e))
	}
}

func (m *maker) rekeys() {
	next := edKey(m.t, 2)
	pub := string(next.Public().Bytes())
	good := m.sign(next, RekeyMessage(service, m.ed.Public().Bytes(), next.Public().Bytes(), 7))
	otherSeq := m.sign(next, RekeyMessage(service, m.ed.Public().Bytes(), next.Public().Bytes(), 8))
	r := Request{Version: 1, Key: []byte(pub)}
	m.add("request", "v1_rekey", "rekey: the new key and its signature", "version 1 status 0 codes 0\nelement: rekey "+r.KeyID(), m.p1(v1(6, "", 0, 0, pub, good)))
	for _, v := range []struct {
		name, note, code string
		e                wire
	}{
		{"rekey_other_sequence", "the new key signs the sequence number", "400", v1(6, "", 0, 0, pub, otherSeq)},
		{"rekey_signature_length", "the new key's signature has 64 octets", "400", v1(6, "", 0, 0, pub, good+"x")},
		{"rekey_key_length", "the new key has 33 octets", "400", v1(6, "", 0, 0, pub+"x", good)},
		{"rekey_algorithm", "the new key's algorithm is 15", "400", v1(6, "", 0, 0, "\x0d"+pub[1:], good)},
		{"rekey_three_records", "two records and no more", "400", v1(6, "", 0, 0, pub, good, "x")},
		{"rekey_one_record", "two records and no less", "401", v1(6, "", 0, 0, pub)},
		{"rekey_owner", "a rekey has no owner", "200", v1(6, "\x01a", 0, 0, pub, good)},
		{"rekey_type", "a rekey has no type", "300", v1(6, "", 1, 0, pub, good)},
		{"rekey_ttl", "a rekey has TTL 0", "500", v1(6, "", 0, 1, pub, good)},
	} {
		m.add("request", "v1_"+v.name, v.note, "version 1 status 102 codes "+v.code, m.p1(v.e))
	}
}

func (m *maker) options1() {
	w := m.head1(7, 1).raw(string(v1(0, "\x03www", rr.TypeA, 300, "\xc0\x00\x02\x01")))
	w = w.to(len(w))
	const ok = "version 1 status 0 codes 0\nelement: add www 300 A 192.0.2.1"
	const bad = "version 1 status 500"
	add := func(name, note, expect string, options ...wire) {
		m.add("request", "v1_option_"+name, note, expect, m.end1(w, options...))
	}
	add("token", "option 1: an admission token", ok, option(1, "mfrggzdfmztwq2lkmfrggzdfmz"))
	add("token_empty", "a token has 1 to 255 octets", bad, option(1, ""))
	add("token_long", "a token has 1 to 255 octets", bad, option(1, strings.Repeat("t", 256)))
	add("work", "option 2: the nonce of a proof of work", ok, option(2, "\x00\x00\x00\x00\x00\x00\x12\x34"))
	add("work_short", "a nonce has 8 octets", bad, option(2, "\x12\x34"))
	add("padding", "option 3: zeros", ok, option(3, "\x00\x00\x00"))
	add("padding_empty", "padding has at least one octet", bad, option(3, ""))
	add("padding_not_zero", "padding is zeros", bad, option(3, "\x00\x00\x01"))
	add("all", "options in ascending order", ok, option(1, "t"), option(2, "12345678"), option(3, "\x00"))
	add("order", "options in ascending order", bad, option(2, "12345678"), option(1, "t"))
	add("twice", "an option at most once", bad, option(1, "t"), option(1, "t"))
	add("zero", "option 0 does not exist", bad, option(0, "t"))
	add("sign_reply", "option 4 is reserved", bad, option(4, "t"))
	add("unknown", "an unknown option is refused", bad, option(5, "t"))
	add("unknown_ignored", "an unknown option with the high bit is passed over", ok, option(0x8005, "t"))
	add("cut_off", "options end where their length says", bad, wire{}.u16(1).u16(5).raw("t"))
	add("cut_in_header", "options end where their length says", bad, wire{}.u16(1).u8(0))
	m.add("request", "v1_options_length", "the options' length is within the packet", "version 1 status 501", w.u16(60000).raw(strings.Repeat("\x00", 60)))
}
