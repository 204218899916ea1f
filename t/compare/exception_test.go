package compare

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// The differences that are meant. The first exception that fits is counted.
// An exchange is one question and two answers to it.
type exchange struct {
	q            question
	peer         string
	ours, theirs *dns.Msg
}

// An exception is a difference that is meant: its name, why it is right, and
// which differences it explains.
type exception struct {
	name   string
	reason string
	when   func(x exchange, d diff) bool
}

// is reports whether the difference is in one of the given respects.
func (d diff) is(what ...string) bool { return slices.Contains(what, d.what) }

// section reports whether it is in what the sections hold, or in TC, which says
// that they hold less.
func (d diff) section() bool { return d.is("answer", "authority", "additional", "tc") }

// excuse names the first exception that explains a difference, "" if none does.
func excuse(known []exception, x exchange, d diff) string {
	for _, e := range known {
		if e.when(x, d) {
			return e.name
		}
	}
	return ""
}

var exceptions = []exception{
	{
		name:   "cd is cleared",
		reason: "RFC 4035 section 3.1.6: an authoritative answer SHOULD clear CD; BIND copies it",
		when: func(x exchange, d diff) bool {
			return x.peer == "bind" && d.what == "cd" && d.ours == "false" && strings.Contains(x.q.flags, "cd")
		},
	},
	{
		name:   "ad without signatures",
		reason: "RFC 4035 section 3.1.6: AD says that signatures were checked; BIND sets it in some truncated answers and some for ANY",
		when: func(x exchange, d diff) bool {
			return x.peer == "bind" && d.what == "ad" && d.ours == "false" && (x.theirs.Truncated || x.q.kind == dns.TypeANY)
		},
	},
	{
		name:   "small buffer is 512",
		reason: "RFC 6891 section 6.2.3: a buffer below 512 MUST be taken as 512; Knot answers FORMERR",
		when: func(x exchange, d diff) bool {
			return x.peer == "knot" && 0 < x.q.payload && x.q.payload < 512 && x.theirs.Rcode == dns.RcodeFormatError
		},
	},
	{
		name:   "any gets one RRset",
		reason: "RFC 8482 section 4.1: the smallest RRset, over UDP and TCP alike; the peers choose another, or all of them",
		when: func(x exchange, d diff) bool {
			return x.q.kind == dns.TypeANY && oneSet(x.ours) && d.section() ||
				x.q.kind == dns.TypeANY && x.peer == "bind" && hasType(x.ours.Answer, dns.TypeDNAME) && d.is("rcode", "authority")
		},
	},
	{
		name:   "no name servers beside an answer",
		reason: "RFC 1034 section 4.3.2 asks for no NS beside an answer; NSD adds those of the zone and their addresses",
		when: func(x exchange, d diff) bool {
			return x.peer == "nsd" && len(d.more) == 0 && len(d.less) > 0 && len(x.ours.Ns) == 0 && len(x.theirs.Ns) > 0 &&
				(d.what == "authority" && onlyKinds(d.less, "NS") || d.what == "additional" && addressesOf(d.less, x.theirs.Ns))
		},
	},
	{
		name:   "aliases across zones",
		reason: "RFC 1034 section 4.3.2 step 3a: an alias is followed into every zone held here, as NSD does; Knot and BIND stay in the zone",
		when: func(x exchange, d diff) bool {
			return x.peer != "nsd" && crosses(x.ours.Answer) && within(x.theirs.Answer, x.ours.Answer) &&
				(d.section() || d.is("rcode"))
		},
	},
	{
		name:   "endless aliases",
		reason: "RFC 1034 section 3.6.2: loops are an error to signal or to ignore; the chain is told once, and cut after 17 names",
		when: func(x exchange, d diff) bool {
			return endless(x.ours.Answer) && (d.section() || d.is("rcode"))
		},
	},
	{
		name:   "types beside an alias",
		reason: "RFC 4035 section 2.5: RRSIG and NSEC live at the alias's own name, so they are not led on; NSD follows the alias",
		when: func(x exchange, d diff) bool {
			return x.peer == "nsd" && (x.q.kind == dns.TypeRRSIG || x.q.kind == dns.TypeNSEC) && hasType(x.theirs.Answer, dns.TypeCNAME)
		},
	},
	{
		name:   "ds is the parent's",
		reason: "RFC 4035 section 3.1.4.1: the zone above answers for DS, also when it does not know the name; NSD answers as if the name were there",
		when: func(x exchange, d diff) bool {
			return x.peer == "nsd" && x.q.kind == dns.TypeDS && strings.EqualFold(x.q.name, "orphan.example.com.") && d.what == "rcode"
		},
	},
	{
		name:   "yxdomain",
		reason: "RFC 6672 section 2.2: YXDOMAIN when the name becomes too long, as NSD and BIND answer; Knot answers NXDOMAIN",
		when: func(x exchange, d diff) bool {
			return x.peer == "knot" && x.ours.Rcode == dns.RcodeYXDomain && d.is("rcode", "authority")
		},
	},
	{
		name:   "addresses in a referral",
		reason: "RFC 1034 section 4.3.2 step 3b: whatever addresses the zone has are added, as NSD and Knot do; BIND leaves out those that are not glue",
		when: func(x exchange, d diff) bool {
			return x.peer == "bind" && d.what == "additional" && len(d.less) == 0 && referral(x.ours) && addressesOf(d.more, x.ours.Ns)
		},
	},
	{
		name:   "all glue or tc",
		reason: "RFC 9471 section 3.1: a referral without all of its in-domain glue is truncated; NSD and BIND send what fits without TC",
		when: func(x exchange, d diff) bool {
			return x.peer != "knot" && x.ours.Truncated && !x.theirs.Truncated && referral(x.ours) && d.is("tc", "additional")
		},
	},
	{
		name:   "contents of a cut answer",
		reason: "RFC 2181 section 9: what is left of a truncated answer is not to be used; whole RRsets are kept here",
		when: func(x exchange, d diff) bool {
			return x.ours.Truncated && x.theirs.Truncated && d.section()
		},
	},
	{
		name:   "tighter packing",
		reason: "RFC 1035 section 4.1.4: names are compressed against all earlier ones, so an answer fits here that is cut elsewhere",
		when: func(x exchange, d diff) bool {
			return packsTighter(x) && (d.section() || d.is("rcode"))
		},
	},
	{
		name:   "choice of additional data",
		reason: "RFC 2181 section 9: addresses that do not fit are left out without TC; each server leaves out others",
		when: func(x exchange, d diff) bool {
			return x.q.kind == dns.TypeMX && !x.q.tcp && d.is("additional") && !x.ours.Truncated && onlyAddresses(d.more) && onlyAddresses(d.less)
		},
	},
	{
		name:   "additional data of rare types",
		reason: "RFC 1183 section 1, RFC 9460 section 4.2: the addresses of the hosts of AFSDB, RT, KX and SVCB are added, as BIND does; NSD and Knot leave them out",
		when: func(x exchange, d diff) bool {
			return slices.Contains([]uint16{dns.TypeAFSDB, dns.TypeRT, dns.TypeKX, dns.TypeSVCB, dns.TypeHTTPS}, x.q.kind) && x.peer != "bind" &&
				d.is("additional") && len(d.less) == 0 && onlyAddresses(d.more)
		},
	},
	{
		name:   "meta types",
		reason: "RFC 6895 section 3.1, RFC 9824 section 3.5: OPT, TKEY, TSIG and NXNAME have no place in a question, as BIND says; it says so of others too",
		when: func(x exchange, d diff) bool {
			strict := slices.Contains([]uint16{dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG, 128}, x.q.kind)
			other := slices.Contains([]uint16{0, 200, dns.TypeMAILA, dns.TypeMAILB, 65535}, x.q.kind)
			return (x.peer != "bind" && strict || x.peer != "nsd" && other) && d.is("rcode", "aa", "authority")
		},
	},
	{
		name:   "transfers",
		reason: "RFC 5936 section 2.2.1: a zone's transfer is refused, what is no zone is not authoritative, and over UDP there is none; the peers differ among each other",
		when: func(x exchange, d diff) bool {
			return (x.q.kind == dns.TypeAXFR || x.q.kind == dns.TypeIXFR) && d.what == "rcode"
		},
	},
	{
		name:   "notify and update",
		reason: "RFC 1996 section 3.12, RFC 2136 section 2.2: NOTIMP, for a server that does neither; the peers do both for other zones",
		when: func(x exchange, d diff) bool {
			return (x.q.opcode == dns.OpcodeNotify || x.q.opcode == dns.OpcodeUpdate) && x.ours.Rcode == dns.RcodeNotImplemented && (d.section() || d.is("rcode", "aa"))
		},
	},
	{
		name:   "question in an error",
		reason: "RFC 1035 section 4.1.1 has no exception: the question is returned with an error too, for the client to match",
		when: func(x exchange, d diff) bool {
			return x.peer != "knot" && d.what == "question" && d.theirs == "[]" && x.ours.Rcode != dns.RcodeSuccess
		},
	},
	{
		name:   "other classes",
		reason: "RFC 1035 section 3.2.4: there is no data of other classes, and none is looked for; NSD and Knot answer class ANY as if it were IN, BIND calls the others malformed or not implemented",
		when: func(x exchange, d diff) bool {
			return x.q.class != dns.ClassINET && x.q.class != dns.ClassCHAOS && x.ours.Rcode == dns.RcodeRefused && (d.section() || d.is("rcode", "aa"))
		},
	},
	{
		name:   "flags of an early error",
		reason: "RFC 1035 section 4.1.1, RFC 4035 section 3.1.6: Z is zero and CD is cleared in every response; NSD returns them with BADVERS and with a TSIG error",
		when: func(x exchange, d diff) bool {
			return x.peer == "nsd" && (x.ours.Rcode == dns.RcodeBadVers || x.q.edns == "tsig") && d.is("cd", "z", "ad")
		},
	},
	{
		name:   "the key before the zone",
		reason: "RFC 8945 section 5.2: TSIG is looked at before the question; Knot refuses the question for a name of no zone first",
		when: func(x exchange, d diff) bool {
			return x.peer == "knot" && x.q.edns == "tsig" && x.theirs.Rcode == dns.RcodeRefused && d.is("rcode", "tsig")
		},
	},
	{
		name:   "the node's own text",
		reason: "RFC 4892: what a server says of itself in class CHAOS is its own; Knot knows no ANY there",
		when: func(x exchange, d diff) bool {
			return x.q.class == dns.ClassCHAOS && (d.is("answer") && onlyKinds(d.more, "TXT") || x.peer == "knot" && x.q.kind == dns.TypeANY && d.is("rcode"))
		},
	},
}
