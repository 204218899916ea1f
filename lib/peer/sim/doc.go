// Package sim plays a local network of nodes of package peer, ten or ten thousand, on a
// simulated clock and a simulated network: the very state machine that the daemon runs,
// without its sockets.
//
// A run has two parts. In the first, of days, the name server answers, and the nodes
// learn what their clients ask for. Since nothing else happens then than that answers
// are kept and given to their owners, it is not played message by message but written
// into the caches (see warm), which a test holds against playing it. In the second,
// nodes are removed, caches wiped and name servers stopped, and everything is played.
//
// A course can also be laid down beforehand (Replay), with all of it played. Test TestSame
// in t/peer puts real machines through the same one, and has the same shares of lookups
// answered.
//
// What it leaves out: how members find each other and notice each other's death is a
// rule here (see ring), since package group has its own tests; a node takes no time to
// think; and above manyNodes a call to all reaches only those that have the answer.
package sim
