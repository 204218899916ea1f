package quorum

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseNodes(t *testing.T) {
	k0, k1 := publicText(secretOf(t, 0)), publicText(secretOf(t, 1))
	ns, err := ParseNodes(strings.NewReader("# the nodes\n" +
		"node=ns2.fra key=" + k1 + " watch=[2001:db8::2]:8154\n\n" +
		"node=a key=" + k0 + " watch=192.0.2.1:8154 bgp=192.0.2.1:8155 dns=192.0.2.1:53 # Berlin\n"))
	if err != nil {
		t.Fatal(err)
	}
	if all := ns.All(); len(all) != 2 || ns.Len() != 2 || all[0].Name != "a" || all[1].Name != "ns2.fra" {
		t.Fatalf("nodes %+v", all)
	}
	a, ok := ns.Get("a")
	if !ok || a.Key != secretOf(t, 0).Public() || a.Watch.String() != "192.0.2.1:8154" || a.BGP.String() != "192.0.2.1:8155" || a.DNS.String() != "192.0.2.1:53" {
		t.Errorf("node a: %+v", a)
	}
	if b, _ := ns.Get("ns2.fra"); b.BGP.IsValid() || b.DNS.IsValid() || b.Watch.String() != "[2001:db8::2]:8154" {
		t.Errorf("node ns2.fra: %+v", b)
	}
	if _, ok := ns.Get("c"); ok {
		t.Error("there is a node c")
	}
	if o := ns.Others("a"); len(o) != 1 || o[0].Name != "ns2.fra" || ns.Len() != 2 {
		t.Errorf("others than a: %+v", o)
	}
}

func TestParseNodesRefuses(t *testing.T) {
	k0, k1 := publicText(secretOf(t, 0)), publicText(secretOf(t, 1))
	good := "node=a key=" + k0 + " watch=192.0.2.1:8154 bgp=192.0.2.1:8155\n"
	var many strings.Builder
	for i := range MaxNodes + 1 {
		fmt.Fprintf(&many, "node=n%d key=%s watch=192.0.2.1:%d\n", i, publicText(secretOf(t, i)), i+1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "# nobody\n", "it is empty"},
		{"quote", "node='a", "line 1: bad quoting"},
		{"no name", "key=" + k0 + " watch=192.0.2.1:8154", "line 1: node= is missing"},
		{"empty name", "node= key=" + k0 + " watch=192.0.2.1:8154", `line 1: node=""`},
		{"upper case", "node=A", `line 1: node="A"`},
		{"space", "node='a b'", `line 1: node="a b"`},
		{"dot first", "node=.a", `line 1: node=".a"`},
		{"long name", "node=" + strings.Repeat("x", MaxName+1), "line 1: node="},
		{"no key", "node=a watch=192.0.2.1:8154", "line 1: key= is missing"},
		{"key of 31 octets", "node=a key=" + k0[:40], "line 1: key="},
		{"key not base64", "node=a key=abc", "line 1: key= is not base64"},
		{"no watch", "node=a key=" + k0, "line 1: watch= is missing"},
		{"no port", "node=a watch=192.0.2.1", `line 1: watch="192.0.2.1"`},
		{"port 0", "node=a watch=192.0.2.1:0", "line 1: watch="},
		{"host name", "node=a watch=a.example:8154", "line 1: watch="},
		{"any address", "node=a bgp=0.0.0.0:8154", "line 1: bgp="},
		{"multicast", "node=a dns=[ff02::1]:53", "line 1: dns="},
		{"IPv4 in IPv6", "node=a dns=[::ffff:192.0.2.1]:53", "line 1: dns="},
		{"unknown word", good + "node=b wotch=192.0.2.1:8154", `line 2: unknown attribute "wotch"`},
		{"word twice", "node=a node=b", "line 1: node= twice"},
		{"name twice", good + "node=a key=" + k1 + " watch=192.0.2.2:1", "line 2: the name a is on line 1"},
		{"key twice", good + "node=b key=" + k0 + " watch=192.0.2.2:1", "line 2: the key " + k0 + " is on line 1"},
		{"address twice", good + "node=b key=" + k1 + " watch=192.0.2.1:8155", "line 2: the address 192.0.2.1:8155 is on line 1"},
		{"address twice in a line", "node=b key=" + k1 + " watch=192.0.2.1:1 bgp=192.0.2.1:1", "line 1: the address"},
		{"too many", many.String(), "line 65: more than 64 nodes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseNodes(strings.NewReader(c.text))
			wantErr(t, err, ErrNodes)
			if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestQuorum(t *testing.T) {
	for _, c := range []struct {
		nodes, quorum int
		allowed       bool
	}{{1, 1, false}, {2, 2, false}, {3, 2, true}, {4, 3, true}, {5, 3, true}, {6, 4, true}, {7, 4, true}, {64, 33, true}} {
		ns := newClub(t, c.nodes).Nodes
		if ns.Quorum() != c.quorum || ns.Allowed() != c.allowed {
			t.Errorf("%d nodes: quorum %d, allowed %v, want %d, %v", c.nodes, ns.Quorum(), ns.Allowed(), c.quorum, c.allowed)
		}
	}
}
