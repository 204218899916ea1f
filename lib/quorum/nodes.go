package quorum

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"namecast/lib/key"
	"namecast/lib/ndb"
)

// Limits of a list of nodes.
const (
	MaxNodes = 64
	MaxName  = 32 // octets of a node's name
)

// ErrNodes: the list of nodes is not as it should be.
var ErrNodes = errors.New("bad list of nodes")

// A Node is one line of the list.
type Node struct {
	// Name has 1 to MaxName lower-case letters, digits, dots, hyphens and
	// underscores, a letter or digit first.
	Name string
	// Key is the node's public key, Ed25519.
	Key key.Public
	// Watch is where the node hears heartbeats.
	Watch netip.AddrPort
	// BGP is where the node's speaker hears votes; the zero AddrPort if no vote
	// can be sent to it.
	BGP netip.AddrPort
	// DNS is where others ask the node itself; the zero AddrPort if it has no
	// server.
	DNS netip.AddrPort
}

// Nodes are all nodes of a service. The zero value has none.
type Nodes struct {
	list []Node // by name
}

// ParseNodes reads a list of nodes. At least one, at most MaxNodes; names,
// addresses and keys are unique. An error names the line and is ErrNodes, or one
// of reading.
func ParseNodes(r io.Reader) (Nodes, error) {
	lines, err := ndb.Parse(r)
	if err != nil {
		return Nodes{}, fmt.Errorf("%w: %w", ErrNodes, err)
	}
	var ns Nodes
	seen := make(map[string]int) // names, keys and addresses, and their lines
	for _, line := range lines {
		n, err := parseNode(line.Record)
		if err == nil {
			err = n.once(seen, line.Number)
		}
		if err != nil {
			return Nodes{}, fmt.Errorf("%w: line %d: %w", ErrNodes, line.Number, err)
		}
		if ns.list = append(ns.list, n); len(ns.list) > MaxNodes {
			return Nodes{}, fmt.Errorf("%w: line %d: more than %d nodes", ErrNodes, line.Number, MaxNodes)
		}
	}
	if len(ns.list) == 0 {
		return Nodes{}, fmt.Errorf("%w: it is empty", ErrNodes)
	}
	slices.SortFunc(ns.list, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	return ns, nil
}

// parseNode reads one line.
func parseNode(r ndb.Record) (n Node, err error) {
	for _, a := range r {
		if len(r.All(a.Name)) > 1 {
			return n, fmt.Errorf("%s= twice", a.Name)
		}
		switch a.Name {
		case "node":
			if n.Name = a.Value; !isName(n.Name) {
				err = fmt.Errorf("node=%q is not 1 to %d of a-z, 0-9, '.', '-' and '_'", a.Value, MaxName)
			}
		case "key":
			n.Key, err = parseKey(a.Value)
		case "watch":
			n.Watch, err = parseAddr(a)
		case "bgp":
			n.BGP, err = parseAddr(a)
		case "dns":
			n.DNS, err = parseAddr(a)
		default:
			err = fmt.Errorf("unknown attribute %q", a.Name)
		}
		if err != nil {
			return n, err
		}
	}
	switch {
	case n.Name == "":
		err = errors.New("node= is missing")
	case n.Key.IsZero():
		err = errors.New("key= is missing")
	case !n.Watch.IsValid():
		err = errors.New("watch= is missing")
	}
	return n, err
}

// isName tells whether s can be a node's name.
func isName(s string) bool {
	for i, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && strings.ContainsRune(".-_", c):
		default:
			return false
		}
	}
	return len(s) >= 1 && len(s) <= MaxName
}

// parseKey reads a public key as the line of nc-keygen -pub has it.
func parseKey(s string) (key.Public, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return key.Public{}, errors.New("key= is not base64, as public= in the output of nc-keygen -pub is")
	}
	p, err := key.ParsePublic(1, append([]byte{byte(key.Ed25519)}, b...))
	if err != nil {
		return key.Public{}, fmt.Errorf("key=: %w", err)
	}
	return p, nil
}

// parseAddr reads an address with a port that a datagram can be sent to.
func parseAddr(a ndb.Attr) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(a.Value)
	addr := ap.Addr()
	if err != nil || ap.Port() == 0 || addr.IsUnspecified() || addr.IsMulticast() || addr.Is4In6() {
		return netip.AddrPort{}, fmt.Errorf("%s=%q is not the address and port of one node", a.Name, a.Value)
	}
	return ap, nil
}

// once checks that nothing of the node is on an earlier line.
func (n Node) once(seen map[string]int, line int) error {
	texts := []string{"the name " + n.Name, "the key " + base64.StdEncoding.EncodeToString(n.Key.Bytes()[1:])}
	for _, a := range []netip.AddrPort{n.Watch, n.BGP, n.DNS} {
		if a.IsValid() {
			texts = append(texts, "the address "+a.String())
		}
	}
	for _, text := range texts {
		if other, ok := seen[text]; ok {
			return fmt.Errorf("%s is on line %d already", text, other)
		}
		seen[text] = line
	}
	return nil
}

// All gives the nodes in the order of their names. The caller leaves it as it is.
func (ns Nodes) All() []Node { return ns.list }

// Others gives all nodes but one, in the order of their names.
func (ns Nodes) Others(name string) []Node {
	return slices.DeleteFunc(slices.Clone(ns.list), func(n Node) bool { return n.Name == name })
}

// Get gives the node of a name, and whether there is one.
func (ns Nodes) Get(name string) (Node, bool) {
	i, ok := slices.BinarySearchFunc(ns.list, name, func(n Node, name string) int { return cmp.Compare(n.Name, name) })
	if !ok {
		return Node{}, false
	}
	return ns.list[i], true
}

// Len is how many nodes there are.
func (ns Nodes) Len() int { return len(ns.list) }

// Quorum is how many nodes have to say the same: ceil((N+1)/2), a majority of all.
func (ns Nodes) Quorum() int { return len(ns.list)/2 + 1 }

// Allowed tells whether a quorum without the victim can exist at all. With one or
// two nodes there is none, and no node can be withdrawn by the others.
func (ns Nodes) Allowed() bool { return len(ns.list)-1 >= ns.Quorum() }

// An id stands for a node in a heartbeat.
type id [8]byte

// id is the start of the SHA-256 of the public key.
func (n Node) id() id {
	sum := sha256.Sum256(n.Key.Bytes())
	return id(sum[:8])
}

func (a id) compare(b id) int { return bytes.Compare(a[:], b[:]) }
