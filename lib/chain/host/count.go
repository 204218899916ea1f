package host

import (
	"sync/atomic"

	"namecast/lib/chain"
)

// statuses and verdicts are how many there are, from 0.
const (
	statuses = int(chain.Unconfirmed) + 1
	verdicts = int(chain.Duplicate) + 1
)

// counts are a chain's, over all lives of the node.
type counts struct {
	reads, dirty, proposals, passedOn atomic.Uint64
	wanted, unsent                    atomic.Uint64
	statuses                          [statuses]atomic.Uint64 // of answers to reads
	refusals                          [statuses]atomic.Uint64 // of answers to writes
	verdicts                          [verdicts]atomic.Uint64 // of writes that are done
}

// answered counts the answer to a write.
func (c *counts) answered(m chain.ProposeReply) {
	if m.Status == chain.Done {
		c.verdicts[min(int(m.Outcome.Verdict), verdicts-1)].Add(1)
		return
	}
	c.refusals[min(int(m.Status), statuses-1)].Add(1)
}

// Counters are what a node has done in a chain since its process began.
type Counters struct {
	// Reads that this replica was asked for, and how many of them had to wait for
	// proof. Proposals that it was asked for, and those of both that the node
	// passed on since it did not serve the chain.
	Reads, DirtyReads, Proposals, PassedOn uint64
	// WantedRows counts messages of epochs that were news here, Unsent messages to
	// members that there was no connection or no room for.
	WantedRows, Unsent uint64
	// ReadStatus and WriteStatus count answers by their status; those of writes
	// that are done by their verdict.
	ReadStatus  [statuses]uint64
	WriteStatus [statuses]uint64
	Verdicts    [verdicts]uint64
}

func (c *counts) read() Counters {
	n := Counters{
		Reads: c.reads.Load(), DirtyReads: c.dirty.Load(), Proposals: c.proposals.Load(), PassedOn: c.passedOn.Load(),
		WantedRows: c.wanted.Load(), Unsent: c.unsent.Load(),
	}
	for i := range c.statuses {
		n.ReadStatus[i], n.WriteStatus[i] = c.statuses[i].Load(), c.refusals[i].Load()
	}
	for i := range c.verdicts {
		n.Verdicts[i] = c.verdicts[i].Load()
	}
	return n
}
