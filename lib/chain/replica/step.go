package replica

import (
	"time"

	"namecast/lib/chain"
)

// An Input is something that happens to a replica: one of the types below.
type Input interface{ input() }

// The inputs.
type (
	// Configure gives the chain's row as the coordinator has it. Rows that are not
	// newer than the installed one are ignored.
	Configure struct{ Row chain.Row }

	// Lease says that the node's registration at the coordinator was still in
	// force when a renewal was sent, and that nobody takes it for gone before the
	// local clock reads Until. A registration that lapsed is never taken up
	// again: the node comes back as a new incarnation, with new replicas.
	Lease struct{ Until time.Duration }

	// Require says how many members the chain must have to take writes, in place
	// of Options.MinMembers.
	Require struct{ Members int }

	// Written says that all batches up to the number are durable.
	Written struct{ Seq uint64 }

	// Receive is a message from another member. From and Epoch are checked
	// here; that From is who it says is the connection's to prove.
	Receive chain.Envelope

	// Request is a message from a client, or from the controller. Client stands
	// for its connection.
	Request struct {
		Client uint64
		Body   chain.Message
	}

	// Gone says that a client's connection has ended.
	Gone struct{ Client uint64 }

	// Tick lets time pass; see [Replica.Wake].
	Tick struct{}
)

func (Configure) input() {}
func (Lease) input()     {}
func (Require) input()   {}
func (Written) input()   {}
func (Receive) input()   {}
func (Request) input()   {}
func (Gone) input()      {}
func (Tick) input()      {}

// An Effect is something that a replica wants done: one of the types below.
type Effect interface{ effect() }

// The effects.
type (
	// Send sends a message to another member, in the given epoch. It may get
	// lost, come twice, late, or after a message that was sent later.
	Send struct {
		To    chain.Member
		Epoch chain.Epoch
		Body  chain.Message
	}

	// Reply sends a message to a client.
	Reply struct {
		Client uint64
		Body   chain.Message
	}

	// Write writes a batch. Batches are written in their order, each whole or
	// not at all, and reported with Written when durable. A batch that cannot be
	// written ends the process.
	Write struct{ Batch Batch }

	// Report tells the controller something about an epoch, by way of the
	// coordinator. It is repeated; only the last of a kind counts.
	Report struct {
		Epoch  chain.Epoch
		Kind   ReportKind
		Member chain.Member // whom it is about
	}

	// WantRow asks for the chain's row: there is one of at least the epoch.
	WantRow struct{ Epoch chain.Epoch }

	// Halt says that what this member has contradicts itself or another member,
	// so it has stopped for good. The node is to come back as a new incarnation,
	// and the operator to be told.
	Halt struct{ Reason string }
)

func (Send) effect()    {}
func (Reply) effect()   {}
func (Write) effect()   {}
func (Report) effect()  {}
func (WantRow) effect() {}
func (Halt) effect()    {}

// A ReportKind says what a report is about.
type ReportKind uint8

// The kinds of reports.
const (
	Ready   ReportKind = 1 // the recruit has caught up and commits are gated on it: promote it
	Stalled ReportKind = 2 // the recruit does not answer, or stays behind: drop it
	Fenced  ReportKind = 3 // the member has stopped for a Fence, but is in the row: remove it
	// Silent: the successor has not answered anything for a while, though it was asked
	// again and again: remove it. Who runs the replica drops this report if there is
	// no connection with the member: then it may be this node that is cut off.
	Silent ReportKind = 4
)

// Step gives the replica one input, at a reading of the local clock. Readings
// are of a clock that never goes back and runs on while the machine sleeps. The
// effects are valid until the next Step; they can be carried out in any order
// but for batches, which keep theirs.
func (r *Replica) Step(now time.Duration, in Input) []Effect {
	r.out = r.out[:0]
	if r.halted {
		return nil
	}
	r.now = max(r.now, now)
	switch in := in.(type) {
	case Configure:
		r.configure(in.Row)
	case Lease:
		r.lease = max(r.lease, in.Until)
		r.reads.lease = r.leased()
	case Require:
		r.opt.MinMembers = in.Members
	case Written:
		r.written(in.Seq)
	case Receive:
		r.receive(chain.Envelope(in))
	case Request:
		r.request(in.Client, in.Body)
	case Gone:
		r.gone(in.Client)
	}
	r.overdue()
	r.settle()
	return r.out
}

// settle does what follows from where the replica stands now. Everything that
// waits for a position, in the log or in the epoch, is looked at here and not
// where the position moved.
func (r *Replica) settle() {
	if r.halted {
		return
	}
	r.commitAsTail()
	r.pump(&r.succ)
	r.pump(&r.recruit)
	r.tendRecruit()
	r.tendSuccessor()
	r.feed()
	r.startRound()
	r.sendAck()
	r.trim()
	r.flush()
}

func (r *Replica) emit(e Effect) { r.out = append(r.out, e) }

// send sends a message in the installed epoch.
func (r *Replica) send(to chain.Member, m chain.Message) {
	r.emit(Send{To: to, Epoch: r.row.Epoch, Body: m})
}

func (r *Replica) reply(client uint64, m chain.Message) {
	r.emit(Reply{Client: client, Body: m})
}

// halt stops the replica for good.
func (r *Replica) halt(reason string) {
	r.emit(Halt{Reason: reason})
	r.halted = true
	r.role = Stopped
}
