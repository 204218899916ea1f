package chain

import "time"

// A Site is where a node of the cluster is.
type Site struct {
	Node string
	Addr string // of its links, "host:port"; "" while it has never registered
	Zone string // see package plan
	Live bool   // it is registered, as far as the coordinator can tell
}

// Beside the chains: what clients and operators ask a node. The envelope's chain
// is 0 unless said otherwise.
type (
	// TableQuery asks for the chain table, as the node knows it.
	TableQuery struct {
		ID   uint64
		Have uint64 // the revision that the asker has, or 0
	}

	// Table answers a TableQuery. Of the revision that the asker has, there are
	// neither sites nor rows in it; else there are all of both.
	Table struct {
		ID       uint64
		Revision uint64 // only grows
		Sites    []Site // in the order of their names
		Rows     []Row  // in the order of their chains
	}

	// SyncQuery asks how far the subscribers of the envelope's chain are that the
	// node knows.
	SyncQuery struct{ ID uint64 }

	// SyncReply answers a SyncQuery.
	SyncReply struct {
		ID          uint64
		Subscribers []Subscriber // in the order of their names
	}

	// Ask is an operator's question, such as "status"; what there is to ask is for
	// the node to say.
	Ask struct {
		ID   uint64
		What string
	}

	// Told answers an Ask.
	Told struct {
		ID   uint64
		OK   bool
		Text []byte
	}
)

// A Subscriber is one whom a node sends a chain's changes, or did so lately.
type Subscriber struct {
	Name string        // of the client
	LSN  LSN           // up to it the subscriber has the chain's records for good
	Gone time.Duration // since its subscription ended; 0 if it has one
}

func (TableQuery) message() {}
func (Table) message()      {}
func (SyncQuery) message()  {}
func (SyncReply) message()  {}
func (Ask) message()        {}
func (Told) message()       {}
