// Package coord is the cluster's coordinator: who its nodes are and which of them
// live, the chain table, and the one controller that may change it. All of it is in
// etcd, of which nothing is seen outside of this package.
//
// # What is kept
//
// Under /nc/v1, each value one line of text:
//
//	cluster          the settings
//	node/NAME        where a node is, and the number of its last incarnation
//	held/NAME        what was whole on its disk when that incarnation registered
//	live/NAME        the incarnation that is registered now
//	silent/NAME      the nodes that it has no connection with
//	table            whether the chain table is there, or being made
//	chain/NNN        a chain's row
//	report/NNN/KIND  the last report of a kind about a chain
//	ctl              the elected controller
//	token/NONCE      a token that was used, and for which request
//
// A program takes no notice of what it does not know, in keys and in values; a
// change that older programs must not overlook takes another prefix.
//
// # Registration
//
// A node takes the number after that of its last incarnation in one transaction
// that holds only if its record is still the one that the number was read from. So
// of two that run at a time one fails, and one that is late does nothing. The key
// live/NAME has the incarnation for its value; a renewal writes it again if it has
// that value still. Once it was deleted it never has it again, so a registration
// that lapsed stays so. Deleted it is by the controller, by the node when it ends, or
// by the end of its etcd lease; that last is a hint that the node is gone, and no
// more.
//
// # The picture
//
// All nodes keep a picture of everything, from one listing and then a watch from
// its revision on; it never goes back. A node's Renewed is when the last renewal
// was seen by this process' clock. The watch shows changes in their order, so
// a registration that was deleted has had no renewal after the last that was seen, and
// that one was sent before it was seen: a lease that it gave ends no later than
// that.
//
// # The controller
//
// The elected controller is whoever wrote the key ctl last; its term is that
// write's revision. Every change that it makes is one transaction which holds only
// if the key has that revision, so one that was deposed changes nothing, however
// late its transactions come. For that reason a candidate may take the key whenever
// the holder seems to be gone, rightly or not.
//
// # Members
//
// A node can run a member of the etcd cluster inside its process. Alone it
// listens nowhere. With addresses it is one of several, and others can join while it
// serves: as a learner, which is promoted when it has caught up. A member shows
// its node's certificate, and takes to it only nodes of its cluster, by their
// common name. Other members look for each other's host in the certificate, so a
// node with a member needs the host of its addresses in its certificate.
//
// A leader of which nothing is heard for half a second is replaced by an election, which
// takes up to a second in all. Meanwhile no registration is renewed, and no node is taken
// for gone because of that. A member that is told to end hands its lead over first.
//
// More than half of the members have to be there for anything to change; with two,
// that is both. etcd adds one at a time, and adds or removes one only when those that
// have to be there have been connected for five seconds. A member that was lost with
// its disk joins again by itself, if the others have the majority.
package coord
