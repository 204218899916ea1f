package replica

import (
	"time"

	"namecast/lib/chain"
)

// A Status is what an operator can be shown of a replica.
type Status struct {
	Role   Role
	Row    chain.Row // installed
	Place  int       // in the row's members, 0 for the head, or -1
	Active bool      // it is the tail, and commits
	// First and Last are the ends of the log. What is Durable is on this disk;
	// what is Committed is at every member, and applied here.
	First, Last, Durable, Committed chain.LSN
	// Lease is for how long the lease is in force yet; negative if it lapsed.
	Lease time.Duration
	// Waiting requests: writes taken here, writes forwarded, strong reads.
	Writes, Forwarded, Reads int
	Feeds                    []FeedStatus
	// Gated: commits wait for the recruit. Follower is how far the successor or
	// the recruit is.
	Gated    bool
	Follower chain.LSN
	// Why the replica does not serve all it is there for; "" if it does.
	Why string
}

// A FeedStatus is what an operator can be shown of a subscription.
type FeedStatus struct {
	Client, ID uint64
	Acked      chain.LSN // what the subscriber has for good
	Copying    bool      // it is sent a snapshot
}

// Status tells how the replica stands as of the last Step.
func (r *Replica) Status() Status {
	s := Status{
		Role: r.role, Row: r.row, Place: r.place, Active: r.isTail() && r.active,
		First: r.log.first, Last: r.log.last(), Durable: r.log.durable, Committed: r.commit,
		Lease: r.lease - r.now, Gated: r.gate, Follower: max(r.succ.durable, r.recruit.durable),
		Writes: r.writes.count, Forwarded: len(r.writes.forwarded),
		Reads: len(r.reads.queue) + len(r.reads.round.readings), Why: r.why(),
	}
	for _, f := range r.feeds.subs {
		s.Feeds = append(s.Feeds, FeedStatus{Client: f.client, ID: f.id, Acked: f.acked, Copying: f.copy != nil})
	}
	return s
}

// why says what keeps the replica from serving.
func (r *Replica) why() string {
	switch {
	case r.halted:
		return "stopped: its log contradicts another's or its row"
	case r.role == None && r.emptying != 0:
		return "empties its disk of half a copy"
	case r.role == None:
		return "not in the row"
	case r.role == Barred:
		return "fenced by the controller; waits for a row without it"
	case r.in.on:
		return "recruit: copies the state"
	case r.role == Copying:
		return "recruit: follows the tail"
	case r.isTail() && !r.active:
		return "tail: waits for its predecessor to install the epoch"
	case !r.succ.to.IsZero() && !r.succ.known:
		return "waits for its successor to install the epoch"
	case r.wanted > r.row.Epoch:
		return "waits for a newer row"
	case len(r.row.Members) < r.opt.MinMembers:
		return "too few members to take writes"
	}
	return ""
}
