// Package sim holds nothing but tests: worlds in which a chain of replicas, the
// controller's plans, clients and subscribers meet every trouble there is, at the
// whim of a seed.
//
// Links lose, double, delay and reorder messages, and are cut, one way or both, some
// for good.
// Clocks run up to 5 % wrong. Processes stand still, and die, alone or all at once;
// then their disks keep what was synced, and a part of the rest. The
// coordinator is slow and away at times, its answers get lost, nodes are taken
// for dead that are not, and the controller changes while the old one acts on.
//
// At every step the invariants of the protocol are asserted:
//
//	I1   epochs only grow, at a member and in the table
//	I2   one record for an LSN and an epoch
//	I3   in an epoch, what a member has made durable its predecessor has too
//	I4   what is committed is durable at every member; a member's commit never goes back
//	I5   what was committed never changes, and is on the disks of all later members
//	I6   nobody in an older epoch has a lease when a new record is committed
//	I7   of two tails, the older cannot answer
//	I8   what the tail commits with gating on, the recruit has
//	I9   a request takes effect once
//	I10  subscribers get committed records in order, and end up with the same state
//
// and that acknowledged writes are there, strong reads show the state after
// some LSN that is not older than anything that anybody was told before, and
// after the trouble the chain becomes whole again and everybody gets on.
//
// The same seed makes the same world.
//
//	go test ./lib/chain/sim -seeds 100000                     many worlds
//	go test ./lib/chain/sim -v -run Seeds -seed 17            one, with all that happens in it
//	go test ./lib/chain/sim -v -run Safeguards/gate -seed 17  the same without a safeguard
//
// TestSafeguards leaves out one safeguard after the other, and shows that
// each of them is needed.
package sim
