package replica

import "namecast/lib/chain"

// A Storage is what a replica reads of its disk. It shows at least the batches
// that were reported as written, in their order, and may show later ones.
//
// Its methods return no errors. A storage that cannot read keeps the error and
// returns nothing; who steps the replica looks for it after every Step, and ends
// the process before any effect is carried out.
type Storage interface {
	// Meta is the last one written, or the zero Meta.
	Meta() Meta
	// Log gives the first and the last LSN of the log; if it is empty, the
	// first is the last plus 1.
	Log() (first, last chain.LSN)
	// Record is one of the log's.
	Record(chain.LSN) (chain.Record, bool)
	// State is where the applied state stands.
	State() (chain.LSN, chain.Hash)
	// Get is a key in the applied state.
	Get(key []byte) (chain.Item, bool)
	// Outcome is that of a remembered request.
	Outcome(chain.RequestID) (chain.Outcome, bool)
	// Snapshot opens a picture of the applied state that later batches do not
	// change.
	Snapshot() Snapshot
}

// A Snapshot is the applied state at one position. Close it.
type Snapshot interface {
	// State is its position.
	State() (chain.LSN, chain.Hash)
	// Items gives items in the order of their keys, those after a key, or from
	// the first if it is nil: at least one if there are any, and no more
	// than fit in size octets, as keys and values count.
	Items(after []byte, size int) []chain.Item
	// Remembered gives up to n remembered requests in the order of their LSNs,
	// those after an LSN.
	Remembered(after chain.LSN, n int) []chain.Remembered
	Close()
}

// Meta is what a replica keeps about itself.
type Meta struct {
	// Inc is the incarnation that wrote last; 0 if none ever did.
	Inc chain.Incarnation
	// Copying: the state is half of a copy, and good for nothing.
	Copying bool
	// Row is the last one installed, for rebuilding the chain table by hand.
	Row chain.Row
}

// Held is the incarnation whose data is on the disk whole, or 0. The node
// reports it to the controller when it registers.
func (m Meta) Held() chain.Incarnation {
	if m.Copying {
		return 0
	}
	return m.Inc
}

// A Batch is changes to the disk, in the order of its fields.
type Batch struct {
	Seq  uint64 // batches count from 1
	Sync bool   // something waits for it; else it can go with a later one
	Wipe bool   // the log, the state and the remembered requests go
	// Cut: records after CutAfter go.
	Cut      bool
	CutAfter chain.LSN
	Meta     *Meta
	Records  []chain.Record // to the end of the log
	Items    []chain.Item   // into the state, without regard to what is there
	// Changes to the state and requests to remember, in order; with them the
	// state is at State.
	Changes    []Change
	Remembered []chain.Remembered
	Moved      bool // State and Hash are set
	State      chain.LSN
	Hash       chain.Hash
	// Records below Trim go, and requests of records below Forget. If the log
	// becomes empty, it begins after State.
	Trim, Forget chain.LSN
}

// A Change puts an item, or deletes its key.
type Change struct {
	Item   chain.Item
	Delete bool
}

// empty reports whether there is nothing to write.
func (b *Batch) empty() bool {
	return !b.Wipe && !b.Cut && b.Meta == nil && len(b.Records) == 0 && len(b.Items) == 0 &&
		len(b.Remembered) == 0 && len(b.Changes) == 0 && !b.Moved && b.Trim == 0
}
