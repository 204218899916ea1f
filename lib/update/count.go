package update

import "sync/atomic"

// Counters count what became of the datagrams of the update port since the
// start of the process.
type Counters struct {
	Accepted  atomic.Uint64 // committed
	Replayed  atomic.Uint64 // the last request again, answered from memory
	Queries   atomic.Uint64 // sequence queries answered
	Refused   atomic.Uint64 // refused with a reply
	NotNUP    atomic.Uint64 // dropped: not a packet of the protocol
	OverRate  atomic.Uint64 // refused or dropped: a budget was used up
	Overload  atomic.Uint64 // dropped: too many at once, or past the ceiling of verifications
	Duplicate atomic.Uint64 // dropped: the same packet is being worked on
	Forged    atomic.Uint64 // the signature did not match
	Created   atomic.Uint64 // new accounts
	Claimed   atomic.Uint64 // domains that got a new owner
	Stalled   atomic.Uint64 // the store could not commit
}
