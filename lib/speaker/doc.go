// Package speaker announces prefixes by BGP (RFC 4271) and nothing else: it takes
// no route from a neighbour, and tells none what another has told. It is the one
// room that knows the library, GoBGP.
//
// What it is told is how things should be, and not steps: Set keeps the wish for a
// prefix and returns, and one goroutine, the only one that changes routes, makes it
// true. A wish that is true already sends nothing.
//
// The speaker opens the sessions itself, listens on no port, and offers no graceful
// restart (RFC 4724): its end, however it comes, is the end of its routes.
//
// # Faults of the library
//
// GoBGP may panic in a goroutine of its own on what a neighbour sends; nothing
// recovers from that, so the process ends, its connections with it, and the
// neighbours withdraw its routes. It may also stand still: Stuck tells for how long
// it has not answered, and who runs the speaker ends the process then.
//
// One goroutine of the library stays for the rest of the process after Close. Servers
// of the library share settings, so a process has one speaker at a time.
package speaker
