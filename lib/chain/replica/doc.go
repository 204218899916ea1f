// Package replica is one node's part in one chain: a state machine that is given
// what happens and says what is to be done. It has no goroutines, clock, disk or
// network, so that the same code runs on a machine and in a simulator.
//
// # The chain
//
//	          Propose            Append              Append
//	client ------------> head ------------> member ------------> tail ........ recruit
//	       <------------      <------------        <------------      Append, or a copy first
//	        ProposeReply           Ack                  Ack
//
// The head numbers a write. Every member makes it durable before it forwards it,
// so the log of each is the beginning of its predecessor's. What the tail has is
// committed; acknowledgements carry that one number back, and every member
// applies the log up to it. So any member can answer reads. It holds a key for
// dirty if a record that it has, and does not know to be committed, touches it.
//
// What a record does is decided when it is applied, from the state alone: its
// conditions, and whether its request was in the log before. Every member comes
// to the same.
//
// # Roles
//
//	None -> Copying -> Serving -> None
//	           ^          |
//	           |          +-> Barred -> None
//	           +------------------------ (added again)
//
// A row of the chain table says who takes part in an epoch. Messages count only
// in the epoch that both sides have installed. A member that is told to stop by
// a Fence is barred until a row comes without it. A process that starts is a
// new incarnation, which no row knows: it comes in as a recruit, behind the tail,
// and what its disk has is good as far as it was committed. Its hash there
// says whether that is a part of this chain's log; else the tail sends a copy of
// the state, as it does to one that has nothing, unless the log is small. When the
// recruit is near, the tail commits only what the recruit has
// too, and reports it ready; so at the promotion it has everything.
//
// The tail, new or not, acts only after its predecessor has installed the
// epoch, which the predecessor's first message shows, and first commits all it
// has: the tail before may have shown any of it to somebody.
//
// # Reading
//
// A strong read of a clean key is answered from the state if the lease is in
// force when the answer is given; the tail's keys are always clean. A dirty key
// needs the committed LSN from the tail, which vouches for it by its own lease.
// Without a lease, all members and the recruit are asked whether they are still
// in the epoch: a commit in a later one would need all that are left of them.
// One question serves all reads that came before it was asked.
//
// No read shows what is not committed. Eventual and bounded reads show what is
// applied here. The proof of the last strong read tells how old that can be.
//
// # Times
//
// A row is replaced, without a member, only after that member cannot answer any
// more. So a lease must end by the clock of its holder before it ends by the
// controller's; see plan.LeaseWait.
//
// # What is expected of who runs it
//
//   - Effects that came from one Step or from two are carried out in any order,
//     but batches in theirs. Nothing is forwarded or acknowledged before its batch
//     is reported with Written, so a batch must never be reported too soon. A
//     batch that does not say Sync must be written at some time all the same.
//   - The node takes its incarnation with a compare-and-swap on the number of
//     the last one, before it makes replicas, and again after its registration
//     has lapsed or was deleted: then all its replicas are made anew. A transaction that
//     is late must not count up the number while the process runs under another.
//   - Renewals of the registration give leases: Until is the clock's reading
//     before the renewal was sent plus the lease's length.
//   - A replica that stays barred for several leases, as happens when the controller
//     dies in between, is a reason to come back as a new incarnation. So is Halt,
//     of which the operator has to know.
//   - A report of kind Silent is passed on only if there is a connection with the
//     member that it is about, on which something has come meanwhile. With whom a node
//     has none, it tells by itself.
//   - The storage tells nothing but what it can vouch for: it has checked when it
//     was opened that the log has no gap and its hashes hold together.
//   - A chain whose first members all die before one of them has written its
//     first batch is lost, as nobody can tell that from a chain whose disks
//     were lost. It takes the operator to say that there was nothing.
package replica
