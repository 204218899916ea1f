package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"namecast/t/tools"
)

const (
	base   = "namecast.example"
	domain = "example.com"
)

// A node is the nc-serve that is tortured, and what was put into it.
type node struct {
	*tools.Daemon
	t        *testing.T
	bin, dir string
	account  string
}

func (n *node) file(name string) string { return filepath.Join(n.dir, name) }

func (n *node) write(name, text string) {
	n.t.Helper()
	if err := os.WriteFile(n.file(name), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// tool runs a tool with text on its standard input and returns its output.
func (n *node) tool(input, name string, args ...string) string {
	n.t.Helper()
	cmd := exec.Command(filepath.Join(n.bin, name), args...)
	cmd.Stdin = strings.NewReader(input)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		n.t.Fatalf("%s %v: %v\n%s", name, args, err, talk.String())
	}
	return out.String()
}

// prepare makes the files: a key, a grant, a certificate.
func (n *node) prepare() {
	n.t.Helper()
	n.tool("", "nc-keygen", "-o", n.file("me.key"))
	secret, err := os.ReadFile(n.file("me.key"))
	if err != nil {
		n.t.Fatal(err)
	}
	n.account = strings.TrimSpace(n.tool(string(secret), "nc-keygen", "-hash"))
	n.write("grants", "domain="+domain+" account="+n.account+"\n")

	certificate, private := tools.Certificate(n.t, base, 1)
	n.write("cert.pem", certificate)
	n.write("key.pem", private)
}

// fill gives the account records that make every kind of answer.
func (n *node) fill() {
	n.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "validate %s hostmaster@%s 300\n", domain, domain)
	for i := range 30 {
		fmt.Fprintf(&b, "add many 300 AAAA 2001:db8::%x\nadd long 300 TXT \"%d %s\"\n", i+1, i, strings.Repeat("x", 200))
	}
	b.WriteString(`add www 300 A 192.0.2.1
add @ 300 MX 10 www.example.com.
add srv 300 SRV 1 2 3 www.example.com.
add *.wild 300 A 192.0.2.2
add loop1 300 CNAME loop2.example.com.
add loop2 300 CNAME loop1.example.com.
add alias 300 CNAME x.wild.example.com.
add d 300 DNAME wild.example.com.
add grow 300 DNAME x.grow.example.com.
add sub 300 NS ns.sub.example.com.
add ns.sub 300 A 192.0.2.3
add a.b.c.d.e.ent 300 A 192.0.2.4
add caa 300 CAA 0 issue "ca.example"
`)
	server := base + "@" + n.Words["nup"]
	n.tool(n.tool(b.String(), "nc-sign", "-k", n.file("me.key"), "-s", server), "nc-send", "-s", server)
}

// updates are packets as nc-sign makes them: of the account and of a new one.
func (n *node) updates() [][]byte {
	n.t.Helper()
	var list [][]byte
	for i, text := range []string{"add www 300 A 192.0.2.9\n", "delete srv\nreplace a 60 TXT \"b\"\nrequire absent lock\n", "validate example.net a@example.net 300\n"} {
		file := n.file(fmt.Sprintf("other%d.key", i))
		n.tool("", "nc-keygen", "-o", file)
		list = append(list, []byte(n.tool(text, "nc-sign", "-k", file, "-s", base+"@"+n.Words["nup"], "-seq", "0")))
		list = append(list, []byte(n.tool(text, "nc-sign", "-k", n.file("me.key"), "-s", base+"@"+n.Words["nup"])))
	}
	n.tool("", "nc-keygen", "-dsa", "1024", "-o", n.file("dsa.key"))
	return append(list, []byte(n.tool("add www 300 A 192.0.2.1\n", "nc-sign", "-k", n.file("dsa.key"), "-s", base+"@"+n.Words["nup"], "-seq", "0")))
}

// queries are proper questions for everything that there is.
func (n *node) queries() [][]byte {
	var list [][]byte
	kinds := []uint16{typeA, typeAAAA, typeNS, typeSOA, typeTXT, typeMX, 43, 48, 255, 251, 252, 65535}
	for i, name := range []string{
		base, domain, "www." + domain, "WwW.eXample.COM", "many." + domain, "long." + domain, "srv." + domain, "no." + domain, "x.y.wild." + domain,
		"loop1." + domain, "alias." + domain, "a.d." + domain, "a.grow." + domain, strings.Repeat("abcdefgh.", 25) + "grow." + domain,
		"www.sub." + domain, "ent." + domain, "caa." + domain, "outside.test", "", "www." + n.account + "." + base, n.account + "." + base,
	} {
		for j, kind := range kinds {
			list = append(list, query(name, kind, 1, options[(i+j)%len(options)]))
		}
	}
	for _, name := range []string{"id.server", "version.bind"} {
		list = append(list, query(name, typeTXT, 3, nil))
	}
	return list
}

// good are questions that must be answered with records.
func (n *node) good() [][]byte {
	return [][]byte{query("www."+domain, typeA, 1, nil), query("many."+domain, typeAAAA, 1, options[1]), query(base, typeSOA, 1, nil)}
}

// options are OPT records: size, flags, options.
var options = [][]byte{
	nil,
	opt(1232, 0, nil),
	opt(4096, 0x8000, nil),
	opt(512, 0x8000, []byte{0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}),
	opt(1232, 0, append([]byte{0, 10, 0, 24}, make([]byte, 24)...)),
	opt(65535, 0x8000, []byte{0, 3, 0, 0, 0, 9, 0, 0, 0, 11, 0, 0, 0, 12, 0, 2, 0, 0}),
	opt(0, 0, []byte{0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2}),
}

func opt(size, flags uint16, data []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, 0, typeOPT}, size)
	b = binary.BigEndian.AppendUint16(append(b, 0, 0), flags)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
}

// query makes a question, with an OPT record if there is one.
func query(name string, kind, class uint16, opt []byte) []byte {
	b := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		if label != "" {
			b = append(append(b, byte(len(label))), label...)
		}
	}
	b = binary.BigEndian.AppendUint16(append(b, 0), kind)
	b = binary.BigEndian.AppendUint16(b, class)
	if opt != nil {
		b[11] = 1
	}
	return append(b, opt...)
}
