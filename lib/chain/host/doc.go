// Package host is a node's replicas at work: it has the clock, the disk, the
// connections and the coordinator that package replica does without.
//
//	clients   other nodes        coordinator          disk
//	   |          |                   |                 |
//	  link: TLS, frames            picture           written
//	   |          |                   |                 |
//	   +----------+----> inputs <-----+-----------------+
//	                       |
//	        loop 0: chains 0, 2, 4...   loop 1: chains 1, 3, 5...
//	                       |
//	                    effects ----> links, disk, reports
//
// # Loops
//
// The replicas of all chains are dealt out to as many loops as there are
// processors. A loop takes all inputs that have come, reads the clock once, steps
// its replicas and carries out their effects. To put an input never waits, so no
// loop ever waits for another or for the disk. What bounds the inputs is that of
// each connection only so many may wait: then it is not read until they are done.
// After each step the storage is asked whether it could be read; if not, nothing
// is carried out any more and the node ends.
//
// # Lives
//
// A node registers with the coordinator under a new incarnation, lives, and
// registers again when that incarnation is of no more use: its registration has
// lapsed, the controller left a replica fenced, or a replica has stopped for good.
// Each life has new replicas and new connections, and begins when all batches of
// the one before are on the disk. At the end of a life its replicas stop before the
// registration is ended, so that nobody has to wait for the lease.
//
// A replica that stops for good is an error in the log, and in [Status] for an hour. The
// controller is told that it serves no more; the node comes back a second later,
// and later each time it happens again in the same chain.
//
// # Silence
//
// With which nodes there has been no connection for a while, the coordinator is told:
// members that do not hear each other hold up their chain, though both renew their
// registrations. A successor that answers nothing though its node is heard, since
// its loop hangs, is reported by the replica before it.
//
// # Gateway
//
// A read or a write of a chain that this node does not serve is passed on to a
// member, and the answer back. Between nodes all of that goes over the connection of
// class chain: in the epoch of the sender what is between replicas, and in epoch 0,
// that of who takes no part, what a gateway passes on and a controller's Fence. Feeds
// are not passed on: their subscriber is told to look for a member.
package host
