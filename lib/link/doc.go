// Package link keeps the connections between the members of a cluster: TLS 1.3 by
// the certificates of package ca, frames of package frame.
//
// Two members have one connection for each class. Of two nodes the one with the
// lower ID dials, for class chain; for the other classes the one that wants
// something does. Keep and KeepAt dial again, with back-off, as long as their
// context lasts; Serve takes what others dial. A newer connection of a peer takes
// the place of an older one, since a peer dials only when it has given the older
// one up. These functions own every goroutine that they start, and return when all
// have ended.
//
// To send is to append to a queue, which never waits: whatever is in the queue
// goes out with the next write, so the more there is to send, the more goes with
// one. A queue that is full says so, and the frame is lost; so are those in a
// queue whose connection ends. The protocol above has to send again, or not.
//
// A connection ends when its peer is silent for too long (each side sends a ping
// where it has nothing to say), does not read, breaks the rules, or is no longer
// believed: its certificate has ended, or its authority is gone.
package link

import (
	"errors"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
)

// Protocol is the name of links in TLS (RFC 7301).
const Protocol = "nc-link/1"

// What a link answers when it does not do as it was asked, and why it ends.
var (
	// ErrOverflow: the queue to the peer is full; the frame is not sent.
	ErrOverflow = errors.New("the queue to the peer is full")
	// ErrDown: there is no connection with the peer now.
	ErrDown = errors.New("not connected")
	// ErrSilent: the peer has not been heard for too long.
	ErrSilent = errors.New("the peer is silent")
	// ErrReplaced: the peer has come with a newer connection.
	ErrReplaced = errors.New("replaced by a newer connection")
	// ErrRefused: the peer is not one that is wanted in this place.
	ErrRefused = errors.New("the peer is not wanted")
	// ErrUnexpected: a frame that has no place where it came.
	ErrUnexpected = errors.New("a frame out of place")
	// ErrKept: the connection is kept by another call already.
	ErrKept = errors.New("the connection is kept already")
)

// A Peer is who is at the other end of a connection, as the handshakes proved.
type Peer struct {
	Name        ca.Name
	Pin         ca.Pin // of its key
	Addr        string // as "host:port"
	Class       frame.Class
	Dialed      bool // from here
	Incarnation chain.Incarnation
	Version     uint16         // of the protocol, of those that both speak
	Features    frame.Features // that both have
}

// Member is the sender of the peer's messages: the node's incarnation, or nobody
// where the peer is a client.
func (p Peer) Member() chain.Member {
	if p.Class != frame.ClassChain {
		return chain.Member{}
	}
	return chain.Member{Node: p.Name.ID, Inc: p.Incarnation}
}

// Limits bound what a connection takes. Zero is the default. All members of a
// cluster have the same Silence, since each side sends its pings by its own.
type Limits struct {
	Queue     int           // octets that wait to be sent, on one connection: 4 MiB
	Silence   time.Duration // after which a peer is given up: 2 s; a ping goes out four times as often
	Stall     time.Duration // that one write may take: 10 s
	Handshake time.Duration // that a connection may take to begin: 5 s
	First     time.Duration // before a connection is dialled again: 20 ms,
	Most      time.Duration // doubled every time, up to this: 1 s
	Conns     int           // connections that others have dialled: 1024
}

func (l Limits) filled() Limits {
	fill(&l.Queue, 4<<20)
	fill(&l.Silence, 2*time.Second)
	fill(&l.Stall, 10*time.Second)
	fill(&l.Handshake, 5*time.Second)
	fill(&l.First, 20*time.Millisecond)
	fill(&l.Most, time.Second)
	fill(&l.Conns, 1024)
	return l
}

func fill[T int | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}
