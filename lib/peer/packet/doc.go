// Package packet is what the nodes of a group say to each other on their local network:
// the messages, their form as datagrams, and the keys of the group.
//
// Whoever has the key of a group is a member and can read all that members say. Who has
// it not can neither read nor write a message, nor make a member send one.
//
// # Keys
//
// A key file is one to four lines of package ndb with the same name, the newest key
// first; the same on every machine:
//
//	group=lab !key=<base64 of 32 octets>
//
// From each key HKDF (RFC 5869, SHA-256) expands four others, for which the info is
// "namecast group v1 ", a word, a space and the group's name: "seal" of 32 octets is the
// key of datagrams, "mac" of 32 that of Keys.Mac, "id" of 2 names the key in datagrams,
// and "addr" of 6 makes the multicast addresses ff12::8000:0 with the low 31 bits of the
// first 4 octets (transient and of link-local scope, RFC 4291 section 2.7; a group ID of
// the dynamic range, RFC 3307) and 239.255.a.b (RFC 2365) with a, the fifth octet modulo
// 255, and b, the sixth. Groups with other keys are so at other addresses. A message is
// taken under any of the keys.
//
// # Datagrams
//
// A datagram has at most MaxDatagram octets, which no path that carries IPv6 cuts into
// pieces. Numbers are big-endian.
//
//	+------+-----------+----------+----------+---------------------------------+
//	| "NC" | version 1 | key id 2 | nonce 24 | XChaCha20-Poly1305 of a message |
//	+------+-----------+----------+----------+---------------------------------+
//
// The version is 1, the nonce random, and what stands before the nonce is the additional
// data. The message in it is
//
//	+--------+---------+--------+------+--------+-------+------+------+
//	| kind 1 | flags 1 | from 8 | to 8 | boot 8 | seq 8 | id 8 | body |
//	+--------+---------+--------+------+--------+-------+------+------+
//
// Since the receiver is named, a copy of a datagram is good for nobody else. It is zero
// where the sender does not know it or means all: never in a Pong, Ask, Answer or Put.
// Bodies are, with times in milliseconds and addresses as family 1 (4 or 6) | address 4
// or 16 | port 2:
//
//	Hello     key 32 | signature 64 | weight 1 | net 8 | upstream 1 | its time 6 |
//	          asked, fresh, stale, peer, iterated, failed 8 each | entries 4 |
//	          members 8 | version 2 | started 6 | count 1 | addresses
//	Bye       length 1 | reason, at most 64 octets of printable ASCII
//	Ping      challenge 8
//	Pong      echo 8 | seen 8
//	Ask       length 1 | name without the root | type 2 | deadline 4 | net 8
//	AskAny    as Ask
//	Answer    outcome 1 | a record, if the outcome is 0
//	Put       count 1 | records
//	Known     count 1 | addresses
//	Fragment  index 1 | count 1 | part
//	record    origin 8 | age 6 | state 1 | net 8 | length 2 | DNS message
//
// The flags of Ask and AskAny are DO 1, fresh only 2 and resolve 4, that of Known is
// want 1, and all others are zero. A message has one form only: what is longer, shorter
// or otherwise written is refused.
//
// The signature of a Hello is the sender's (Ed25519, RFC 8032) of "namecast hello v1",
// an octet 0, and the message with the signature left out. So a member cannot show
// another's key as its own, nor another's Hello as of a boot of its own.
//
// An Answer whose body has more than MaxBody octets is sent as two to four Fragments, each
// but the last with a part of MaxPart octets, with the numbers seq, seq+1 and so on.
//
// The package is pure: randomness, time and datagrams are given to it. It keeps no
// account of sequence numbers: that a message is no replay is the receiver's to see to.
package packet
