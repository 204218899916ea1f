package zone

import (
	"encoding/binary"
	"net/netip"

	"namecast/lib/dnssec"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Service is what an operator sets: the base domain, its name servers, and
// how the records look that the service makes by itself. Numbers that are zero
// have the default that is named beside them. It is read only; any number of
// goroutines may answer from one.
type Service struct {
	Base rr.Name      // the domain that accounts have their suffix under
	NS   []NameServer // of the base and of every owned domain; the first is the MNAME
	// Contact is the RNAME of the base zone's SOA; "hostmaster" under Base when empty.
	Contact rr.Name
	TTL     uint32 // of the base's SOA, automatic NS and host addresses, seconds; 3600
	Refresh uint32 // SOA timers, seconds; 7200
	Retry   uint32 // 1800
	Expire  uint32 // 1209600
	Minimum uint32 // TTL of negative answers, seconds; 300
	MaxUDP  int    // the largest UDP response, octets, 512 to 4096; 1232
	// ID names this node: the NSID option (RFC 5001) and id.server in class
	// CHAOS (RFC 4892). Empty is not told.
	ID string
	// Version is what version.bind in class CHAOS says. Empty is not told.
	Version string
	// Signer has the keys of the zones. Without it they are not signed.
	Signer *dnssec.Signer
}

// A NameServer is a host that the service names in NS records. Its addresses
// are served if the name is under the base domain.
type NameServer struct {
	Name  rr.Name
	Addrs []netip.Addr
}

// defaults of the fields of [Service] that are zero.
const (
	defaultTTL     = 3600
	defaultRefresh = 7200
	defaultRetry   = 1800
	defaultExpire  = 1209600
	defaultMinimum = 300
	defaultMaxUDP  = 1232 // what fits into IPv6's smallest packet everywhere
	plainUDP       = 512  // RFC 1035 section 4.2.1: without EDNS
	largestUDP     = 4096
)

// hostmaster is the label of the mailbox that RFC 2142 section 7 has for zones.
const hostmaster rr.Name = "\x0ahostmaster"

func or(v, instead uint32) uint32 {
	if v == 0 {
		return instead
	}
	return v
}

// Serial makes a SOA serial of a counter, for the base zone the position of the
// store: never zero, which some secondaries take for "no zone".
func Serial(n uint64) uint32 { return max(1, uint32(n)) }

// soa makes the SOA record of a zone.
func (s *Service) soa(z *held) rr.Set {
	first := z.name
	if len(s.NS) > 0 {
		first = s.NS[0].Name
	}
	data := make([]byte, 0, len(first)+len(z.contact)+2+SOATail)
	data = append(append(data, first...), 0)
	data = append(append(data, z.contact...), 0)
	for _, n := range []uint32{
		z.serial, or(s.Refresh, defaultRefresh), or(s.Retry, defaultRetry),
		or(s.Expire, defaultExpire), or(s.Minimum, defaultMinimum),
	} {
		data = binary.BigEndian.AppendUint32(data, n)
	}
	return rr.Set{Type: rr.TypeSOA, TTL: z.ttl, Data: []rr.Data{rr.Data(data)}}
}

// ns makes the automatic NS records.
func (s *Service) ns() rr.Set {
	set := rr.Set{Type: rr.TypeNS, TTL: or(s.TTL, defaultTTL)}
	for _, n := range s.NS {
		set.Data = append(set.Data, rr.NameData(n.Name))
	}
	return set
}

// base is the zone of the accounts' suffixes.
func (s *Service) base(v store.View) *held {
	z := s.baseZone()
	z.serial = Serial(uint64(v.Position()))
	return z
}

// baseZone is base before it has a serial.
func (s *Service) baseZone() *held {
	contact := s.Contact
	if contact == "" {
		contact = hostmaster + s.Base
	}
	return &held{name: s.Base.Lower(), contact: contact, ttl: or(s.TTL, defaultTTL)}
}

// hosts gives the address records of the service's name servers at a name
// relative to the base, lower case, and whether that name or one below it is
// such a host.
func (s *Service) hosts(rel rr.Name) (sets []rr.Set, exists bool) {
	ttl := or(s.TTL, defaultTTL)
	v4 := rr.Set{Owner: rel, Type: rr.TypeA, TTL: ttl}
	v6 := rr.Set{Owner: rel, Type: rr.TypeAAAA, TTL: ttl}
	for _, n := range s.NS {
		host, inside := n.Name.Cut(s.Base)
		if !inside || !host.Under(rel) || len(n.Addrs) == 0 {
			continue
		}
		exists = true
		if len(host) != len(rel) {
			continue
		}
		for _, a := range n.Addrs {
			if a = a.Unmap(); a.Is4() {
				v4.Data = append(v4.Data, rr.Data(a.AsSlice()))
			} else {
				v6.Data = append(v6.Data, rr.Data(a.AsSlice()))
			}
		}
	}
	for _, set := range []rr.Set{v4, v6} {
		if len(set.Data) > 0 {
			sets = append(sets, set)
		}
	}
	return sets, exists
}

// UDPLimit is the largest response over UDP, in octets, for a client that takes
// size octets.
func (s *Service) UDPLimit(size int) int {
	most := s.MaxUDP
	if most == 0 {
		most = defaultMaxUDP
	}
	return min(max(size, plainUDP), max(most, plainUDP), largestUDP)
}

// Apex makes the SOA record of a zone with a contact, a TTL and a serial, and the
// automatic NS records, for a server that gets the zone by another way; the owners
// are empty. The contact "" and the TTL 0 are those of the base zone.
func (s *Service) Apex(contact rr.Name, ttl, serial uint32) []rr.Set {
	z := s.baseZone()
	if contact != "" {
		z.contact = contact
	}
	z.ttl, z.serial = or(ttl, z.ttl), Serial(uint64(serial))
	sets := []rr.Set{s.soa(z)}
	if ns := s.ns(); len(ns.Data) > 0 {
		sets = append(sets, ns)
	}
	return sets
}

// HostSets gives the addresses of the service's name servers below the base, their
// owners relative to it and in lower case.
func (s *Service) HostSets() (sets []rr.Set) {
	seen := map[rr.Name]bool{}
	for _, n := range s.NS {
		host, inside := n.Name.Lower().Cut(s.Base)
		if !inside || seen[host] {
			continue
		}
		seen[host] = true
		at, _ := s.hosts(host)
		sets = append(sets, at...)
	}
	return sets
}
