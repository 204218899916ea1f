package ldb

import "github.com/syndtr/goleveldb/leveldb"

// Close closes the database; its files stay the caller's to close. Nothing may use it
// any more. failed says that a write failed before: then nothing more is written.
//
// The library puts the memory of a finished compaction into a channel that its Close
// closes, with nothing between the two: it may panic then. A transaction begins with a
// compaction of what is in memory and waits for its end, so afterwards none is left.
// The next Open has no journal to read for it.
func Close(db *leveldb.DB, failed bool) error {
	if failed {
		return db.Close()
	}
	t, err := db.OpenTransaction()
	if err != nil {
		// The library keeps its lock for writes after this error, and its Close would
		// wait for it without end. All that was acknowledged is in the journal.
		return err
	}
	t.Discard()
	return db.Close()
}
