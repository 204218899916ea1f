package speaker

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"namecast/lib/route"
)

// Limits of a configuration.
const (
	MinHold     = 3 * time.Second // the least of RFC 4271, section 4.2, but for none
	MaxHold     = 3 * time.Minute
	MaxPassword = 80  // octets, of TCP MD5 (RFC 2385) in Linux
	MaxHops     = 255 // of a neighbour that is not next to this node
)

// DefaultMaxPrefixes is how many prefixes of a family a neighbour may send. They are
// kept, and used for nothing, at less than 1 kB each. One that sends more is not
// spoken to for a while: without a limit it would take the node's memory, and with a
// low one it could end the announcement by a change of what it sends, so the limit is
// high, and a warning comes at a hundredth of it.
const DefaultMaxPrefixes = 100_000

// A Config is what a speaker is and whom it speaks with.
type Config struct {
	AS        uint32     // of this node
	ID        netip.Addr // BGP identifier, an IPv4 address
	Neighbors []Neighbor
	Prefixes  []netip.Prefix // that Set takes
	Fallback  []netip.Prefix // announced from beginning to end
	// Changed is called when what Peers or Out answer may have changed; it must
	// return at once. It may be nil.
	Changed func()
	Log     *slog.Logger
}

// A Neighbor is a router that is told the routes.
type Neighbor struct {
	Addr     netip.Addr
	Port     uint16 // 0 is 179
	AS       uint32 // another than this node's
	Password string // of TCP MD5 (RFC 2385); "" is none
	GTSM     bool   // packets with a TTL below 255 are dropped (RFC 5082)
	Multihop int    // TTL of packets to a neighbour that is not next to this node; 0 for one that is
	// Hold is the hold time that is offered; a third of it is the time between
	// keepalives. Whole seconds.
	Hold     time.Duration
	Source   netip.Addr // of the connection; the zero Addr is the system's choice
	NextHop6 netip.Addr // of IPv6 routes told over IPv4; the zero Addr is: none are
	// MaxPrefixes is how many prefixes of a family it may send; 0 is
	// DefaultMaxPrefixes.
	MaxPrefixes int
}

// carries tells whether the neighbour is told prefixes of this family.
func (n Neighbor) carries(p netip.Prefix) bool {
	return p.Addr().Is4() && n.Addr.Is4() || p.Addr().Is6() && (n.Addr.Is6() || n.NextHop6.IsValid())
}

// Check refuses what cannot work. An error names the neighbour or the prefix.
func (c Config) Check() error {
	if c.AS == 0 {
		return errors.New("an AS of 0")
	}
	if !c.ID.Is4() || c.ID.IsUnspecified() {
		return fmt.Errorf("id %s is no IPv4 address", c.ID)
	}
	if len(c.Neighbors) == 0 {
		return errors.New("no neighbour")
	}
	for i, n := range c.Neighbors {
		err := n.Check()
		if n.AS == c.AS {
			err = fmt.Errorf("AS %d is this node's own, and BGP within an AS is not spoken", c.AS)
		}
		if slices.ContainsFunc(c.Neighbors[:i], func(m Neighbor) bool { return m.Addr == n.Addr }) {
			err = errors.New("twice")
		}
		if err != nil {
			return fmt.Errorf("neighbour %s: %w", n.Addr, err)
		}
	}
	return c.checkPrefixes()
}

// Check refuses what cannot work with any node.
func (n Neighbor) Check() error {
	switch {
	case !n.Addr.IsValid() || n.Addr.IsUnspecified() || n.Addr.IsMulticast() || n.Addr.Is4In6() || n.Addr.Zone() != "":
		return errors.New("not the address of a neighbour")
	case n.AS == 0:
		return errors.New("an AS of 0")
	case n.Hold < MinHold || n.Hold > MaxHold || n.Hold%time.Second != 0:
		return fmt.Errorf("hold time %s is not whole seconds within %s to %s", n.Hold, MinHold, MaxHold)
	case n.Multihop < 0 || n.Multihop == 1 || n.Multihop > MaxHops:
		return fmt.Errorf("%d hops are not within 2 to %d", n.Multihop, MaxHops)
	case n.Multihop > 0 && n.GTSM:
		return errors.New("GTSM is for a neighbour without hops between")
	case len(n.Password) > MaxPassword:
		return fmt.Errorf("a password of more than %d octets", MaxPassword)
	case n.MaxPrefixes < 0 || n.MaxPrefixes > 10_000_000:
		return fmt.Errorf("a limit of %d prefixes is not within 1 to 10000000", n.MaxPrefixes)
	case n.Source.IsValid() && (n.Source.Is4() != n.Addr.Is4() || n.Source.IsUnspecified()):
		return fmt.Errorf("source %s does not go with it", n.Source)
	case n.NextHop6.IsValid() && (!n.NextHop6.Is6() || n.NextHop6.Is4In6() || n.NextHop6.IsUnspecified() || n.NextHop6.Zone() != ""):
		return fmt.Errorf("next hop %s is no IPv6 address of this node", n.NextHop6)
	case n.NextHop6.IsValid() && n.Addr.Is6():
		return fmt.Errorf("next hop %s is needed over IPv4 only", n.NextHop6)
	}
	return nil
}

// CheckPrefix refuses what is no prefix that a node could announce.
func CheckPrefix(p netip.Prefix) error {
	if p.Bits() == 0 {
		return fmt.Errorf("prefix %s is the default route", p)
	}
	_, err := route.ParsePrefix(p.String())
	return err
}

func (c Config) checkPrefixes() error {
	seen := map[netip.Prefix]bool{}
	for _, p := range slices.Concat(c.Prefixes, c.Fallback) {
		if err := CheckPrefix(p); err != nil {
			return err
		}
		switch {
		case seen[p]:
			return fmt.Errorf("prefix %s: twice", p)
		case !slices.ContainsFunc(c.Neighbors, func(n Neighbor) bool { return n.carries(p) }):
			return fmt.Errorf("prefix %s: no neighbour is told of its family: one over IPv6, or with a next hop for it, is needed", p)
		}
		seen[p] = true
	}
	if len(c.Prefixes) == 0 {
		return errors.New("no prefix")
	}
	return nil
}
