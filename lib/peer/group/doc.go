// Package group knows who the members of a group on the same links are, whether
// they live, and which of them own a name. It finds them, proves them, gives each
// message of theirs to the node once, and refuses everything else without a word.
//
// # How members are found
//
// A node multicasts a Hello on each link, to the groups that belong to the group's
// key: every five seconds in a small group and seldom in a large one, and none while
// there were eight multicasts on the link within a second, whatever the size of the
// group. IPv6 and IPv4 take turns where a link has both. While no multicast is heard on
// a link, the Hello goes by IPv4 broadcast as well and to addresses that are remembered
// from earlier; to those that a person has given it goes always.
//
// A Hello makes a candidate only. Ping and Pong by unicast make it a member: they
// prove that both directions work, that it is on the link and that it lives now.
// Members whose Hello shows another set of members (its digest is another) are
// asked for their list, Known, at most once a second and ever less often while
// nothing comes of it. So everybody knows everybody soon, though few have
// multicast, and where multicast fails one address is enough to find all.
//
// A member goes when it says Bye, when its last address or the link is gone, and
// after a silence of three intervals of a Hello; a Ping asks it before. One that
// leaves two questions or Pings unanswered is suspect: it stays a member and owns
// nothing until it is heard by unicast again.
//
// # What is refused
//
// In this order, silently, and counted by its Reason: what did not come in over a
// known link, to an address that is ours, with a TTL of 255 (1 for multicast of IPv4),
// which no router leaves as it is (RFC 5082), and from one of the link's networks; what
// the group's keys do not open; what is of a start of its sender that is not known, but
// for a Hello; what is not from an address that the sender has signed in its Hello; a
// replay, and what is late; what exceeds a budget.
//
// Each key of the file is accepted, and a member is spoken to under the one that it
// uses; what goes to all is said under each key that some member uses. An address is one member only: who takes another's has to wait until that one
// does not answer there.
//
// # Replays
//
// There is no date in a message. Its sequence number is the time since the start of
// its sender in microseconds, or one more than the number before. A receiver takes
// each number of a boot once, and it takes a boot only from a Pong that echoes its
// own challenge. Then it knows how the sender's numbers stand to its own clock, so
// what is held back on the way for more than ten seconds is refused although
// nobody has seen it before, and no number far in the future is taken. Numbers of
// boots that are over are remembered as well.
//
// # What a member can do to others
//
// All have the same key, and only a Hello is signed. So a member that also forges
// addresses of the link can speak for another one; it cannot take over another's
// NodeID for longer, which takes the other's key and an answer from its address.
//
// The package is pure: time, since the boot of the machine, randomness and
// datagrams are given to it, and what is to be sent is returned. A Group is not for
// several goroutines at once.
package group
