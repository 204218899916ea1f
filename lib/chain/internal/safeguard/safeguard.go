// Package safeguard names the safeguards of the chain protocol, so that the
// simulator can leave one out and show what it is there for. Programs cannot
// reach this package, and leave out none.
package safeguard

// A Guard is one safeguard.
type Guard uint8

// The safeguards of a replica.
const (
	Epochs         Guard = iota // a message counts only in its epoch and from its place in the chain
	VersionQuery                // a dirty key is read at the version that the tail names
	Dedupe                      // a request takes effect once
	Expiry                      // a request that is too old to be remembered takes no effect
	WholeLog                    // a new tail commits its whole log before it answers
	Hello                       // a tail acts only after its predecessor has installed the epoch
	Gate                        // before a promotion, the tail commits only what the recruit has
	Match                       // a recruit drops what was never committed; logs are matched by hash
	LateCheck                   // the lease is looked at when the answer is given
	ConfirmAll                  // without a lease, every other member confirms the epoch
	ConfirmRecruit              // and the recruit does
	Contiguous                  // records are taken only in order
	Fresh                       // a process never resumes the epochs of the one before it
)

// A Set is the safeguards that are left out. The zero Set leaves out none.
type Set struct{ off uint32 }

// Without gives the set that leaves out the given safeguards.
func Without(guards ...Guard) Set {
	var s Set
	for _, g := range guards {
		s.off |= 1 << g
	}
	return s
}

// Off reports whether a safeguard is left out.
func (s Set) Off(g Guard) bool { return s.off&(1<<g) != 0 }
