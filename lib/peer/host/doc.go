// Package host is the daemon nc-peer put together: it gives a [peer.Node] its time,
// its clients, its name servers and its group, and does what the Node wants done.
//
//	clients -> stub (UDP, TCP) ---\                          /-> lib/resolve/upstream
//	peers   -> one socket a link --+-> loop: Node and Group --+-> lib/resolve/iterate
//	time, links, networks --------/                          \-> lib/resolve/validate
//
// The Node and the Group are for one goroutine at a time: whoever reads a socket, has
// asked a server or validated enters the loop with what came of it, does what the Node
// wants done, and leaves. So no goroutine has to be woken between a client's question
// and an answer that is at hand. Nothing that is done inside waits: what comes too fast
// is dropped by the kernel, which counts it, and a datagram for which there is no room
// is lost.
//
// Time is that since the machine's boot, sleep included, so that a laptop does not
// wake with old answers that it takes for new ones.
package host
