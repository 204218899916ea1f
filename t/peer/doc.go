// Package peer runs nc-peer on machines of a local network, with real name servers and
// real clients, has the name servers die in every way, and lets strangers and members
// send what they should not.
package peer
