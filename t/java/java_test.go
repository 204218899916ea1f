// Package java holds the Go programs against a client of version 0 of the
// protocol that shares nothing with them: it is written in Java, from the paper.
package java

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func TestJava(t *testing.T) {
	p := setup(t)
	for name, test := range map[string]func(*place){
		"updates":        updates,
		"large keys":     largeKeys,
		"our packets":    ourPackets,
		"a key of Java":  javaKey,
		"a key of ours":  ourKey,
		"damaged packet": damaged,
	} {
		t.Run(name, func(t *testing.T) {
			test(p.with(t))
		})
	}
}

// updates: one account's life, each step with what the client reads in the
// reply and what DNS says after it.
func updates(p *place) {
	key := p.file("updates.pem", p.client(nil, "keygen", "1024"))
	account := strings.TrimSpace(p.client(nil, "hash", key))
	records := []string{"add|www|A|192.0.2.1|300", "add|www|A|192.0.2.2|300", "add|www|AAAA|2001:db8::1|300",
		"add|alias|CNAME|www.example.com|300", "add|mail|MX|10 mx.example.com|300", "add|sub|NS|ns1.example.net|300",
		"add|text|TXT|v=spf1 \"a\" -all; \\ ~|300", "add|a.b.c|A|192.0.2.3|0"}
	steps := []struct {
		name     string
		seq      int
		elements []string
		reply    string
		dns      map[string]string
	}{
		{"a query before there is an account", 0, nil, "next=0 status=103 codes=", map[string]string{"@ A": "NXDOMAIN"}},
		{"the account begins at zero", 1, records[:1], "next=0 status=300 codes=601", nil},
		{"every type", 0, records, "next=1 status=0 codes=0,0,0,0,0,0,0,0", map[string]string{
			"www A": "192.0.2.1 192.0.2.2", "www AAAA": "2001:db8::1", "alias CNAME": "www.example.com.",
			"mail MX": "10 mx.example.com.", "text TXT": `"v=spf1 \"a\" -all; \\ ~"`, "a.b.c A": "192.0.2.3", "b.c A": "NODATA",
		}},
		{"the next number", 0, nil, "next=1 status=103 codes=", nil},
		{"a number of the past", 0, records[:1], "next=1 status=300 codes=601", nil},
		{"a number of the future", 2, records[:1], "next=1 status=300 codes=601", nil},
		{"one record goes", 1, []string{"delete|www|A|192.0.2.1"}, "next=2 status=0 codes=0",
			map[string]string{"www A": "192.0.2.2", "www AAAA": "2001:db8::1"}},
		{"a type goes", 2, []string{"delete|www|A"}, "next=3 status=0 codes=0",
			map[string]string{"www A": "NODATA", "www AAAA": "2001:db8::1"}},
		{"a name goes", 3, []string{"delete|www"}, "next=4 status=0 codes=0", map[string]string{"www AAAA": "NXDOMAIN"}},
		{"the apex", 4, []string{"add||A|192.0.2.4|300"}, "next=5 status=0 codes=0", map[string]string{"@ A": "192.0.2.4"}},
		{"an opcode that is none", 5, []string{"9|x|A|192.0.2.1|300"}, "next=5 status=102 codes=100", nil},
		{"a good element, a bad one, a good one", 5, []string{"add|x|A|192.0.2.1|300", "add|x|A|192.0.2|300", "add|x|A|192.0.2.3|300"},
			"next=5 status=102 codes=600,400,602", map[string]string{"x A": "NXDOMAIN"}},
		{"data for none", 5, []string{"add|x|A||300"}, "next=5 status=102 codes=401", nil},
		{"a bad TTL", 5, []string{"add|x|A|192.0.2.1|-1"}, "next=5 status=102 codes=500", nil},
		{"a type that is none", 5, []string{"add|x|NONSENSE|1|300"}, "next=5 status=102 codes=300", nil},
		{"a type that version 0 has not", 5, []string{"add|x|SRV|1 2 3 x|300"}, "next=5 status=102 codes=301", nil},
		{"a label too long", 5, []string{"add|" + strings.Repeat("x", 64) + "|A|192.0.2.1|300"}, "next=5 status=102 codes=201", nil},
		{"an empty label", 5, []string{"add|a..b|A|192.0.2.1|300"}, "next=5 status=102 codes=200", nil},
		{"beside a CNAME", 5, []string{"add|alias|A|192.0.2.1|300"}, "next=5 status=102 codes=400", nil},
		{"a domain that is the service's", 5, []string{"validate|namecast.example|hostmaster@example.com|3600"},
			"next=5 status=102 codes=600", nil},
		{"a contact that is none", 5, []string{"validate|example.com|nobody|3600"}, "next=5 status=102 codes=400", nil},
		{"no elements", 5, nil, "next=5 status=103 codes=", nil},
	}
	for _, s := range steps {
		p.t.Run(s.name, func(t *testing.T) {
			p := p.with(t)
			packet := p.packet(key, s.seq, s.elements...)
			want := fmt.Sprintf("reply account=%s sequence=%d %s\n", account, s.seq, s.reply)
			if diff := cmp.Diff(want, p.send(packet)); diff != "" {
				t.Fatalf("reply (-want +got):\n%s", diff)
			}
			if strings.Contains(s.reply, "status=0") {
				if diff := cmp.Diff(want, p.send(packet)); diff != "" {
					t.Fatalf("reply to the same bytes again (-want +got):\n%s", diff)
				}
			}
			for question, want := range s.dns {
				if diff := cmp.Diff(want, p.ask(account, question)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", question, diff)
				}
			}
		})
	}
}

// largeKeys: keys of 2,048 and 3,072 bits, made and used by Java.
func largeKeys(p *place) {
	for _, bits := range []string{"2048", "3072"} {
		key := p.file(bits+".pem", p.client(nil, "keygen", bits))
		account := strings.TrimSpace(p.client(nil, "hash", key))
		reply := p.send(p.packet(key, 0, "add|www|A|192.0.2.1|300"))
		if diff := cmp.Diff("reply account="+account+" sequence=0 next=1 status=0 codes=0\n", reply); diff != "" {
			p.t.Errorf("%s bits: reply (-want +got):\n%s", bits, diff)
		}
		if diff := cmp.Diff("192.0.2.1", p.ask(account, "www A")); diff != "" {
			p.t.Errorf("%s bits: (-want +got):\n%s", bits, diff)
		}
	}
}

// ourPackets: what nc-sign makes with a DSA key is, to Java, what was asked for
// and signed well; a changed packet is not.
func ourPackets(p *place) {
	const text = `add www 300 A 192.0.2.1
add www 300 AAAA 2001:DB8:0:0::1
add @ 60 MX 10 mail.example.net.
add alias 0 CNAME www.example.com.
add sub 300 NS ns1.example.net.
add text 300 TXT "hello; \"world\""
delete old
delete www A
delete www A 192.0.2.9
validate example.com hostmaster@example.com 3600
send
add b 1 A 192.0.2.7
`
	const want = `packet version=0 account=%[1]s bits=%[2]s sequence=41 elements=10 signature=good
element opcode=0 name=www type=A data="192.0.2.1" ttl=300
element opcode=0 name=www type=AAAA data="2001:db8::1" ttl=300
element opcode=0 name= type=MX data="10 mail.example.net" ttl=60
element opcode=0 name=alias type=CNAME data="www.example.com" ttl=0
element opcode=0 name=sub type=NS data="ns1.example.net" ttl=300
element opcode=0 name=text type=TXT data="hello; "world"" ttl=300
element opcode=1 name=old type= data="" ttl=0
element opcode=1 name=www type=A data="" ttl=0
element opcode=1 name=www type=A data="192.0.2.9" ttl=0
element opcode=2 name=example.com type= data="hostmaster@example.com" ttl=3600
packet version=0 account=%[1]s bits=%[2]s sequence=42 elements=1 signature=good
element opcode=0 name=b type=A data="192.0.2.7" ttl=1
`
	for _, bits := range []string{"1024", "2048", "3072"} {
		key := p.file("ours"+bits, p.must(nil, "nc-keygen", "-dsa", bits))
		account := p.hash(key)
		packets := p.must([]byte(text), "nc-sign", "-k", key, "-seq", "41")
		if diff := cmp.Diff(fmt.Sprintf(want, account, bits), p.client([]byte(packets), "verify")); diff != "" {
			p.t.Errorf("%s bits (-want +got):\n%s", bits, diff)
		}
		changed := []byte(packets)
		changed[strings.Index(packets, "192.0.2.1")]++
		out, _, err := p.run(changed, "java", "-cp", p.java, "Namecast", "verify")
		if err == nil || !strings.Contains(out, "signature=BAD") {
			p.t.Errorf("%s bits: a changed packet: %v\n%s", bits, err, out)
		}
	}
}

// javaKey: our tools use a key file that Java wrote, for the same account.
func javaKey(p *place) {
	key := p.file("java.pem", p.client(nil, "keygen", "1024"))
	account := strings.TrimSpace(p.client(nil, "hash", key))
	if diff := cmp.Diff(account, p.hash(key)); diff != "" {
		p.t.Errorf("account (-Java +nc-keygen):\n%s", diff)
	}
	packet := p.must([]byte("add www 300 A 192.0.2.1\n"), "nc-sign", "-k", key)
	got := p.must([]byte(packet), "nc-send")
	if diff := cmp.Diff("packet 1 ok account="+account+" seq=0 next=1\nelement 1.1 ok\n", got); diff != "" {
		p.t.Errorf("nc-send (-want +got):\n%s", diff)
	}
	reply := p.send(p.packet(key, 1, "delete|www"))
	if diff := cmp.Diff("reply account="+account+" sequence=1 next=2 status=0 codes=0\n", reply); diff != "" {
		p.t.Errorf("Java's reply (-want +got):\n%s", diff)
	}
}

// ourKey: Java uses the PKCS#8 that stands in a key file of nc-keygen.
func ourKey(p *place) {
	ours := p.must(nil, "nc-keygen", "-dsa", "1024")
	_, secret, ok := strings.Cut(ours, "!secret=")
	if !ok {
		p.t.Fatalf("no secret in the key file:\n%s", ours)
	}
	secret = strings.Trim(strings.Fields(secret)[0], "'")
	key := p.file("ours.pem", "-----BEGIN PRIVATE KEY-----\n"+secret+"\n-----END PRIVATE KEY-----\n")
	if diff := cmp.Diff(p.hash(p.file("ours.key", ours)), strings.TrimSpace(p.client(nil, "hash", key))); diff != "" {
		p.t.Errorf("account (-nc-keygen +Java):\n%s", diff)
	}
}

// damaged: packets that are not as they should be, and what Java reads in the
// reply. The count stands before the elements, after magic, version, key and
// sequence number.
func damaged(p *place) {
	key := p.file("damaged.pem", p.client(nil, "keygen", "1024"))
	account := strings.TrimSpace(p.client(nil, "hash", key))
	packet := p.packet(key, 0, "add|www|A|192.0.2.1|300")
	count := 8 + 2 + 2 + int(binary.BigEndian.Uint16(packet[10:])) + 8
	change := func(at int, b ...byte) []byte {
		return append(append(slices.Clone(packet[:at]), b...), packet[at+len(b):]...)
	}
	tests := []struct {
		name   string
		packet []byte
		reply  string
	}{
		{"the signature is another's", change(len(packet)-1, packet[len(packet)-1]^1), "sequence=0 next=0 status=200 codes=601"},
		{"an element was changed", change(count+2+2+2, 'x'), "sequence=0 next=0 status=200 codes=601"},
		{"cut off in the signature", packet[:len(packet)-1], "sequence=0 next=0 status=501 codes="},
		{"cut off in the element", packet[:count+20], "sequence=0 next=0 status=501 codes="},
		{"an element too few", change(count, 0, 2), "sequence=0 next=0 status=502 codes="},
		{"an element too many", change(count, 0, 0), "sequence=0 next=0 status=502 codes="},
		{"a negative count", change(count, 0xff, 0xff), "sequence=0 next=0 status=500 codes="},
		{"more than the packet", append(slices.Clone(packet), 0), "sequence=0 next=0 status=500 codes="},
		{"a version of the future", change(8, 0, 7), "sequence=0 next=0 status=400 codes="},
	}
	for _, tt := range tests {
		p.t.Run(tt.name, func(t *testing.T) {
			p := p.with(t)
			if diff := cmp.Diff("reply account="+account+" "+tt.reply+"\n", p.send(tt.packet)); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff("NXDOMAIN", p.ask(account, "www A")); diff != "" {
		p.t.Errorf("after it all (-want +got):\n%s", diff)
	}
}

// packet has Java make a packet.
func (p *place) packet(key string, seq int, elements ...string) []byte {
	p.t.Helper()
	return []byte(p.client(nil, append([]string{"packet", key, fmt.Sprint(seq)}, elements...)...))
}

// send has Java send a packet and read the reply.
func (p *place) send(packet []byte) string {
	p.t.Helper()
	host, port, _ := strings.Cut(p.nup, ":")
	return p.client(packet, "send", host, port)
}

// hash has nc-keygen name the account of a key file.
func (p *place) hash(key string) string {
	p.t.Helper()
	return strings.TrimSpace(p.must([]byte(p.must(nil, "cat", key)), "nc-keygen", "-hash"))
}

// ask asks the node for "name type" below an account and gives the data of the
// answers in order, or NODATA or the code.
func (p *place) ask(account, question string) string {
	p.t.Helper()
	name, typ, _ := strings.Cut(question, " ")
	name = strings.TrimPrefix(name+".", "@.") + account + ".namecast.example."
	q := new(dns.Msg).SetQuestion(name, dns.StringToType[typ])
	r, _, err := new(dns.Client).Exchange(q, p.dns)
	if err != nil {
		p.t.Fatalf("ask %s: %v", question, err)
	}
	if r.Rcode != dns.RcodeSuccess {
		return dns.RcodeToString[r.Rcode]
	}
	var data []string
	for _, rr := range r.Answer {
		data = append(data, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	slices.Sort(data)
	if len(data) == 0 {
		return "NODATA"
	}
	return strings.Join(data, " ")
}
