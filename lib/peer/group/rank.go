package group

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// A seat is a member's place in the ring of owners.
type seat struct {
	id     packet.NodeID
	hash   uint64 // of the id, under the group's key
	weight uint8
	helps  bool // its name servers answer
	absent bool // it does not answer for now
}

// maxBest is how many owners or helpers can be asked for.
const maxBest = 16

// score is what a seat has for a name: the greatest owns it. It is the weighted
// rendezvous of Schindelhauer and Schomaker: -w/ln(u) with u the hash, from 0 to 1.
func score(name, node uint64, weight uint8) float64 {
	u := (float64(mix(name^node)>>11) + 0.5) / (1 << 53)
	return -float64(weight) / math.Log(u)
}

// mix is the finalizer of splitmix64: each bit of the result hangs on all of x.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// best appends the n seats of the greatest scores, the best first.
func best(seats []seat, name uint64, n int, weigh func(*seat) uint8, to []packet.NodeID) []packet.NodeID {
	type scored struct {
		score float64
		id    packet.NodeID
	}
	var top [maxBest]scored
	n, have := min(n, maxBest), 0
	for i := range seats {
		w := weigh(&seats[i])
		if w == 0 {
			continue
		}
		s := score(name, seats[i].hash, w)
		if have == n && (n == 0 || s <= top[n-1].score) {
			continue
		}
		have = min(have+1, n)
		at := have - 1
		for ; at > 0 && top[at-1].score < s; at-- {
			top[at] = top[at-1]
		}
		top[at] = scored{s, seats[i].id}
	}
	for _, t := range top[:have] {
		to = append(to, t.id)
	}
	return to
}

// nameHash is the hash of a name under the group's key, so that nobody outside can
// choose names that fall on one member.
func (g *Group) nameHash(name rr.Name) uint64 {
	return g.hash("name", []byte(name))
}

func (g *Group) hash(domain string, b []byte) uint64 { return hash(g.o.Keys, domain, b) }

func hash(keys *packet.Keys, domain string, b []byte) uint64 {
	sum := keys.Mac("rendezvous "+domain, b)
	return binary.BigEndian.Uint64(sum[:])
}

// Order gives those n, at most 16, of the nodes with a group's keys that own a name, the
// best first, when all of them live and have the same weight: for who wants to know
// beforehand.
func Order(keys *packet.Keys, nodes []packet.NodeID, name rr.Name, n int) []packet.NodeID {
	seats := make([]seat, len(nodes))
	for i, id := range nodes {
		seats[i] = seat{id: id, hash: hash(keys, "node", id[:])}
	}
	return best(seats, hash(keys, "name", []byte(name)), n, func(*seat) uint8 { return 1 }, nil)
}

// Owners appends the n best members for a name, at most 16, the best first. The node
// itself may be among them. Members that are suspect, of weight 0 or in another network
// own nothing.
func (g *Group) Owners(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	return best(g.ring(), g.nameHash(name), n, func(s *seat) uint8 {
		if s.absent {
			return 0
		}
		return s.weight
	}, to)
}

// Absent appends those of the n best members for a name, at most 16, that own nothing only
// since they are suspect: they may be dead, or too busy to answer in time.
func (g *Group) Absent(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	seats := g.ring()
	if !slices.ContainsFunc(seats, func(s seat) bool { return s.absent }) {
		return to
	}
	for _, id := range best(seats, g.nameHash(name), n, func(s *seat) uint8 { return s.weight }, nil) {
		if g.nodes[id] != nil && g.nodes[id].suspect {
			to = append(to, id)
		}
	}
	return to
}

// Helpers appends other members whose name servers answer, at most 16, the best for
// the name first.
func (g *Group) Helpers(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	return best(g.ring(), g.nameHash(name), n, func(s *seat) uint8 {
		if !s.helps || s.absent {
			return 0
		}
		return max(s.weight, 1)
	}, to)
}

// ring gives the seats of the members that are in the same network, whose records can be
// of use here, by their NodeIDs.
func (g *Group) ring() []seat {
	if g.seats != nil {
		return g.seats
	}
	g.seats = append(g.seats, seat{id: g.self, hash: g.hash("node", g.self[:]), weight: g.o.weight()})
	for _, n := range g.list {
		if n.member && n.hello.Net == g.status.Net {
			g.seats = append(g.seats, seat{n.id, n.rank, n.hello.Weight, n.hello.Upstream == packet.Healthy, n.suspect})
		}
	}
	slices.SortFunc(g.seats, func(a, b seat) int { return slices.Compare(a.id[:], b.id[:]) })
	return g.seats
}

// Self is this node's NodeID.
func (g *Group) Self() packet.NodeID { return g.self }

// Size counts the members, with the node itself.
func (g *Group) Size() int { return g.members + 1 }

// Change grows whenever a member comes or goes.
func (g *Group) Change() uint64 { return g.change }

// Born is when a member was first known to live its present life.
func (g *Group) Born(id packet.NodeID) time.Duration {
	if n := g.nodes[id]; n != nil {
		return n.born
	}
	return 0
}

// Wait is after what time without an answer a member is taken as silent: four round
// trips, but 5 to 50 ms.
func (g *Group) Wait(id packet.NodeID) time.Duration {
	if n := g.nodes[id]; n != nil && n.member {
		if p := n.path(); p != nil && p.srtt > 0 {
			return min(max(4*p.srtt, 5*time.Millisecond), 50*time.Millisecond)
		}
	}
	return 50 * time.Millisecond
}

// Silent tells that a member did not answer. After the second time it is suspect,
// and is pinged on all its addresses.
func (g *Group) Silent(id packet.NodeID) {
	n := g.nodes[id]
	if n == nil || !n.member {
		return
	}
	if p := n.path(); p != nil {
		p.fails++
	}
	g.missed(n)
	g.at(&n.ping, min(n.ping, g.now))
}

// missed counts what a member has left unanswered.
func (g *Group) missed(n *node) {
	if n.misses++; n.misses >= 2 && !n.suspect {
		n.suspect = true
		g.seats = nil
	}
}

// answered takes a member's unicast as a sign that it is reached.
func (g *Group) answered(n *node) {
	n.misses = 0
	if n.suspect {
		n.suspect = false
		g.seats = nil
	}
}
