// Package dnssec makes the keys and the signatures of the zones that a service
// holds. It is pure: secrets, times and randomness are given to it; only Load
// and Save know files.
//
// # Keys
//
// A service has one secret file for all of its zones and nodes. Each line is an
// epoch:
//
//	epoch=1 from=2026-11-22T00:00:00Z !secret=BASE64
//
// with a secret of 32 octets. A zone has one key for each epoch, a combined
// signing key (RFC 6781 section 3.1) of algorithm 13, ECDSA P-256 with SHA-256
// (RFC 6605), with flags 257. Its private scalar is
//
//	1 + HKDF-SHA256(ikm=secret, salt="", info=I, 48 octets) mod (n-1)
//	I = "namecast dnssec csk 1" 00 | epoch, 4 octets | the zone's name
//
// where n is the order of the curve's group, numbers are big-endian, and the
// name is in lower-case wire form with the root label. From 48 octets the scalar
// is uniform but for 2^-128 (FIPS 186-5 appendix A.2.1). So nodes that have the
// file have the keys of every zone, of those too that are claimed later, and no
// key is ever sent or stored.
//
// # Rollover
//
// What an epoch does follows from the time alone, on all nodes alike:
//
//	coming     before from=: nothing
//	published  from then on: its keys are in the DNSKEY RRsets
//	signing    [Prepublish] later, the newest such epoch: it signs the data, and
//	           CDS and CDNSKEY (RFC 7344) ask the parent for its DS record
//	retired    when a newer one signs: its keys are still published
//
// The oldest epoch in the file is published and signs whatever its from= says.
// Every published key signs the DNSKEY, CDS and CDNSKEY RRsets, so a DS record
// of any of them is a chain of trust: the DS at the parent can be changed at any
// time between the beginning of signing and the end of the retired epoch, which
// is when its line is taken out of the file. That may be done when no parent
// has its DS any more and the records it signed are gone from caches.
//
// # Signatures
//
// They are deterministic (RFC 6979), and their validity depends on the owner's
// name and the time: a new window begins every [Step], at a moment of the day
// that a hash of the owner gives, reaches [Back] into the past and [Ahead]
// beyond the window's end. So all nodes give the same octets, and what a node
// gives out is valid for at least [Ahead] more.
//
// # Denial
//
// Names and types are denied as RFC 9824 has it, with one NSEC record whose
// owner is the name in question.
package dnssec
