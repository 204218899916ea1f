package compare

import (
	"strings"

	"github.com/miekg/dns"
)

// handWritten are the questions that chance would not ask, or not each time.
func handWritten(all []*account) []question {
	var out []question
	for _, name := range edges(all) {
		for _, kind := range []uint16{dns.TypeA, dns.TypeNS, dns.TypeDS, dns.TypeSOA, dns.TypeCNAME, dns.TypeDNAME, dns.TypeANY, dns.TypeMX} {
			out = append(out,
				question{name: name, kind: kind, class: dns.ClassINET},
				question{name: name, kind: kind, class: dns.ClassINET, payload: 1232, edns: "do"})
		}
	}
	out = append(out, everyType(all)...)
	out = append(out, sizes()...)
	return append(out, oddities()...)
}

// edges are names at which servers are known to differ.
func edges(all []*account) []string {
	site, plain := all[0].name+"."+base+".", all[2].name+"."+base+"."
	empty, nsonly := all[5].name+"."+base+".", all[4].name+"."+base+"."
	out := []string{
		".", "com.", "example.", "example.com.", "sub.example.com.", "x.sub.example.com.", "ns1.sub.example.com.",
		"child.example.com.", "www.child.example.com.", "x.child.example.com.", "orphan.example.com.", "www.orphan.example.com.",
		"signed.example.com.", "x.signed.example.com.", "lame.example.com.", "atcut.example.com.", "x.atcut.example.com.",
		"cut.example.com.", "below.cut.example.com.", "deep.below.cut.example.com.",
		"wild.example.com.", "*.wild.example.com.", "a.*.wild.example.com.", "ent.wild.example.com.", "a.ent.wild.example.com.",
		"went.example.com.", "*.went.example.com.", "x.went.example.com.", "leaf.x.went.example.com.", "leaf.*.went.example.com.",
		"x.wstar.example.com.", "x.y.wstar.example.com.", "y.*.wstar.example.com.", "x.y.z.wstar.example.com.",
		"x.wmid.example.com.", "mid.x.wmid.example.com.", "x.*.wmid.example.com.", "mid.*.wmid.example.com.",
		"dname.example.com.", "a.dname.example.com.", "b.dname.example.com.", "x.y.dname.example.com.", "*.dname.example.com.",
		"www.dnet.example.com.", "x.wild.dnet.example.com.", "x.dout.example.com.", "x.dsub.example.com.", "ns1.dsub.example.com.",
		"x.dapex.example.com.", "www.dapex.example.com.", "a.dchain.example.com.", "x.dwild.example.com.", "a.dcom.example.net.",
		strings.Repeat("y", 44) + ".dlong.example.com.", strings.Repeat("y", 45) + ".dlong.example.com.", strings.Repeat("y", 46) + ".dlong.example.com.",
		"outside.example.com.", "x.wout.example.com.", "x.wself.example.com.", "x.wcname.example.com.",
		base + ".", "ns1." + base + ".", "x.ns1." + base + ".", "ns3." + base + ".", "www." + base + ".", "*." + base + ".",
		site, plain, empty, nsonly, "www." + empty, "x." + nsonly, "x." + plain, "sub." + plain, "x.sub." + plain, "y." + plain,
		strings.ToUpper(site), "x." + strings.ToUpper(site), strings.Repeat("0", 40) + "." + base + ".", strings.Repeat("0", 32) + "." + base + ".",
		"nsonly.example.", "x.nsonly.example.", "nowhere.test.",
		`dot\.ted.example.com.`, "dot.ted.example.com.", `nul\000.example.com.`, `NUL\000.example.com.`, `high\255\128.example.com.`,
	}
	for _, alias := range []string{
		"alias", "alias2", "alias3", "dangling", "toent", "tonodata", "tonet", "tonetwild", "tonetnowhere", "tosub", "tocut", "tobase",
		"tochild", "towild", "todname", "toapex", "self", "loop1", "ping", "subalias", "toMixed", "toodd", "alias.big",
	} {
		out = append(out, alias+".example.com.", alias+"."+site)
	}
	return out
}

// everyType asks for each type there is data of, and for some without.
func everyType(all []*account) []question {
	var out []question
	for _, suffix := range []string{"example.com.", all[0].name + "." + base + "."} {
		for kind := range uint16(110) {
			if kind == 0 || kind == dns.TypeOPT {
				continue
			}
			out = append(out, question{name: "types." + suffix, kind: kind, class: dns.ClassINET, payload: 4096})
		}
		for _, kind := range []uint16{dns.TypeURI, dns.TypeCAA, 260, 261, 262, 32768, 32769, 65280, 65281, 65534, 4711} {
			out = append(out, question{name: "types." + suffix, kind: kind, class: dns.ClassINET, tcp: true})
		}
		out = append(out,
			question{name: "_443._tcp.types." + suffix, kind: dns.TypeTLSA, class: dns.ClassINET},
			question{name: "mail._smimecert.types." + suffix, kind: dns.TypeSMIMEA, class: dns.ClassINET},
			question{name: "svc.types." + suffix, kind: dns.TypeHTTPS, class: dns.ClassINET},
			question{name: "svc.types." + suffix, kind: dns.TypeSVCB, class: dns.ClassINET},
			question{name: "alias.types." + suffix, kind: dns.TypeHTTPS, class: dns.ClassINET},
			question{name: "_sip._udp." + suffix, kind: dns.TypeSRV, class: dns.ClassINET},
			question{name: "_sip._tcp." + suffix, kind: dns.TypeSRV, class: dns.ClassINET})
	}
	return out
}

// sizes are questions whose answers are near a limit, with every buffer.
func sizes() []question {
	var out []question
	for _, c := range []struct {
		name string
		kind uint16
	}{
		{"txt4.big", dns.TypeTXT}, {"txt5.big", dns.TypeTXT}, {"txt10.big", dns.TypeTXT}, {"txt11.big", dns.TypeTXT},
		{"txt12.big", dns.TypeTXT}, {"txt40.big", dns.TypeTXT}, {"many.big", dns.TypeA}, {"long.big", dns.TypeTXT},
		{"mx.big", dns.TypeMX}, {"alias.big", dns.TypeTXT}, {"x.del.big", dns.TypeA}, {"x.wide.big", dns.TypeA},
	} {
		for _, payload := range []uint16{0, 512, 600, 900, 1100, 1200, 1231, 1232, 1233, 4096, 65535} {
			out = append(out, question{name: c.name + ".example.com.", kind: c.kind, class: dns.ClassINET, payload: payload})
		}
		out = append(out,
			question{name: c.name + ".example.com.", kind: c.kind, class: dns.ClassINET, flags: "ad"},
			question{name: c.name + ".example.com.", kind: c.kind, class: dns.ClassINET, tcp: true},
			question{name: c.name + ".example.com.", kind: c.kind, class: dns.ClassINET, tcp: true, payload: 512})
	}
	return out
}

// oddities are the queries that no resolver sends by itself.
func oddities() []question {
	var out []question
	for _, name := range []string{"example.com.", "www.example.com.", "nowhere.test."} {
		for _, tcp := range []bool{false, true} {
			for _, kind := range []uint16{
				0, dns.TypeOPT, 128, dns.TypeTKEY, dns.TypeTSIG, dns.TypeIXFR, dns.TypeAXFR, dns.TypeMAILB, dns.TypeMAILA, 200, 65535,
			} {
				out = append(out, question{name: name, kind: kind, class: dns.ClassINET, tcp: tcp})
			}
			for _, class := range []uint16{0, 2, dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassNONE, dns.ClassANY, 65280} {
				out = append(out, question{name: name, kind: dns.TypeA, class: class, tcp: tcp})
			}
		}
		for opcode := 1; opcode < 16; opcode++ {
			out = append(out, question{name: name, kind: dns.TypeSOA, class: dns.ClassINET, opcode: opcode})
		}
		for _, edns := range []string{"", "do", "nsid", "unknown", "version1", "two", "tsig"} {
			for _, payload := range []uint16{512, 1232, 65535} {
				out = append(out, question{name: name, kind: dns.TypeA, class: dns.ClassINET, payload: payload, edns: edns, flags: "rdcdadz"})
			}
		}
	}
	for _, name := range []string{"id.server.", "version.server.", "hostname.bind.", "version.bind.", "VERSION.bind.", "authors.bind.", "bind."} {
		for _, kind := range []uint16{dns.TypeTXT, dns.TypeANY, dns.TypeA, dns.TypeSOA} {
			out = append(out, question{name: name, kind: kind, class: dns.ClassCHAOS})
		}
	}
	return out
}
