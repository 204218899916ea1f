// Package quorum is what the nodes of an anycast service sign for each other:
// heartbeats, by which each knows how the others are, and votes, by which a
// majority takes a route away from a node that cannot see itself that it fails.
//
// The nodes are a list that a person keeps, the same on all of them, in lines of
// package ndb:
//
//	node=a key=<public key> watch=192.0.2.1:8154 bgp=192.0.2.1:8155 dns=192.0.2.1:53
//	node=b key=<public key> watch=192.0.2.2:8154 bgp=192.0.2.2:8155 dns=192.0.2.2:53
//	node=w key=<public key> watch=198.51.100.7:8154
//
// The key is the value of public= in what "nc-keygen -pub" prints of the node's
// own Ed25519 key. Heartbeats go to watch=, votes against the node go to bgp=,
// and dns= is where the others ask it, all at addresses that are the node's alone
// and not the service's. A node without bgp= and dns= only watches.
//
// # Votes
//
// Votes are the order: a node that sees another fail sends its own signed vote
// straight to that node, again and again while the reason holds, and nobody
// collects signatures. The node's speaker, which keeps a Ballot, obeys for as long
// as a quorum of the nodes says the same at the same time. There is nothing to take
// back: a vote is good for a lease of a minute at most, so a quorum that falls
// silent gives the route back.
//
// A quorum is a majority of all nodes of the list, and the victim's own vote is
// not counted: with two nodes there is none, and a third that only watches makes
// one. Two halves of a cut network are never both a quorum. The last node is not
// withdrawn: of the voters as many as configured have to say that they announce
// the same prefix themselves and are well.
//
// # Datagrams
//
// A message is one UDP datagram of at most MaxDatagram octets, which no path
// that carries IPv6 cuts into pieces. Numbers are big-endian.
//
//	 0      2         3      4
//	+------+---------+------+--------+------+--------+--------+--------+
//	| "nq" | version | kind | length | name | boot 8 | seq 8  | time 8 | ...
//	+------+---------+------+--------+------+--------+--------+--------+
//
// The version is 1. The name is the sender's, its length one octet. Boot numbers
// the sender's lives and grows, as the time of its start does; seq grows by each
// message; the time is in nanoseconds since 1970. A heartbeat ('h') goes on with
//
//	config 8 | flags 1 | count 1 | prefixes | count 1 | nodes seen, 8 each | signature 64
//
// and a vote ('v') with
//
//	length 1 | victim's name | prefix | lease 4, in milliseconds | flags 1 | signature 64
//
// A prefix is an octet with 4 or 6 in its low half and, in a heartbeat, its State
// in the high half; an octet of its length in bits; and the 4 or 16 octets of the
// address, zero behind the length. A node seen is the start of the SHA-256 of its
// public key, in ascending order. Of the flags, 1 is "well" and no other may be
// set. The signature is the sender's (Ed25519, RFC 8032) of a context, which is
// another for each kind, followed by all of the datagram before the signature. A
// message has one form only: what is longer or otherwise written is refused.
//
// # Replays
//
// A Window takes each message once: boot and seq have to grow, but for a few
// messages that have overtaken each other. What it remembers of a silent node it
// forgets after a minute, for a message whose time is more than MaxSkew away from
// the receiver's is refused by that alone.
//
// The package is pure: secrets, time and datagrams are given to it.
package quorum
