// Package ldb opens goleveldb databases the safe way, for the rooms that keep
// their data in one.
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
// there. Whoever opens the database verifies what else it knows of it, the more
// so after a cut.
//
// Every journal record and every block of a table carries a CRC-32C of
// goleveldb's, which is checked on every read; entries have none of their own.
//
// # Writing
//
// Whoever writes keeps three rules.
//
//   - Every write is synced. One goroutine makes them all: it is what commits for
//     all who wait.
//   - After a write that failed nothing is written any more; the process ends and
//     starts again. After an fsync that failed goleveldb uses the failed batch's
//     sequence number again, and recovery then drops a later batch whose fsync
//     succeeded. Only a new start, which reads what is really on the disk, is
//     safe.
//   - The last entry of a batch does not end in zeros: a record that does could
//     not be told from one that was never written to its end.
//
// # The folder
//
// The file NAMECAST in the folder names the format of what is in the database, so
// that a program can refuse a newer one before it touches anything. It is written
// when the database is complete for the first time. Journals' entries in the
// folder are brought to the disk, which goleveldb leaves to the file system.
package ldb
