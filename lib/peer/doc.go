// Package peer is the heart of nc-peer: how the machines of a local network keep names
// resolving for each other when their name servers are gone.
//
// A [Node] is a pure state machine: events go in with a reading of the clock, actions
// come out. It opens no socket, reads no clock and starts nothing, so that the same code
// runs in the daemon (package host), in property tests and in the simulator (package
// sim).
//
// # The ladder
//
// A client's question climbs until something answers:
//
//	0 an answer of a name server that is in time           no packet
//	1 the name servers, one question for all who ask       guard mode: first of all
//	2 after H, beside them: the owners, fresh answers only H = 3 x the servers' time, 30 to 150 ms
//	3 after S, or at once when they are down: stale        S = 500 ms
//	    the own copy, if it ran out less than 5 min ago
//	    else the least old of it and the owners'           10 ms; 3 ms once one answered
//	4 a member whose name servers answer                   2 members, half a second in all
//	5 the root: by the first owner of the name, or alone   with Options.Iterate
//	6 everybody, by multicast                              20 ms, 5/s a node, 20/s a group;
//	  owners that have not answered are waited for         250 ms
//	7 SERVFAIL; the group is asked again after 5 s, doubling to 60 s
//
// An owner that has been silent of late is dead or busy: it is asked for what it was given,
// and only the end of the ladder waits for it.
//
// In share mode the first owner is asked before the name servers, and has as long as
// these take, H, to ask them itself. What is asked for often it renews when a tenth of
// the time is left, and gives to the members that asked for it twice of late.
//
// A stale answer is a day past its time at most while a name server lives, and a week when
// none does.
//
// # Name servers
//
// A server that has not answered within H is sent a question that every server has at
// hand. If there is silence to that too, it is suspect, and stale answers are allowed; if
// there is silence again it is down. One that is refused twice by the machine or the
// network is down at once, and so is one that answers 80 % of the questions about five
// zones or more with an error. One that is only slow stays healthy. A server that
// comes back is on probation for three good answers.
//
// # Truth
//
// What a member says is second to what the own name servers say, always: it is used when
// they are silent, for 300 s if fresh and 30 s if not, and never takes the place of
// something younger of theirs. It must answer the very question, hold nothing else, and
// not send a public name to a private address. With Agree = 2, two members must say the
// same, whose word does not come from one source: each word is that of who gives it and
// of whom he has it from, and two that share one of these are one word. One liar is then
// never enough, though he may give his lie to every owner and name others as its origin.
//
// While the servers are down, the word of a member whose answers have mostly nothing in
// common with what these said last is no word. Nor is, even with Agree = 1, one word of a
// member who says that its servers answer enough against a copy of the own ones that is
// not a day past its time.
//
// With Options.Validate the own validation has the first word: what it refuses is neither
// given nor kept nor told, and what it finds secure is so until the first signature ends,
// and fresh for the TTL that was signed at most. A name server that gives no signatures is
// as good as down. That something cannot be judged, for want of keys, counts against
// nobody. Keys, and proofs that there are none, are kept and shared as answers are, and
// judged by each who uses them.
//
// A member passes on what it has at first hand, and what it was given by who had it at
// first hand and as an owner; nothing else.
package peer
