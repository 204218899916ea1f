// Package mysql keeps accounts in a database that speaks MySQL's protocol (MariaDB,
// Galera, and others), with a local replica of all of them in a database of package
// leveldb. What is read is read from the replica and never waits for the database;
// what is changed is committed there, and comes back by a table of changes. Several
// nodes share one database.
//
// # Tables
//
// The tables whose names begin with nc_ are Namecast's own:
//
//	nc_schema    the version of all of these
//	nc_state     one row: where the table of changes is, positions, a restore under way
//	nc_accounts  account -> version, present key, head (store.AppendHead), last change's id
//	nc_sets      account, set (store.AppendSetKey) -> RRset (store.AppendRecords)
//	nc_keys      key that a rekey brought -> account
//	nc_claims    domain (wire, lower case) -> version, claim (store.AppendClaim)
//	nc_changes   LSN -> what was changed (store.AppendEvent), its id, the hash up to it
//	nc_nodes     a node's run -> the LSN that its replica has, and when it said so
//
// The rest is the schema of PowerDNS's generic MySQL backend, of which package mysql
// writes domains and records: see powerdns.go.
//
// # Changes
//
// One change is one transaction that changes all tables, or shares one with others
// that wait at the same node. It first locks the row of nc_state, so that changes
// have one order, and LSNs no gap that could be filled later. On Galera the locks of
// one server are not those of another: there the second of two transactions that
// overlap fails its certification, and is made again.
//
// A transaction of which nobody knows whether it was committed, because the
// connection was lost, is made again as well. Each change has an id of its own, which
// stands in nc_accounts and in nc_changes: a change that was committed is found by
// it, and is not made twice.
//
// Commit returns when the database has committed and the replica has the change. If
// the database cannot be reached the error is store.ErrUnavailable.
//
// # Following
//
// Each node asks for what comes after the last LSN that its replica has, a few times
// a second and whenever it has committed something itself. The hash of an LSN stands
// for it and all before it. If the database does not have the replica's LSN any
// more, or has it with another hash, as after a restore, the replica is made anew
// from the tables, as of one moment.
//
// # Positions
//
// The position is that of the replica, see leveldb.DB.Follow: the sum of all
// versions and of a base that a restore sets. It is in nc_state, too, since it is the
// serial of the base zone.
package mysql
