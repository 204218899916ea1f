package leveldb

import (
	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Touched says what a commit may have changed: one of Account, Domain and All.
type Touched struct {
	Account  string         // of a change: the account's name
	Domain   rr.Name        // of a claim: the domain, in lower case
	All      bool           // of a restore: everything
	Position store.Position // that a view has from now on, at least
}

// changed tells who asked for it what a commit has changed.
func (db *DB) changed(t Touched, at store.Position) {
	if db.opts.Changed != nil {
		t.Position = at
		db.opts.Changed(t)
	}
}
