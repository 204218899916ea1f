package chain

import "time"

// An Envelope is a message on its way between two nodes, or between a client
// and a node. The chain and the epoch stand in the header of a frame; the
// sender is who the connection proved it to be.
type Envelope struct {
	Chain ID
	Epoch Epoch  // that the sender has installed; 0 from a client
	From  Member // nobody if the sender is a client
	Body  Message
}

// A Message is one of the types of this file and of cluster.go. In all of them ID is the sender's
// own number for an exchange, which the answer repeats; a frame carries it as
// its stream, with 0 for those that have none.
type Message interface{ message() }

// Writing.
type (
	// Propose asks for a write: from a client to any node, and from a node that
	// is not the head to the head.
	Propose struct {
		ID        uint64
		Request   RequestID
		Base      LSN // see [Record]; at most the committed LSN
		Conds     []Cond
		Ops       []Op
		Forwarded bool // by a node; the receiver does not forward it again
	}

	// ProposeReply answers a Propose.
	ProposeReply struct {
		ID      uint64
		Status  Status
		Outcome Outcome // with Done
		Head    Member  // with NotHead, or nobody if unknown
	}

	// Hello tells the successor, or the recruit, that its predecessor has
	// installed the epoch of the envelope. It is repeated until an Ack comes.
	Hello struct {
		Last   LSN // of the sender's durable log
		Commit LSN
	}

	// Append carries records to the successor or the recruit, in order, from
	// Prev+1 on.
	Append struct {
		Prev     LSN
		PrevHash Hash // of the record at Prev
		Records  []Record
		Commit   LSN // of the sender
	}

	// Ack goes to the predecessor, or from the recruit to the tail. Numbers in
	// it only grow within an epoch, so the newest says all.
	Ack struct {
		Last     LSN  // of the sender's log, durable or not
		LastHash Hash // of the record at Last
		Durable  LSN  // what of its log is durable
		Commit   LSN
	}
)

// Proving that one reads what is current.
type (
	// VersionQuery asks the tail for the committed LSN.
	VersionQuery struct{ ID uint64 }

	// VersionReply answers a VersionQuery. OK is false if the tail cannot
	// vouch for it by a lease.
	VersionReply struct {
		ID     uint64
		OK     bool
		Commit LSN
	}

	// Confirm asks a member, or the recruit, whether it is still in the epoch of
	// the envelope.
	Confirm struct{ ID uint64 }

	// ConfirmReply says that it is; a member that is not answers StaleEpoch.
	ConfirmReply struct {
		ID     uint64
		Tail   bool // the sender is the tail, and active
		Commit LSN
	}

	// StaleEpoch answers a message of an epoch that is not the receiver's, which
	// is the envelope's; 0 if it takes no part.
	StaleEpoch struct{}

	// Fence asks a node not to serve the chain in epochs up to Epoch any more.
	// It comes from the controller, with the envelope's epoch 0.
	Fence struct {
		ID    uint64
		Epoch Epoch
	}

	// FenceReply says that the node does not and will not.
	FenceReply struct {
		ID    uint64
		Epoch Epoch
	}
)

// Copying the whole state, to a recruit or to a subscriber. ID is of the
// subscription, or the tail's number for the copy.
type (
	// SnapBegin starts a copy, in place of all that the receiver has.
	SnapBegin struct {
		ID   uint64
		LSN  LSN  // the state is that after the record at LSN
		Hash Hash // of that record
	}

	// SnapChunk carries a part of the state. Chunks count from 0.
	SnapChunk struct {
		ID       uint64
		Seq      uint64
		Items    []Item       // in the order of their keys
		Requests []Remembered // in the order of their LSNs; none to subscribers
	}

	// SnapEnd ends a copy of Chunks chunks.
	SnapEnd struct {
		ID     uint64
		Chunks uint64
	}

	// SnapAck says that all chunks before Next are durable, and with Done that the
	// whole copy is.
	SnapAck struct {
		ID   uint64
		Next uint64
		Done bool
	}
)

// The change feed.
type (
	// Subscribe asks a member for all that is committed after an LSN. The hash is
	// that of the record at After; if the member's is another, or its log does
	// not reach back, the subscriber gets a snapshot first. Each subscription of
	// a client has another ID.
	Subscribe struct {
		ID    uint64
		After LSN
		Hash  Hash
	}

	// FeedBatch carries committed records in order, each with its outcome.
	FeedBatch struct {
		ID       uint64
		Records  []Record
		Outcomes []Outcome // as many
	}

	// FeedAck says that the subscriber holds everything up to LSN for good.
	FeedAck struct {
		ID  uint64
		LSN LSN
	}

	// FeedPing asks for a FeedHeartbeat.
	FeedPing struct {
		ID   uint64
		Ping uint64 // the subscriber's number for it
	}

	// FeedHeartbeat answers a ping with an LSN that was found after the ping
	// came, by the rule of a strong read: who has applied it was current when it
	// sent the ping.
	FeedHeartbeat struct {
		ID   uint64
		Ping uint64
		LSN  LSN
	}

	// FeedEnd ends a subscription, from either side. From a member it means:
	// subscribe anew, perhaps at another.
	FeedEnd struct{ ID uint64 }
)

// Reading.
type (
	// Read asks any member for keys, all as of one LSN.
	Read struct {
		ID   uint64
		Mode Mode
		// With Bounded: how old what is read may be, and how many records that the
		// member knows it may miss. 0 is no limit for either; both 0 is Eventual.
		MaxAge time.Duration
		MaxLag uint64
		// MinLSN is what the client has seen already: what is read is no older.
		MinLSN LSN
		Keys   [][]byte
	}

	// ReadReply answers a Read.
	ReadReply struct {
		ID     uint64
		Status Status
		// LSN: what was read is the state after it; with Done. It may be below the
		// read's MinLSN where the keys were proved current: they had not changed since.
		LSN    LSN
		Values []Value // as many as keys; with Done
	}
)

// A Value is what a key had when it was read.
type Value struct {
	Found   bool
	Version LSN
	Data    []byte
}

// A Mode says how fresh a read is. No mode shows what is not committed.
type Mode uint8

// The modes.
const (
	Strong   Mode = 1 // linearizable
	Bounded  Mode = 2 // behind by no more than the bounds; else as Strong
	Eventual Mode = 3 // whatever the member has; at one member, it never goes back
)

// A Status says what became of a request.
type Status uint8

// The statuses. After Unknown a write may have taken effect, or may yet; the
// same request can be sent again. After the others but Done it has not, and will
// not unless it was sent before.
const (
	Done        Status = 1 // for a write: it is committed, and Outcome tells the rest
	NotHead     Status = 2 // ask the head
	Busy        Status = 3 // too much is waiting; try again later
	TooFew      Status = 4 // the chain has fewer members than it may take writes with
	NotServing  Status = 5 // this node does not serve the chain, or is behind Base; ask another
	Unknown     Status = 6 // no answer came in time
	BadRequest  Status = 7 // see [Check]; or too much is read at once
	Unconfirmed Status = 8 // a strong read could not be proved current in time
)

func (Propose) message()       {}
func (ProposeReply) message()  {}
func (Hello) message()         {}
func (Append) message()        {}
func (Ack) message()           {}
func (VersionQuery) message()  {}
func (VersionReply) message()  {}
func (Confirm) message()       {}
func (ConfirmReply) message()  {}
func (StaleEpoch) message()    {}
func (Fence) message()         {}
func (FenceReply) message()    {}
func (SnapBegin) message()     {}
func (SnapChunk) message()     {}
func (SnapEnd) message()       {}
func (SnapAck) message()       {}
func (Subscribe) message()     {}
func (FeedBatch) message()     {}
func (FeedAck) message()       {}
func (FeedPing) message()      {}
func (FeedHeartbeat) message() {}
func (FeedEnd) message()       {}
func (Read) message()          {}
func (ReadReply) message()     {}
