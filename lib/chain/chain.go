// Package chain is the vocabulary of the replicated storage: chains, their
// records, the rows of the chain table, and the messages between nodes. It has
// no behaviour but what every room must agree on: the chained hash of records
// and the checks of what comes from outside.
//
// The storage is 256 chains. A chain is a log of records, replicated by chain
// replication with apportioned queries (CRAQ): the head numbers a record, each
// member makes it durable before it forwards it, and the record is committed
// when the tail has it. Any member answers reads. What a record does to the keys
// of its chain is decided when it is applied, by every member alike.
package chain

import (
	"errors"
	"fmt"
)

// Chains is how many chains there are; their IDs are 0 to Chains-1.
const Chains = 256

// The limits of what one record may hold.
const (
	MaxKey    = 1024      // octets of a key
	MaxItem   = 256 << 10 // octets of a key and its value
	MaxRecord = 512 << 10 // octets of a record, as [Record.Size] counts them
	MaxParts  = 16384     // conditions and operations of a record together
)

// ErrRecord: a record that no chain can take; see [Check].
var ErrRecord = errors.New("record does not hold together")

// An ID names a chain.
type ID uint16

// An LSN (log sequence number) is a position in the log of a chain. The first
// record has LSN 1; an empty log ends at LSN 0.
type LSN uint64

// An Epoch numbers the rows that a chain had, from 1; it only grows. Epoch 0 is
// that of who takes no part in the chain: a client, or a node that has no row.
type Epoch uint64

// An Incarnation numbers the runs of a node's process, from 1; it only grows.
type Incarnation uint64

// A Member is one incarnation of a node. The zero Member is nobody.
type Member struct {
	Node string // the node's name
	Inc  Incarnation
}

// IsZero reports whether the member is nobody.
func (m Member) IsZero() bool { return m == Member{} }

func (m Member) String() string {
	if m.IsZero() {
		return "nobody"
	}
	return fmt.Sprintf("%s#%d", m.Node, m.Inc)
}

// A Hash is the first 16 octets of a SHA-256: it stands for a record and all
// the records before it. The zero Hash is that of an empty log.
type Hash [16]byte

// A RequestID names a write, for ever: a client draws it at random, or derives
// it from what it asks for, and repeats it, with the same Base, in every retry.
// The same with another Base is another request.
type RequestID [16]byte

// A Row is a chain's row in the chain table: who takes part in one epoch. It is
// never changed; the next row has the next epoch.
type Row struct {
	Chain   ID
	Epoch   Epoch
	Members []Member // serving, the head first, the tail last; at least one
	Recruit Member   // copies from the tail, or nobody
	// Restored is set when the head took the chain up again after every member
	// had died: the incarnation whose data it is to find on its disk. It stays as
	// long as the head does, since the head may miss rows.
	Restored Incarnation
}

// Head is the member that numbers records.
func (r Row) Head() Member { return r.Members[0] }

// Tail is the member that commits records.
func (r Row) Tail() Member { return r.Members[len(r.Members)-1] }

// Index is the member's place in the row, 0 for the head, or -1.
func (r Row) Index(m Member) int {
	for i, x := range r.Members {
		if x == m {
			return i
		}
	}
	return -1
}

// Node is the member of the row that is an incarnation of the named node, or
// nobody.
func (r Row) Node(name string) Member {
	for _, x := range r.Members {
		if x.Node == name {
			return x
		}
	}
	return Member{}
}
