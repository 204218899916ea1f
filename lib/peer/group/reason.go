package group

// A Reason says why a datagram was refused, or Taken.
type Reason uint8

// Reasons, in the order in which they are looked for.
const (
	Taken     Reason = iota
	NoLink           // came in over a link that is not known
	Elsewhere        // sent to an address that is not this node's
	Routed           // its TTL shows that it came through a router, or may have
	OffLink          // its source is not in a prefix of the link
	Sealed           // the keys do not open it, or it is not well-formed
	Own              // this node's own multicast
	Budget           // too many of its kind, or no room
	Stranger         // not a member, or one whose start is not known
	Address          // not from an address that its sender has signed
	Replayed         // taken before, or older than what was
	Late             // held back on the way
	Signature        // a Hello that is not signed by its sender
	Useless          // a Pong without a Ping, or a list that nobody asked for
	reasons
)

var reasonTexts = [reasons]string{"taken", "unknown link", "sent elsewhere", "routed", "off link",
	"sealed", "own", "over budget", "stranger", "wrong address", "replayed", "late", "bad signature", "useless"}

func (r Reason) String() string {
	if r < reasons {
		return reasonTexts[r]
	}
	return "unknown"
}

// Stats are counts since New.
type Stats struct {
	Received   [reasons]uint64 // datagrams, by Reason
	Sent       uint64          // datagrams by unicast
	Multicast  uint64          // datagrams by multicast and broadcast
	SentOctets uint64
	TooBig     uint64 // messages that do not fit and were not sent
	Candidates int    // that have not answered yet
	Known      int    // nodes of which something is remembered
	Quiet      int    // links on which no multicast is heard
}

// Stats gives the counts.
func (g *Group) Stats() Stats {
	s := g.stats
	s.Known = len(g.nodes)
	for _, n := range g.list {
		if n.claim != nil {
			s.Candidates++
		}
	}
	for _, l := range g.links {
		if l.quiet(g.now, g.interval()) {
			s.Quiet++
		}
	}
	return s
}
