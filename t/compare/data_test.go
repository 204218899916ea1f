package compare

import (
	"fmt"
	"strings"
)

// base is the service's domain in this test.
const base = "namecast.example"

// An account is what one key's owner sends.
type account struct {
	key     string // the name of its key, for messages
	domains []string
	records string // lines of owner, TTL, type and data; owners are relative
	deleted bool   // its records are deleted again
	name    string // given by nc-keygen -hash
	file    string // of the key
	server  string // where it sends updates
}

// accounts are the data of the test. Each line is there for a case; the
// generated questions find all of them.
func accounts() []*account {
	return []*account{
		{key: "site", domains: []string{"example.com"}, records: site + siteTypes + siteBig() + siteNames()},
		{key: "net", domains: []string{"example.net", "example.org"}, records: netRecords},
		{key: "plain", records: plain},
		{key: "child", domains: []string{"child.example.com", "orphan.example.com"}, records: child},
		{key: "nsonly", domains: []string{"nsonly.example"}, records: nsonly},
		{key: "empty", records: "www 300 A 192.0.2.99\n", deleted: true},
	}
}

// site has the shapes of RFC 1034, RFC 4592 and RFC 6672.
const site = `
@ 3600 A 192.0.2.1
@ 3600 AAAA 2001:db8::1
@ 3600 MX 10 mail.example.com.
@ 3600 MX 20 mail.example.net.
@ 3600 TXT "v=spf1 -all"
www 300 A 192.0.2.2
www 300 A 192.0.2.3
www 300 AAAA 2001:db8::2
www 60 TXT "one" "two"
mail 300 A 192.0.2.4
mail 300 AAAA 2001:db8::4
MiXeD.CaSe 300 A 192.0.2.5
toMixed 300 CNAME mIxEd.cAsE.eXaMpLe.CoM.
a.b.c.ent 300 A 192.0.2.6
alias 300 CNAME www.example.com.
alias2 200 CNAME alias.example.com.
alias3 100 CNAME alias2.example.com.
dangling 300 CNAME nowhere.example.com.
toent 300 CNAME c.ent.example.com.
tonodata 300 CNAME mail.example.com.
outside 300 CNAME www.outside.test.
tonet 300 CNAME www.example.net.
tonetwild 300 CNAME some.thing.wild.example.net.
tonetnowhere 300 CNAME nowhere.example.net.
tosub 300 CNAME host.sub.example.com.
tocut 300 CNAME sub.example.com.
tobase 300 CNAME nowhere.namecast.example.
tochild 300 CNAME www.child.example.com.
towild 300 CNAME any.wild.example.com.
todname 300 CNAME a.dname.example.com.
toapex 300 CNAME example.com.
self 300 CNAME self.example.com.
loop1 300 CNAME loop2.example.com.
loop2 300 CNAME loop3.example.com.
loop3 300 CNAME loop1.example.com.
ping 300 CNAME pong.example.net.
*.wild 300 A 192.0.2.7
*.wild 300 TXT "wild"
*.wild 300 MX 10 x.wild.example.com.
host.wild 300 A 192.0.2.8
sub.ent.wild 300 A 192.0.2.9
*.wcname 300 CNAME www.example.com.
*.wnet 300 CNAME www.example.net.
*.wself 300 CNAME x.wself.example.com.
*.wout 300 CNAME www.outside.test.
leaf.*.went 300 A 192.0.2.10
*.*.wstar 300 A 192.0.2.11
mid.*.wmid 300 A 192.0.2.12
*.wmid 300 A 192.0.2.13
sub 3600 NS ns1.sub.example.com.
sub 3600 NS ns2.sub.example.com.
sub 3600 NS ns.outside.test.
ns1.sub 3600 A 192.0.2.21
ns1.sub 3600 AAAA 2001:db8::21
ns2.sub 3600 A 192.0.2.22
sibling 3600 NS ns1.sub.example.com.
sibling 3600 NS mail.example.com.
signed 3600 NS ns1.signed.example.com.
signed 3600 DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
ns1.signed 3600 A 192.0.2.23
lame 3600 NS ns.nowhere.test.
atcut 3600 NS atcut.example.com.
atcut 3600 A 192.0.2.24
deep.below.cut 3600 NS ns.deep.below.cut.example.com.
ns.deep.below.cut 3600 A 192.0.2.25
netns 3600 NS mail.example.net.
netns 3600 NS ns1.namecast.example.
child 3600 NS ns1.namecast.example.
child 3600 DS 54321 13 2 FF112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
subalias 300 CNAME ns1.sub.example.com.
mxsub 300 MX 5 ns1.sub.example.com.
mxcname 300 MX 5 alias.example.com.
mxwild 300 MX 5 foo.wild.example.com.
mxnet 300 MX 5 mail.example.net.
mxnone 300 MX 0 .
mxmany 300 MX 5 mail.example.com.
mxmany 300 MX 6 www.example.com.
mxmany 300 MX 7 nowhere.example.com.
mxmany 300 MX 8 mx.outside.test.
_sip._udp 300 SRV 1 2 5060 mail.example.com.
_sip._tcp 300 SRV 1 2 5060 foo.wild.example.com.
dname 300 DNAME target.example.com.
a.target 300 A 192.0.2.31
b.target 300 CNAME a.target.example.com.
c.target 300 TXT "c"
dnet 250 DNAME example.net.
dout 250 DNAME outside.test.
dself 250 DNAME dself.example.com.
dgrow 250 DNAME x.dgrow.example.com.
dchain 250 DNAME dname.example.com.
dsub 250 DNAME sub.example.com.
dwild 250 DNAME wild.example.com.
dlong 250 DNAME ` + longTarget + `
dapex 250 DNAME example.com.
`

// longTarget leaves little room before it: 207 octets of the 255.
const longTarget = long48 + "." + long48 + "." + long48 + "." + long48 + ".example.com."

const long48 = "llllllllllllllllllllllllllllllllllllllllllllllll"

// siteTypes has one name for each kind of data.
const siteTypes = `
types 300 PTR www.example.com.
types 300 HINFO "PC" "Plan 9"
types 300 RP admin.example.com. txt.example.com.
types 300 AFSDB 1 mail.example.com.
types 300 LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
types 300 NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:info@example.com!" .
types 300 KX 10 mail.example.com.
types 300 CERT 1 12345 8 AQIDBA==
types 300 SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
types 300 DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=
types 300 CAA 0 issue "ca.example.net"
types 300 EUI48 00-00-5e-00-53-2a
types 300 EUI64 00-00-5e-ef-10-00-00-2a
types 300 NID 10 0014:4fff:ff20:ee64
types 300 L32 10 10.1.2.0
types 300 L64 10 2001:0db8:1140:1000
types 300 LP 10 l64-subnet1.example.com.
types 300 URI 10 1 "https://example.com/"
types 300 SPF "v=spf1 -all"
types 300 OPENPGPKEY AQIDBAUGBwg=
types 300 APL 1:192.168.32.0/21 !1:192.168.38.0/28
types 300 RT 10 mail.example.com.
types 300 X25 311061700956
types 300 ISDN "150862028003217" "004"
types 300 PX 10 map822.example.com. mapx400.example.com.
types 300 TYPE65280 \# 5 0102030405
types 300 TYPE65281 \# 0
types 300 TYPE4711 \# 3 abcdef
types 300 CDS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
types 300 CDNSKEY 257 3 13 AQIDBAUGBwg=
_443._tcp.types 300 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
mail._smimecert.types 300 SMIMEA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
svc.types 300 HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.40
svc.types 300 SVCB 1 www.example.com. port=8443
alias.types 300 HTTPS 0 www.example.com.
`

// siteBig has RRsets around the sizes at which responses are cut.
func siteBig() string {
	var b strings.Builder
	text := strings.Repeat("0123456789", 10)
	for _, c := range []struct {
		owner string
		n     int
	}{{"txt4.big", 4}, {"txt5.big", 5}, {"txt10.big", 10}, {"txt11.big", 11}, {"txt12.big", 12}, {"txt40.big", 40}} {
		for i := range c.n {
			fmt.Fprintf(&b, "%s 300 TXT \"%02d %s\"\n", c.owner, i, text)
		}
	}
	for i := range 100 {
		fmt.Fprintf(&b, "many.big 300 A 198.51.100.%d\n", i)
	}
	fmt.Fprintf(&b, "long.big 300 TXT%s\n", strings.Repeat(fmt.Sprintf(" %q", strings.Repeat("x", 255)), 8))
	for i := range 13 {
		fmt.Fprintf(&b, "del.big 300 NS ns%d.del.big.example.com.\n", i)
		fmt.Fprintf(&b, "ns%d.del.big 300 A 198.51.100.%d\n", i, i)
		fmt.Fprintf(&b, "ns%d.del.big 300 AAAA 2001:db8::100:%d\n", i, i)
		fmt.Fprintf(&b, "mx.big 300 MX %d m%d.mx.big.example.com.\n", i, i)
		fmt.Fprintf(&b, "m%d.mx.big 300 A 198.51.100.%d\n", i, i)
		fmt.Fprintf(&b, "m%d.mx.big 300 AAAA 2001:db8::200:%d\n", i, i)
	}
	for i := range 40 {
		fmt.Fprintf(&b, "wide.big 300 NS a-name-server-with-a-long-name-%d.outside.test.\n", i)
	}
	b.WriteString("alias.big 300 CNAME txt12.big.example.com.\n")
	return b.String()
}

// siteNames has labels with every kind of octet, and names at their limits.
func siteNames() string {
	label := strings.Repeat("a", 63)
	return `
dot\.ted 300 A 192.0.2.51
sp\032ace 300 A 192.0.2.52
nul\000 300 A 192.0.2.53
high\255\128 300 A 192.0.2.54
quo\"te 300 A 192.0.2.55
back\\slash 300 A 192.0.2.56
semi\;colon 300 A 192.0.2.57
d\$llar\@at 300 A 192.0.2.58
par\(en\) 300 A 192.0.2.59
under_score 300 A 192.0.2.60
toodd 300 CNAME dot\.ted.example.com.
` + label + ` 300 A 192.0.2.61
` + label + "." + label + "." + label + ` 300 A 192.0.2.62
` + longest(base, 33) + ` 300 A 192.0.2.63
`
}

// longest makes an owner name that, below a suffix of the given labels and
// further octets, is 255 octets long.
func longest(suffix string, further int) string {
	left := 255 - 1 - (len(suffix) + 1) - further
	var labels []string
	for left > 1 {
		n := min(left-1, 63)
		if left-n-1 == 1 {
			n--
		}
		labels = append(labels, strings.Repeat("b", n))
		left -= n + 1
	}
	return strings.Join(labels, ".")
}

// netRecords has its own name servers, and aliases that lead back.
const netRecords = `
@ 3600 NS ns.custom.test.
@ 3600 NS ns2.example.net.
@ 3600 A 192.0.2.101
ns2 3600 A 192.0.2.102
www 300 A 192.0.2.103
mail 300 A 192.0.2.104
mail 300 AAAA 2001:db8::104
*.wild 300 A 192.0.2.105
pong 300 CNAME ping.example.com.
back 300 CNAME alias.example.com.
tosub 300 CNAME x.sub.example.com.
dcom 300 DNAME target.example.com.
cross 300 NS ns1.sub.example.com.
cross 300 NS mail.example.com.
`

// plain is served below its hash alone.
const plain = `
@ 300 CNAME www.example.com.
* 300 A 192.0.2.111
sub 300 NS ns.sub.example.com.
x.y 300 TXT "below"
`

// child lives below somebody else's domain.
const child = `
www 300 A 192.0.2.121
up 300 CNAME www.example.com.
@ 300 DNSKEY 257 3 13 AQIDBAUGBwg=
* 300 TXT "wild child"
`

// nsonly has nothing but name servers, which its hash suffix does not show.
const nsonly = `
@ 300 NS ns.custom.test.
`
