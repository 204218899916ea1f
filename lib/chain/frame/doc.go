// Package frame is what goes over a connection between nodes of a chain: frames,
// the handshake that a connection begins with, and the encodings of the messages
// of package chain.
//
// # Frames
//
// Numbers are big-endian. A frame is
//
//	octet  0        4      5      6        14      16       24
//	       +--------+------+------+--------+-------+--------+--------+--------+
//	       | length | type | flags| stream | chain | epoch  | body   | crc32c |
//	       | u32    | u8   | u8   | u64    | u16   | u64    |        | u32    |
//	       +--------+------+------+--------+-------+--------+--------+--------+
//
// The length is that of the whole frame, itself included: at least Overhead and
// at most MaxSize. The checksum is CRC-32C (Castagnoli, RFC 3720 appendix B.4)
// of all octets before it. Stream is the ID of a message, which ties an answer to
// its question, and 0 for those that have none. Chain and epoch are zero where a
// frame is of no chain.
//
// A frame that does not hold together ends the connection: after it nothing says
// where the next one begins.
//
// # Connections
//
// The side that has dialled sends a Handshake in a frame of TypeHandshake, and
// the other side answers with its own, or with a Bye that says why not. The form
// of both, and of the frame around them, is the same in every version. From then
// on the lower of the two newest versions is spoken, with the features that both
// have. The incarnation in the handshake is that of every frame of the
// connection: a process that starts anew has another.
//
// # Messages
//
// A message's body has its fields in the order of the struct in package chain, but
// for the ID, which is the frame's stream. Numbers are unsigned varints in their
// shortest form, durations signed ones (zigzag) of nanoseconds; octet strings
// have their length before them, lists the number of their elements; hashes,
// identifiers of fixed size, kinds, modes, statuses and verdicts are written as
// they are; a truth is one octet, 0 or 1. A structure is written as its fields.
// Every value has one encoding, and whatever is not that encoding is refused, so
// that equal messages have equal octets. What a kind or a number means is for the
// receiver of the message to judge.
package frame
