// Package bfd is Bidirectional Forwarding Detection, by which a router sees within
// a fraction of a second that an announcer hangs or is cut off: the asynchronous
// mode of RFC 5880 over UDP, for neighbours on the same network (RFC 5881) and
// behind other routers (RFC 5883), over IPv4 and IPv6.
//
// Both ends send small packets all the time. Who hears none for the detection
// time, by default three intervals of 300 ms, takes the other for dead. It is for
// the router that this package speaks: that an announcer has lost its router is
// told to the caller, who may show it, but nothing is to be reset for it, since a
// route that nobody hears of does no harm and BGP's own hold time cleans up.
//
// There is no authentication, no echo and no demand mode of our own. What a
// neighbour asks for is honoured: its slower rates, its demand mode, its polls. A
// packet of a neighbour on the same network has to come with a TTL of 255, which
// no router between has lowered (RFC 5082), and every packet from the neighbour's
// address. While a session is not up it sends a packet a second.
package bfd
