// Package craq keeps accounts in the replicated storage of package chain, with a
// local replica of all of them in a database of package leveldb. What is read is
// read from the replica, and never waits for the network; what is changed is
// committed by the chains, and comes back through their feeds.
//
// # Keys
//
// An account is on the chain that the first octet of the SHA-256 of its name
// gives, with all that is its own; a domain's claim, and a key's reservation, on
// the chain of the SHA-256 of their names, a domain's in lower case and wire form.
// be16 is a number of two octets, the high one first; 00 is the octet zero.
//
//	a/ account 00                      -> spelling, head    (store.AppendHead)
//	a/ account 00 k/ key               -> empty             a key that a rekey brought
//	a/ account 00 r/ set               -> RRset             (store.AppendRecords)
//	k/ key                             -> account           a reservation
//	o/ domain in lower case, wire      -> claim             (store.AppendClaim)
//	m/restore                          -> a restore's mark  on chain 0
//
// A set is what store.AppendSetKey makes of owner and type. So all of an account
// stands together in the order of keys. Spelling is what the keys of the RRsets
// that the change deleted do not tell: how many of their owners it wrote with
// upper case, and of each the place among the deleted and the owner.
//
// # Changes
//
// A change is one record: on the condition that the head's key is at the version
// that the change was made from, it puts the head, and puts and deletes RRsets.
// Chains count versions of keys in LSNs; the replica knows that of each head. So a
// change is one exchange with the head of its chain. If the replica is behind the
// change, as it may be behind what another node has told the client, the head's key
// is read from the chain first.
//
// A change that brings a key first reserves it on the key's own chain: there must
// be neither an account of that name nor another's reservation. The key counts
// for the account only with the account's own record. A crash between the two
// leaves a reservation that only the same account can use, so whoever tries the same
// again finishes it; it is never taken back, since two tries may be under way. A
// new account's record has the condition that its name is not reserved.
//
// Commit returns when the chain has committed the change and the replica has it:
// the node that took a change answers with it before the change is acknowledged.
// If the context ends after the change was committed and before the replica has
// it, that is no error. If it ends while nobody knows whether the change was
// committed, the error is store.ErrUnavailable; the same change can be sent again,
// since its condition keeps it from being made twice.
//
// # Positions
//
// The position is that of the replica, see leveldb.DB.Follow: the sum of the
// versions of all accounts and claims, and what a restore set as their base.
// Nodes that hold the same are at the same position. Records that did nothing, and
// reservations, do not count.
//
// # Restoring
//
// Restore reads the whole backup into a file first, and refuses it if it does not
// hold together. Then it marks the chains as being restored, on the condition
// that they are empty or marked by the same backup; brings claims, keys and
// accounts, each account's head last; and takes the mark away. While the mark is
// there no node serves accounts or takes changes. A restore that was broken off
// leaves the mark, and the same backup finishes it; another backup is refused.
package craq
