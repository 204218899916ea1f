// Package claim proves that an account may have a domain: it looks up the
// record that only somebody who controls the domain can have put there.
//
// # The proof
//
// The proof of account A for domain D is one CNAME record, directly at the name
// validate-A.D, whose target is the base domain of the service. It is looked
// up in the delegation that D's parent publishes now. [Prover.Prove] does this:
//
//  1. Refuse what cannot be claimed: the root, a name of one label, the base
//     domain and what is above or below it, names that are never in the public
//     DNS (RFC 6761, 6762, 7686, 9476), wildcards.
//  2. Ask the resolver for the servers of the top-level domain of D (of its
//     nearest ancestor that has servers, in a private name space). That is the
//     only delegation taken from a cache; everything below it is read fresh.
//     Against: a resolver that still knows the delegation of a previous owner,
//     or the absence of a proof that has just been published.
//  3. Ask those servers, without recursion, for the CNAME record, and follow
//     referrals down until a server answers with authority. A referral counts
//     only if it leads down towards D. Glue counts only for names below the
//     zone that was asked; other server names go through the resolver.
//     Against: servers that answer for zones that are not theirs.
//  4. A referral to the proof name itself is not followed: the record must be
//     in a zone whose apex is D or above it. Against: registering
//     validate-A.co.example as a domain of one's own to claim co.example.
//  5. Servers at loopback, private, link-local, multicast or otherwise not
//     public addresses are not asked unless AllowPrivate is set. Against: using
//     the node to reach into its operator's network.
//  6. A run sends at most [MaxQueries] queries, looks up at most four server
//     names a delegation, and stops when the time is over. Against: NXNSAttack,
//     referral loops, and the node as a tool for flooding others: a claim makes
//     it send a few dozen small packets, never more.
//  7. Every query has its own random source port, its own random id, and random
//     letter case (0x20), and is over a connected socket; what does not match
//     exactly is not looked at, and after a few such packets, or a truncated
//     answer, the question is asked again over TCP. Against: forged answers by
//     somebody who cannot see the question.
//  8. The record must not be there for every name: a random label in the place
//     of validate-A must not lead to the base domain too. Against: any account
//     claiming a domain whose owner has a wildcard CNAME to the service.
//  9. Where the zone is signed the record must validate; see below.
//  10. All of this is done twice at once, in two runs that share nothing but
//     the order of servers, so that they ask different servers where there are
//     several. Both must succeed. Against: forgery once more, a single hijacked
//     server, and records that have not yet reached all servers.
//
// # DNSSEC
//
// A chain of signatures is followed along the walk, from the keys of the zone
// where it started. Those keys come from the resolver and are a secure start if
// it sets the AD bit and is trusted, that is if it is on a loopback address or
// TrustResolver is set. Then each delegation must have either a signed DS set
// that a key of the child matches, or a signed proof (NSEC, NSEC3, opt-out)
// that it has none; only the latter makes the rest of the walk unsigned. The
// DS sets are asked of the parent's servers directly, so that a cache neither
// keeps a new key out nor an old one in. Zones that are on the same servers as
// their parent, and so are reached without a referral, are found by asking for
// DS at the names in between.
//
// Without a trusted start, or below an unsigned zone, a DS set is believed as
// it comes: that still finds broken zones, and whoever can forge it could as
// well have left it out. Negative answers are not validated: forging one makes
// a claim fail, which dropping packets does too.
//
// # What this cannot see
//
// Somebody who sees and changes the traffic between the node and an unsigned
// domain's servers can claim the domain. A provider that lets its customers
// make a CNAME record of any name directly below D gives D away. The operator
// of a private name space that shadows the public one uses grants in place of
// proofs.
package claim
