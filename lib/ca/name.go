package ca

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ErrName: not a member's name.
var ErrName = errors.New("bad name")

// A Role is what a member may do.
type Role string

// Roles.
const (
	Node   Role = "node"   // keeps chains, and issues certificates if it has the authority's file
	Client Role = "client" // reads and writes
)

// A Name says who a member is. All parts are what CheckLabel takes.
type Name struct {
	Cluster string
	Role    Role
	ID      string
}

// scheme is that of the URIs.
const scheme = "nc"

// String gives the name's URI, as nc://c1/node/n1.
func (n Name) String() string {
	return scheme + "://" + n.Cluster + "/" + string(n.Role) + "/" + n.ID
}

func (n Name) uri() *url.URL {
	return &url.URL{Scheme: scheme, Host: n.Cluster, Path: "/" + string(n.Role) + "/" + n.ID}
}

// check returns ErrName if the name is not one.
func (n Name) check() error {
	if n.Role != Node && n.Role != Client {
		return fmt.Errorf("%w: role %q", ErrName, n.Role)
	}
	return errors.Join(CheckLabel(n.Cluster), CheckLabel(n.ID))
}

// ParseName reads a name's URI. There is one form of each; any other is ErrName.
func ParseName(s string) (Name, error) {
	rest, ok := strings.CutPrefix(s, scheme+"://")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return Name{}, fmt.Errorf("%w: %q is not %s://CLUSTER/ROLE/ID", ErrName, s, scheme)
	}
	n := Name{parts[0], Role(parts[1]), parts[2]}
	return n, n.check()
}

// CheckLabel returns ErrName unless s is good as a cluster's name or a member's
// ID: 1 to 63 lower-case letters, digits and hyphens, no hyphen at an end.
func CheckLabel(s string) error {
	bad := strings.IndexFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-')
	})
	if s == "" || len(s) > 63 || bad >= 0 || s[0] == '-' || s[len(s)-1] == '-' {
		return fmt.Errorf("%w: %q is not 1 to 63 of a-z, 0-9 and inner hyphens", ErrName, s)
	}
	return nil
}

// checkHost returns ErrHost unless s is a host name of lower-case labels, the last
// of them not a number.
func checkHost(s string) error {
	if len(s) > 253 {
		return fmt.Errorf("%w: %d octets", ErrHost, len(s))
	}
	bad := strings.Trim(s[strings.LastIndexByte(s, '.')+1:], "0123456789") == "" // a malformed address
	for label := range strings.SplitSeq(s, ".") {
		bad = bad || CheckLabel(label) != nil
	}
	if bad {
		return fmt.Errorf("%w: %q is neither an address nor a name of lower-case labels", ErrHost, s)
	}
	return nil
}
