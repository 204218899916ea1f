// Nc-bgp announces the prefixes of an anycast service to routers by BGP, as it is
// told by lines.
//
// Usage:
//
//	nc-watch ... | nc-bgp [-f bgp.conf]
//	nc-bgp -listen PATH [-owner USER] [-f bgp.conf]
//
// It starts with nothing announced, and announces what the lines on its standard
// input say for as long as they come: when the input ends, everything is withdrawn
// within milliseconds, and nc-bgp ends. It decides nothing by itself; nc-watch does.
// Only prefixes that are in its configuration are announced, nothing that a neighbour
// says is taken, and nothing is passed on from one neighbour to another.
//
// # Commands
//
//	announce PREFIX [med N] [prepend N] [community A:B]... [large A:B:C]...
//	drain PREFIX [prepend N]
//	withdraw PREFIX [why...]
//	beat MS
//	status
//	quit
//
// Announce has a prefix announced, with the attributes of the configuration but for
// those that the line names; prepend says how many times more the AS stands in the
// path. Drain announces it with the community 65535:0 (RFC 8326): routers that obey
// it use any other path, and none is lost while they change over. Withdraw takes the
// prefix back. After beat, everything is withdrawn when no command comes for so many
// milliseconds, until one comes. Status prints all states, and quit is like the end of
// the input. Commands may be repeated as often as one likes: what is so already sends
// nothing to a router.
//
// # States
//
// On standard output, each command is answered by its number, counted from 1, and all
// changes are told, a line each:
//
//	ok 17 withdraw 192.0.2.0/24
//	error 18 not a prefix of this node: 203.0.113.0/24
//	peer 10.0.0.1 established
//	route 192.0.2.0/24 announced 1/2
//	bfd 10.0.0.1 up
//	order 192.0.2.0/24 withdrawn 1763835600 a,c
//	order 192.0.2.0/24 ended
//	lost 12
//	beat lost
//
// The state of a peer is idle, connect, active, opensent, openconfirm, established, or
// down, which is a session that was closed for what the neighbour sent. 1/2 says that
// one of two established sessions has the route: in what is to be sent to it, for
// nobody can tell here what a router makes of it. Nobody has to read the states: if
// they are not read, the oldest are dropped, and lost says how many were. Routes
// depend on the input and never on the output.
//
// # A socket
//
// With -listen the commands come, and the states go, through a Unix socket, and
// nc-bgp stays when who commands goes: everything is withdrawn, and the sessions with
// the routers live on. One at a time may command; another takes over only from one
// whose beat is lost. The kernel is asked who connects: root may, and the user that
// -owner names, or else the one that nc-bgp runs as.
//
// # Configuration
//
// A line is about one thing, and has attributes with values; a number sign begins a
// comment. Files are named as seen from the folder of the configuration.
//
//	local as=65001 id=192.0.2.1
//	neighbor=10.0.0.1 as=65000 bfd=300ms
//	neighbor=10.0.1.1 as=65000 password-file=router2 gtsm next-hop6=2001:db8:1::2
//	prefix=192.0.2.0/24 address=192.0.2.53 community=65000:100
//	prefix=2001:db8:53::/48 address=2001:db8:53::53 drain-prepend=2
//	fallback=192.0.0.0/22
//
// Local is the node: as= and id=, the BGP identifier, an IPv4 address. linger= says how
// long an address stays after a withdrawal (default 10s). name=, nodes=, votes= and
// min-live= are for the orders of other nodes.
//
// Neighbor is a router, with the AS that it has, which is not the node's own. hold= is
// the hold time in seconds (default 9, at least 3), and the router may not ask for 0.
// password-file= has the password of TCP MD5 (RFC 2385) in one line, and nobody but its
// owner may read it. gtsm drops packets that came from further away than the next hop
// (RFC 5082); multihop=N is for a router behind others, as hosters have them. source=
// is the address of the connection, and port= another TCP port than 179. IPv6 prefixes
// are told to a neighbour over IPv6, and over IPv4 with next-hop6=, the node's address
// there; IPv4 prefixes are told over IPv4. bfd= is the interval of BFD (RFC 5880), by
// which the router sees within three of them, or bfd-multiplier=, that the node hangs or
// is cut off; without BFD that takes the hold time. There is no graceful restart: it
// would have routers send to a node that is gone.
//
// max-prefixes= is how many prefixes of a family a neighbour may send (default 100000).
// They are kept by the library, less than 1 kB each, and used for nothing. At a hundredth
// of the limit the log has a warning; when there are more, the session is closed, so
// that the memory is bounded, and tried again after ten minutes. The best a router can
// send here is nothing.
//
// Prefix is what may be announced. address= is the service's own address in it: it is
// put on the loopback device before the prefix is announced, and taken away linger=
// after it was withdrawn, which needs CAP_NET_ADMIN, or that the address is there
// already. With linger=keep it is there from the start, and stays: needed where nc-watch
// asks the service at this address before it is announced. At the end of nc-bgp
// addresses stay as they are, and the next start takes care of them. med=, prepend=,
// community= and large= are attributes; drain-prepend= is for a drain that says none.
//
// Fallback is a prefix that covers others and is announced from the start to the end of
// the process, whatever is commanded: on one or two steady nodes it catches what would
// go nowhere if all nodes had withdrawn at once.
//
// # Orders of other nodes
//
// With name=a, nodes=FILE and votes=ADDRESS:PORT on the local line, the nodes of the
// list (see nc-watch) can vote against node a. As long as a majority of all of them
// says by signed votes that it fails, and min-live= of these (default 1) say that they
// announce the prefix and are well, it is withdrawn, whatever is commanded. Votes are
// good for a minute at most, so that it is announced again when they cease, and a new
// order can begin ten minutes after the last one did. With two nodes there is no
// majority without the victim: a third is needed, and may be one that only watches.
//
// # Faults
//
// However nc-bgp ends, the routes go with it: a connection that the kernel closes is
// the end of the session, and of its routes. A neighbour can send what makes the
// library panic, a second OPEN for one, and that ends the process: let the supervisor
// start it again. Its exit status is then 2, as Go has it, or with GOTRACEBACK=crash a
// signal, which a supervisor can tell from wrong usage. When the library stands still,
// nc-bgp ends itself after some seconds. When nc-bgp itself stands still, BFD tells the
// router, and WatchdogSec= the supervisor. Its user needs no privilege but for address=.
//
// The log goes to standard error, a line an event; if nobody reads it, lines are dropped
// too. SIGTERM and SIGINT end nc-bgp when the neighbours are told, after a second at
// most. A supervisor that sets NOTIFY_SOCKET is told when commands are taken.
//
// Exit status: 0 ended as told, 1 refused, 2 wrong usage or configuration, 111 try
// again later (the socket or an address is in use, the library stood still, or a socket
// failed).
//
// Example:
//
//	(echo announce 192.0.2.0/24; cat) | nc-bgp -f bgp.conf
package main

import (
	_ "embed"

	"namecast/lib/cli"
)

func main() { cli.Tool{Name: "nc-bgp", Source: source, Run: run}.Main() }

//go:embed main.go
var source string
