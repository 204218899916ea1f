// Package nup is the Namecast Update Protocol: packets, their text form, and
// this specification of both.
//
// An account is a public key. A request is one UDP datagram that carries the
// key, a sequence number, a list of elements that change the account's records,
// and a signature of all that; a reply is one datagram. There is no session:
// what is needed to check a request is in it, so that it can go to any node of
// a service that has one anycast address. The words must and must not are used
// as in RFC 2119; each must has a test vector in testdata, whose README tells
// their form. Version 0 is that of the paper "Namecast" (appendix A), octet for
// octet; what the paper leaves open is settled here. Version 1 is the default of
// nc-keygen and nc-sign.
//
// # Rules of both versions
//
// Integers are big-endian. Lengths count octets. A packet is at most 65,507
// octets long. Its lengths give its end, so that packets can follow one another
// in a file or a pipe; in a datagram nothing may follow the signature
// but a wait.
//
// Every packet, of every version to come, begins so:
//
//	+--------------------------+---------+------------+-------------+
//	| 8: "Namecast"            | 2: ver- | 2: length  | key         | ...
//	|                          |    sion |    of key  |             |
//	+--------------------------+---------+------------+-------------+
//
// What does not begin with the eight octets gets no reply. A reply must not be
// longer than the request that it answers; one that cannot be made short enough
// is not sent. A version that is not spoken is answered with status 400 in the
// version 0 reply form, with the key, sequence number 0 and no codes.
//
// A reader must refuse with status 500 what breaks the format, with 501 a packet
// that ends inside a field, and with 502 one whose elements are whole but not as
// many as announced: a signature that ends with the packet stands behind fewer
// or more of them. Of a packet that is refused so, the reply carries the key and
// the sequence number as far as they could be read (else an empty key, 0), and
// no codes.
//
// A request takes effect as a whole or not at all. If an element fails, the
// status is 102; the first that fails has its own code; those before it, which
// were good, have 600; those after it, which were not tried, have 602. If the
// request fails before its elements are looked at, every code is 601. Within an
// element the fields are looked at in the order in which they travel, and the
// first that is wrong gives the code. Status 101, partial success, is not sent.
//
// The sequence number of an account's first request is 0, and each request that
// takes effect adds 1; after 2^63-1 it is 0 again. A request with another number
// than the expected one is refused with 300. A reply tells the next number, or 0
// where the node does not know or does not look. A request with sequence number 0
// and no elements asks for the number: it is answered with 103, takes no effect
// and makes no account. The octets of the last request that took effect, sent
// again, are answered again with success and change nothing: a client without a
// reply must send the same octets, not new ones.
//
// # Version 0 requests
//
// All integers are signed; negative lengths and counts must be refused with 500.
//
//	octets    field
//	8         "Namecast"
//	2         version, 0
//	2         length of the key, 1 to 2,048
//	...       key: X.509 SubjectPublicKeyInfo of a DSA key, DER
//	8         sequence number
//	2         number of elements
//	...       elements
//	2         length of the signature
//	...       signature: DER (r, s), SHA1withDSA of every octet before its length
//
// The account's name is the SHA-1 of the key's octets in lower-case hexadecimal.
// Package key tells which keys are taken; others are refused with 500.
//
//	octets    field of an element
//	2         opcode: 0 add, 1 delete, 2 validate; else code 100
//	2         size of the name
//	...       name
//	2         size of the type
//	...       type: a mnemonic in any case, with a NUL at its end that the size counts
//	4         size of the data
//	...       data, as text
//	4         TTL in seconds
//
// A name is letters, digits, hyphens and underscores in labels of 1 to 63, set
// off by dots, 253 characters at most; its first label may be one asterisk. There
// are no escapes. Other characters are code 202, empty labels 200, too much
// length 201, in this order. An owner name is relative to the account's suffix
// and has no dot at its end (200); the empty name and "@" are the apex. The
// domain of a validate is absolute and may have one dot at its end; an empty one
// is 200, a wildcard 202.
//
// The type is 300 if it does not end in one NUL or is unknown, 301 if it exists
// but is not one of A, AAAA, CNAME, MX, NS and TXT. In a delete one NUL alone
// means every type; in a validate the size is zero, else 300.
//
// The data must be as follows, else 400; where there must be some and is none,
// 401. An add needs data; a delete without data deletes the whole type, and a
// delete without type has none.
//
//	A         dotted decimal, four numbers without leading zeros
//	AAAA      an IPv6 address (RFC 4291 section 2.2), without a zone
//	CNAME NS  a name as above, not the root, no wildcard; one dot at its end is let pass
//	MX        a number from 0 to 65535 without a sign, one space, a name as in NS
//	TXT       any octets; they are kept as strings of 255 and a last shorter one
//	validate  the e-mail address of the technical contact
//
// A negative TTL is 500; that of a delete means nothing.
//
// # Version 1 requests
//
// All integers are unsigned.
//
//	octets    field
//	8         "Namecast"
//	2         version, 1
//	2         length of the key, 33
//	33        key: algorithm (15, Ed25519, RFC 8032) and 32 octets
//	1         length of the service
//	...       service: the installation's base domain, labels in lower case, no root label
//	8         sequence number, 0 to 2^63-1
//	2         number of elements
//	...       elements
//	2         length of the options
//	...       options
//	2         length of the signature, 64
//	64        signature
//
// Other lengths and algorithms must be refused with 500, and a service that is
// not that of the node with 410. The account's name is lower-case base32 of RFC
// 4648, without padding, of the first 160 bits of the SHA-256 of the key field.
//
// The signature covers the 18 octets "namecast update v1", a NUL, and every
// octet of the packet before the signature's length.
//
//	octets    field of an element
//	2         opcode
//	1         length of the owner
//	...       owner: labels, no root label, uncompressed; any octets, case kept
//	2         type
//	4         TTL in seconds, 0 to 2^31-1, else 500
//	2         number of records
//	          each record: 2 length, then data in wire form, names uncompressed
//	          (RFC 3597 section 4) and absolute
//
//	opcode       owner     type     TTL      records
//	0 add        name      a type   TTL      one or more; they join the RRset, whose TTL it becomes
//	1 delete     name      any, 0   0        none: the name or type; else exactly these
//	2 validate   domain    0        of SOA   one: the contact's e-mail address
//	3 replace    name      a type   TTL      one or more; they become the RRset
//	4 require    name      any, 0   0        none: the name or RRset exists; else the RRset is exactly these
//	5 absent     name      any, 0   0        none: the name or RRset does not exist
//	6 rekey      empty     0        0        two: the new key, its signature
//	7, 8         reserved for grant and revoke: code 100, as all others
//
// An owner that is not whole labels is 200, one longer than 254 octets 201, a
// validate of no domain 200, of a wildcard 202. A type 0 where there must be one,
// or another where there must be none, is 300; the types that the server makes
// itself (SOA, RRSIG, NSEC, NSEC3, NSEC3PARAM) and those for questions only
// are 301. A TTL other than 0 where there is none is 500. Records that are missing
// are 401; too many, or one that is not data of its type in the form that writing
// it anew gives, 400. Identical records count once. A prerequisite that does not
// hold is code 700.
//
// In a rekey the new key signs the 17 octets "namecast rekey v1", a NUL, the
// service with its root label, the old key field, the new key field, and the
// request's sequence number in 8 octets; else 400. The account keeps its name.
//
// An option is 2 octets of type, 2 of length, and data. Types ascend, so that
// each is there at most once. A node that does not know a type must pass over it
// if its high bit is set, and refuse the request with 500 if not.
//
//	1   admission token, 1 to 255 octets; package key makes it
//	2   nonce of a proof of work, 8 octets; package key solves it
//	3   padding, one or more zeros: room for the reply
//	4   reserved for asking for a signed reply: refused as unknown
//
// # Replies
//
//	octets    field
//	8         "Namecast"
//	2         version
//	2         length of the key
//	...       key of the request
//	8         sequence number of the request
//	8         next expected sequence number
//	2         number of codes
//	2         status
//	...       codes, 2 octets for each element
//
// Version 1 goes on:
//
//	2         length of the options
//	...       options, as in a request
//	2         length of the signature, 0 until replies are signed
//
//	1   source of the request as the node saw it: 4 or 16 octets of address, 2 of port
//	2   milliseconds after which to try again, 4 octets
//	3   text for people, UTF-8 in one line, 255 octets at most
//	4   bits of the proof of work that a new account needs, 2 octets
//	5   name of the account
//	6   1 octet: 1 if every node of the service has what the account's last
//	    request made, 2 if not, as far as the node knows
//
// A client takes a reply for its request's if key and sequence number are the
// same; one with status 400 or 401 in another version's form has no number. It
// must pass over options that it does not know, and must not print the text's
// unprintable characters. A reply that would be longer than its request gives
// room to option 6, the source, the bits, the time to wait, the account and the text, in
// this order, leaves out what does not fit, and cuts the text; nc-sign pads
// requests to 320 octets so that all fit. A version 0 reply has 100 in place of a
// status, and 600 in place of a code, marked *.
//
//	status                                code
//	0    success                          0    success
//	100  failure                          100  invalid opcode
//	102  an element is invalid            200  invalid name
//	103  no elements                      201  name too long
//	200  invalid signature                202  name contains invalid characters
//	300  wrong sequence number            300  invalid record type
//	400  unsupported version              301  record type not supported
//	401  obsolete version                 400  invalid data
//	500  malformed packet                 401  data missing
//	501  packet too short                 500  invalid TTL
//	502  wrong number of elements         600  not processed: other errors
//	110  new account not admitted *       601  not processed: error in the packet
//	111  try again later *                602  not processed: error in an earlier element
//	112  over a limit *                   700  prerequisite does not hold *
//	210  key was replaced *               800  no proof of ownership *
//	410  signed for another service *     801  proof points elsewhere *
//	                                      802  look-up timed out *
//	                                      803  look-ups disagree *
//	                                      804  DNSSEC validation failed *
//	                                      805  domain cannot be owned here *
//
// # Waiting
//
// A service may have several nodes, and a request is answered when the node that
// took it has what it made. A client that wants to know when all nodes have it sends
// the same packet again with a wait behind its signature, in the same datagram:
//
//	octets    field
//	4         "wait"
//	4         milliseconds, of which more than 60,000 count as 60,000
//
// The wait is no part of the packet, and is not signed. The node answers as it
// would without it, but if the request took effect, now or before, holds the reply
// until every node has what the account's last request made, or the time is over;
// option 6 says which. A reply without the option does not tell. A node that does
// not know waits refuses the datagram with 500.
//
// # Text
//
// Update text is what people and scripts write; ParseText reads it. It is UTF-8,
// one element a line, in words set off by blanks. A "#" or ";" at the beginning of
// a word starts a comment; in the middle of a word "#" is part of it and ";" must
// be quoted or escaped. Words are those of RFC 1035 section 5.1: "quoted strings",
// \X and \DDD. Parentheses must close on their line and mean nothing.
//
//	line      = [ element | "send" ] [ comment ]
//	element   = "add" record | "replace" record
//	          | "delete" owner [ttl] [class] [type [data]]
//	          | "require" "exists" owner [ttl] [class] [type [data]]
//	          | "require" "absent" owner [ttl] [class] [type]
//	          | "validate" domain e-mail [ttl]
//	          | "rekey" file
//	record    = owner [ttl] [class] type data
//	ttl       = number { unit number } [unit]      unit: s m h d w, in any case
//	class     = "IN"                               ttl and class in either order
//	type      = mnemonic | "TYPE" number           in any case
//	data      = presentation form of the type      or RFC 3597's \# form
//
// An owner is relative to the account's suffix and has no dot at its end; "@" is
// the apex. Names in data are absolute, with or without the dot; "@" is refused
// there. A record without a TTL has 3600. "send" ends a request, as the end of
// the text does; requests without elements are left out.
//
// Lines of "replace", or of "require exists" with data, that follow one another
// with the same owner and type form one element, an RRset; their TTLs must be the
// same, and a line of the same RRset further down in the request is an error.
// Nothing may follow the request with a "rekey", of which there is at most one.
//
// Names may be international where a type's data holds names, in owners, and in
// the domain and e-mail address of a "validate", but not in quotes: labels that
// are not ASCII become A-labels by IDNA 2008 with the mapping of UTS 46,
// non-transitional. ASCII labels are left as they are.
package nup
