// Package leveldb keeps accounts in a goleveldb database, a folder on the
// machine's own disk or, for tests, in memory.
//
// # Keys
//
// Every key begins with a letter and a slash. be64 is an unsigned number of 8
// octets, be16 of 2, high octet first; 00 is the octet zero.
//
//	a/ account                        -> head                (store.AppendHead)
//	k/ key                            -> account             only keys that a rekey brought
//	o/ domain in lower case, wire     -> claim               (store.AppendClaim)
//	r/ account 00 label 00 ... 00 00 be16 type
//	          |   |             |  |
//	          |   |             |  the name ends here
//	          |   |             the leftmost label ends
//	          |   the rightmost label, lower case
//	          the account's name ends
//	                                  -> RRset               (store.AppendRecords)
//	l/ be64 position                  -> chain, event        (below)
//	m/format                          -> "namecast store 1"
//	m/state                           -> position, chain, log
//	m/restoring                       -> empty; there only while a restore is half done
//
// and in a database that follows a service's storage:
//
//	v/ chain, 1 octet | a account     -> LSN of the record that put the head, its version
//	v/ chain, 1 octet | o domain      -> the same of a claim
//	n/ name                           -> note of whoever follows
//	m/follow                          -> name of the service
//	m/feed/ chain, 1 octet            -> LSN, and the 16 octets that stand for the log up to it
//	m/base                            -> what positions count from
//
// In a label, 00 is written 01 01 and 01 is written 01 02. So no label holds or
// begins with 00, and octet order is the order of the tree: the RRsets at a
// name stand together, before anything below it, and what is below it stands
// together too. One seek to the name, without its end, tells whether the name
// exists and gives its records.
//
// An account's first key is its name, so it has no entry below k/: a key is
// known if there is a head or an entry for it.
//
// # The log
//
// Each change and claim is kept as an event at its position:
//
//	16 octets chain | event (store.AppendEvent)
//
// chain is the first 16 octets of the SHA-256 of the chain before it and the
// event. The oldest entries go in the batches that add new ones. m/state holds,
// as varints but for the chain: position, chain of the last entry, the first
// position in the log, the octets in the log.
//
// # Writing
//
// One goroutine writes. It takes all the changes that wait, checks each one's
// condition against the database and what stands before it in the batch, and
// writes one batch with one fsync; then views see it, [Options.Changed] is called,
// and it answers them all. A condition that does not hold refuses that change
// alone. What it must know of an account it reads only if nobody has done so a
// moment ago: of a few thousand accounts it remembers version and key.
//
// A write that fails ends the store: it answers ErrUnavailable to all that wait
// and to all that come, closes [DB.Failed], and writes nothing ever after. The
// program is to exit and start again. The reason is goleveldb: after an fsync
// that failed it uses the failed batch's sequence number again, and recovery
// then drops a later batch whose fsync succeeded. Only a new start, which reads
// what is really on the disk, is safe.
//
// # Following
//
// A database can follow the chains of a service's storage ([Options.Follow]). It
// then takes no changes of its own but what records of chains did ([DB.Follow]),
// or the state of a chain in place of what it has ([DB.Copy]), each with the chain's
// place in the same batch. Its log is that of the order in which things came here.
//
// # Memory
//
// In memory are a hash of every name ([DB.Absent]), what is not yet in a table,
// and the blocks of tables that were read last. [Options.Memory] bounds all but
// the first; the rest of the database stays on the disk, and may be many times
// as large.
//
// # Opening
//
// Package ldb opens the database strictly, and cuts half a record off that a
// power cut has left. Also, on every opening, the log must end at the position and
// with the chain of m/state; after a cut, the whole log is checked.
//
// The file NAMECAST in the folder names the format, so that a program can refuse
// a newer one before it touches anything; format 1 is the first.
package leveldb
