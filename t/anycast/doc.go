// Package anycast measures how fast an anycast service leaves a node that fails,
// with the real programs and real routers.
//
// Three nodes run in machines of package lab, each of them nc-serve with a
// database of its own, nc-bgp and nc-watch. They announce an IPv4 and an IPv6 prefix
// to an upstream router, which is BIRD or FRR. A client behind the router, 50 ms
// away, asks the service's IPv4 address every 5 ms. Then one thing fails, and two
// clocks run: until the router's kernel has no route to that node any more, as it
// tells with a time stamp, and until the client has an answer of another node.
//
// A row of the table is one failure, measured as often as -n says, with a new
// service each time. Without -judge the bounds of the table are only printed, since
// other tests run on the same processors: what has to hold then is that the right
// thing happens, and nothing else. The bounds where the router is FRR are wider: by
// itself it takes some 70 ms to pass a withdrawal on to the kernel.
//
// Beside the table are the tests of what must not take a node away: orders that are
// forged, replayed, expired or of a minority, nodes that do not hear each other, a
// neighbour with very many routes, output that nobody reads, a full disk, a router
// that starts anew, and a soak with all processors busy; and one of how a node comes
// back.
//
// # Running it
//
//	go test ./t/anycast                             each row once
//	go test -timeout 0 ./t/anycast -args -n 30 -judge     the table's bounds are judged
//	go test -timeout 0 -run /table ./t/anycast -args -n 30 -judge -write results.md
//	go test -run /soak -timeout 0 ./t/anycast -args -soak 1h
//
// It needs what package lab needs, and BIRD (Debian's package bird2); some rows
// need FRRouting (frr).
package anycast
