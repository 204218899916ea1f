package compare

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"namecast/t/peers"
	"namecast/t/tools"
)

// TestPowerDNS asks nc-serve over a database and PowerDNS over the same database.
func TestPowerDNS(t *testing.T) {
	db := peers.MariaDB(t)
	store, bin := "mysql://root@/namecast?socket="+db.Socket, tools.Build(t)
	run(t, "", bin+"/nc-serve", "-migrate", "-store", store, "-domain", base)
	all := accounts()
	node := startNode(t, bin, all, "-store", store)
	ours := dial(t, "namecast", node)
	files := zoneFiles(all, func(zone string) string { return expectedSOA(t, ours, zone) })
	asked := append(handWritten(all), generate(names(files), questions, seedOf(t))...)
	s := peers.PowerDNS(t, db, base, "any-to-tcp=no", "dname-processing=yes")
	theirs := dial(t, s.Name, s.Addr)
	tally := newTally([]string{"pdns"}, powerdnsExceptions)
	for _, q := range asked {
		if !forPowerDNS(q) {
			continue
		}
		tally.question(t, q, ours.ask(q), map[string]*dns.Msg{"pdns": theirs.ask(q)})
	}
	tally.report(t)
	rectified(t, db, s, files)
	if t.Failed() {
		t.Log(s.Log())
	}
}

// rectified has PowerDNS sign the zones, and so set the columns that need it: they have to
// be as they are.
func rectified(t *testing.T, db *peers.Database, s *peers.Server, zones map[string]string) {
	const order = "SELECT name, type, auth, ordername FROM records ORDER BY name, type, content"
	before := db.Ask(t, order)
	for zone := range zones {
		run(t, "", "pdnsutil", "--config-dir="+s.Dir, "secure-zone", strings.TrimSuffix(zone, "."))
	}
	was, now := strings.Split(before, "\n"), strings.Split(db.Ask(t, order), "\n")
	for i := range min(len(was), len(now)) {
		if was[i] != now[i] {
			t.Errorf("name, type, auth, ordername: %q, rectified %q", was[i], now[i])
		}
	}
	if len(was) != len(now) {
		t.Errorf("%d rows, rectified %d", len(was), len(now))
	}
}

// forPowerDNS leaves out questions that have nothing to do with what is in the
// database, some of which PowerDNS does not answer at all; and those that an alias
// makes too long, after which PowerDNS 4.7 fails the next question of the connection
// to its database as well.
func forPowerDNS(q question) bool {
	switch q.kind {
	case dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeAXFR, dns.TypeIXFR, dns.TypeANY, dns.TypeNXNAME:
		return false
	}
	grows := strings.Contains(strings.ToLower(q.name), "dlong.") || strings.Contains(strings.ToLower(q.name), "dgrow.")
	return q.opcode == dns.OpcodeQuery && q.class == dns.ClassINET && !grows && (q.edns == "" || q.edns == "do")
}

// powerdnsExceptions are the differences to PowerDNS that are meant.
var powerdnsExceptions = []exception{
	{
		name:   "names that are not host names",
		reason: "RFC 2181 section 11: any octets make a label; PowerDNS 4.7 fails questions with some of them",
		when: func(x exchange, d diff) bool {
			return strings.ContainsAny(x.q.name, "\\") && x.theirs.Rcode == dns.RcodeServerFailure
		},
	},
	{
		name:   "endless aliases",
		reason: "RFC 1034 section 3.6.2: the chain is told once here; PowerDNS fails the question after 10 steps",
		when: func(x exchange, d diff) bool {
			return endless(x.ours.Answer) && x.theirs.Rcode == dns.RcodeServerFailure
		},
	},
	{
		name:   "cut answers are empty",
		reason: "RFC 2181 section 9: what is left of a truncated answer is not to be used; PowerDNS leaves nothing, and cuts what is left out here",
		when: func(x exchange, d diff) bool {
			return x.theirs.Truncated && !x.q.tcp && d.section()
		},
	},
	{
		name:   "additional data of rare types",
		reason: "RFC 1183 section 1, RFC 2230 section 3.3: the addresses of the hosts of AFSDB, RT and KX are added here",
		when: func(x exchange, d diff) bool {
			return slices.Contains([]uint16{dns.TypeAFSDB, dns.TypeRT, dns.TypeKX, dns.TypeSVCB, dns.TypeHTTPS}, x.q.kind) &&
				d.is("additional") && len(d.less) == 0 && onlyAddresses(d.more)
		},
	},
	{
		name:   "additional data from wildcards",
		reason: "RFC 4592 section 4.2: a wildcard stands for the host of an MX or SRV record too; PowerDNS looks for the name itself",
		when: func(x exchange, d diff) bool {
			return (x.q.kind == dns.TypeMX || x.q.kind == dns.TypeSRV) && d.is("additional") && len(d.less) == 0 && onlyAddresses(d.more)
		},
	},
	{
		name:   "an alias made by DNAME",
		reason: "RFC 6672 section 3.2: a question for CNAME is answered by the alias that DNAME makes; PowerDNS follows it",
		when: func(x exchange, d diff) bool {
			return x.q.kind == dns.TypeCNAME && hasType(x.ours.Answer, dns.TypeDNAME) && d.section()
		},
	},
	{
		name:   "an alias made by a wildcard",
		reason: "RFC 4592 section 3.3.1: a question for CNAME is answered by the wildcard's alias; PowerDNS follows it as well, to a denial or round in a loop",
		when: func(x exchange, d diff) bool {
			return x.q.kind == dns.TypeCNAME && len(x.ours.Answer) == 1 && hasType(x.ours.Answer, dns.TypeCNAME) &&
				(d.is("authority") && onlyKinds(d.less, "SOA") || x.theirs.Rcode == dns.RcodeServerFailure)
		},
	},
}
