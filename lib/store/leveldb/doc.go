// Package leveldb keeps accounts in a goleveldb database, a folder on the
// machine's own disk or, for tests, in memory. It is the one room that knows
// goleveldb.
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
// # Memory
//
// In memory are a hash of every name ([DB.Absent]), what is not yet in a table,
// and the blocks of tables that were read last. [Options.Memory] bounds all but
// the first; the rest of the database stays on the disk, and may be many times
// as large.
//
// # Opening
//
// goleveldb by default opens a damaged database without a word and leaves out
// what it cannot read. Here it opens with every strictness there is, and refuses
// with ErrDamaged. One thing that it then refuses is ordinary: a last journal
// record that a power cut or kill -9 cut off. Nobody had an answer for it, since
// the answer comes after the fsync. So, on a refusal, the journals are read
// here. If the newest one ends in a record whose octets are not all there (the
// file ends in it, or is zero from the end of a sector on, as file systems leave
// a file that they made longer first) and everything before it is whole, the
// half record is cut off and the strict opening tried again; the same for the
// manifest. Whatever else is wrong stays refused: a record that is all there with
// a wrong checksum, a record after a broken one, a cut in any but the newest
// journal. Also, on every opening, the journal that the manifest names must be
// there, and the log must end at the position and with the chain of m/state;
// after a cut, the whole log is checked.
//
// Every journal record and every block of a table carries a CRC-32C of
// goleveldb's, which is checked on every read; entries have none of their own.
//
// The file NAMECAST in the folder names the format, so that a program can refuse
// a newer one before it touches anything; format 1 is the first.
package leveldb
