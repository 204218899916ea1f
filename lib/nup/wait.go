package nup

import (
	"encoding/binary"
	"time"
)

// What may stand behind a packet in a datagram: see "Waiting" in the package
// comment.
const (
	waitTag  = "wait"
	waitSize = len(waitTag) + 4
)

// MaxWait is the longest that a node is asked to hold a reply.
const MaxWait = time.Minute

// A Sync is what a reply says about the nodes of the service.
type Sync byte

// What a reply can say.
const (
	NotAsked Sync = 0 // the request did not ask, or the node does not tell
	InSync   Sync = 1 // every node has what the account's last request made
	Behind   Sync = 2 // not every node, as far as the node knows
)

// AppendWait appends to a packet that the node shall hold its reply until every
// node has what the request made, but no longer than d, which counts as MaxWait
// if it is more.
func AppendWait(packet []byte, d time.Duration) []byte {
	d = min(max(d, 0), MaxWait)
	return binary.BigEndian.AppendUint32(append(packet, waitTag...), milliseconds(d))
}

// CutWait takes what AppendWait appended off a datagram. Of a datagram without it,
// the packet is all of it, and the wait is 0.
func CutWait(datagram []byte) (packet []byte, wait time.Duration) {
	at := len(datagram) - waitSize
	if at < 0 || string(datagram[at:at+len(waitTag)]) != waitTag {
		return datagram, 0
	}
	// The octets may be a signature's last.
	if _, n, err := Parse(datagram[:len(datagram):len(datagram)]); err != nil || n != at {
		return datagram, 0
	}
	ms := binary.BigEndian.Uint32(datagram[at+len(waitTag):])
	return datagram[:at:at], min(time.Duration(ms)*time.Millisecond, MaxWait)
}
