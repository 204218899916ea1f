// Package host is the daemon nc-peer put together: it gives a [peer.Node] its time,
// its clients, its name servers and its group, and does what the Node wants done.
//
//	clients -> stub (UDP, TCP) ---\                          /-> lib/resolve/upstream
//	peers   -> one socket a link --+-> loop: Node and Group --+-> lib/resolve/iterate
//	kernel  -> links, networks ---/                          \-> lib/resolve/validate
//
// One goroutine, the loop, owns the Node and the Group. Others read sockets, ask
// servers and validate, and bring it events through channels that are bounded: what
// comes too fast is dropped and counted, and nothing waits for the loop that the
// loop waits for.
//
// Time is that since the machine's boot, sleep included, so that a laptop does not
// wake with old answers that it takes for new ones.
package host
