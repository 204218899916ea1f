// Package disk keeps what the replicas of a node have of their chains, all in one
// goleveldb database, with one goroutine that writes.
//
// # Keys
//
// be16 is an unsigned number of 2 octets, be32 of 4, be64 of 8, high octet first.
// Every chain has a generation, a number that its place names; entries of others
// do not count.
//
//	e                                       -> 01                  last in every write
//	f                                       -> "namecast chain 1"
//	p | be16 chain                          -> place
//	m | be16 chain                          -> meta
//	k | be16 chain | be32 generation | key  -> item
//	l | be16 chain | be32 generation | be64 LSN -> record
//	o | be16 chain | be32 generation | be64 LSN -> request | outcome
//	q | be16 chain | be32 generation | 16 octets request -> outcome
//
// # Values
//
// A number is an unsigned varint in its shortest form; octets are their number
// and they themselves; requests and hashes are 16 octets.
//
//	place    generation | oldest | first | count | state | hash | forgot
//	meta     incarnation | copying (octet 0 or 1) | chain | epoch | n | n members | recruit | restored
//	member   node (octets) | incarnation
//	item     version | value, up to the end
//	record   epoch | request | base | hash | n | n conditions | n | n operations
//	         condition: kind (octet) | key (octets) | version
//	         operation: kind (octet) | key (octets) | value (octets)
//	outcome  verdict (octet) | LSN | condition | version
//
// The log of a chain has count records from first on; its applied state is that
// after the record at state, with its hash. Requests of records below forgot are
// not remembered. testdata/format1.txt is a database in this form.
//
// # Writing
//
// One goroutine writes. It takes the batches that wait, of all chains and in the
// order in which they came, up to about 1 MiB, and writes them in one goleveldb
// batch with one fsync. So each is whole or not at all, and of each chain there is
// a beginning of what was given to [Disk.Write]. Then they can be read, and
// [Options.Written] is called. A batch that does not say Sync waits for one that
// does, at most 50 ms.
//
// Chains that are copied here bring much. They have a lane of their own: with other
// batches in a write go 128 KiB of copies, or one batch of one; all of the write is
// theirs only when nothing else waits.
//
// To wipe a chain takes one entry, its place with the next generation, so that it
// goes with the rest of its batch. Generations below oldest are taken away in the
// background, 1024 entries with a write, also after a restart.
//
// Any error of writing is the end: nothing is written any more, [Disk.Failed] is
// closed, and the process is to exit. Package ldb says why.
//
// # Opening
//
// Package ldb opens the database, strictly. Then every chain is verified: the log
// has no gap, each hash follows from the one before and from the record, the state
// is at a place in the log and has its hash. A chain of which that does not hold
// is in doubt, see [Doubt]. If what cannot be read is the database itself, it is
// refused with ErrDamaged.
//
// # Reading
//
// A [Storage] reads from the database, but for items that were read lately: they
// are in memory, with the keys that are not there. Of nearly all requests that are
// not remembered a filter in memory says so; after a start it is filled in the
// background. What is read is checked by goleveldb's checksums; who reads looks at
// [Storage.Err].
package disk
