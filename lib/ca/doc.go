// Package ca is the certificate authority of a cluster: it makes the
// certificates that nodes and clients know each other by, lets a new node join
// with a token, and checks a peer's certificate.
//
// # Certificates
//
// A cluster's authority is one self-signed certificate with its key (ECDSA P-256,
// RFC 5280), or several while one takes over from another. Each may sign only
// names of its own cluster: its name constraint is the cluster's. A member's
// certificate has one URI as its subject alternative name that says who it is,
//
//	nc://CLUSTER/node/ID      a node, which keeps chains
//	nc://CLUSTER/client/ID    a client, which reads and writes
//
// and the host names and addresses that the operator gave it, for programs that
// look for those. The subject's common name is the role, so that a program which
// knows only common names, as etcd does, can be told to take nodes alone. It is
// good for clients and for servers.
//
// A Pin, the SHA-256 of a public key, names a key in short. A renewed certificate
// is for the same key, so a member's pin stays until it joins anew.
//
// # Files
//
// The authority's file holds for each of its certificates the key and the
// certificate, in PEM (RFC 7468). A member's file holds its key, its certificate
// and the certificates of the authority that it trusts: one file, so that all
// change together. Text between the blocks is a comment. Both have mode 0600, and
// are refused when others have any right to them.
//
// # Tokens
//
// A token is one line,
//
//	join cluster=c1 role=node id=n4 host=192.0.2.4 ca=PIN expires=TIME nonce=N !secret=S
//
// that lets who has it get one certificate, for that name and those hosts, until
// that time. The secret is HMAC-SHA-256 of the line up to it, under a key that is
// derived from the authority's (HKDF, RFC 5869), so an issuer keeps nothing for a
// token that is not used. The pin is that of the authority's key: the joiner takes
// no other cluster for its own. What is sent is not the secret but a proof of it
// over the joiner's request for a certificate, so a node that passes the request
// on cannot put another in its place.
//
// # Joining and renewing
//
// Both are one line each way on a TLS 1.3 connection of the protocol "nc-ca/1"
// (RFC 7301), which a member answers:
//
//	join ... csr=DER proof=MAC                 without a client certificate
//	renew                                      with the certificate to renew
//	issued cert=DER root=DER...
//	refused why=TEXT                           and will be again
//	later why=TEXT
//
// DER, MAC, PIN and secrets are in base64 (RFC 4648 section 4), times as RFC 3339
// has them, in UTC and of whole seconds.
package ca
