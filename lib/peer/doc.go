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
//	    else the least old of it and the owners'           10 ms
//	4 a member whose name servers answer                   2 members, half a second in all
//	5 the root: by the first owner of the name, or alone   with Options.Iterate
//	6 everybody, by multicast                              20 ms, 5/s a node, 20/s a group
//	7 SERVFAIL; the group is asked again after 5 s, doubling to 60 s
//
// In share mode the first owner is asked before the name servers.
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
// A member passes on what it has at first hand, and what it was given by who had it at
// first hand and as an owner; nothing else.
package peer
