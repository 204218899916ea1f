// Package watch is the mind of nc-watch: from what probes see, what happens to
// processes, and what other nodes say, it decides which routes this node announces,
// what is restarted, and when to vote against another node. It is a state machine
// without goroutines, clock or network. Step is given an event and the time, and
// says what to do.
//
// # From looks to components
//
// A probe fails after Fall looks in a row that failed, and passes after Rise that
// passed. (That one bad record fails no probe is for the probe to see to: package
// probe asks for several names at a time.) A probe's Level says whether it can
// take routes away, only have them drained, or only be told. The end of a process
// counts at once.
//
// A node that was late itself distrusts what it saw. If a look began more than two
// intervals after its time or was reported that much too late, or if Step was
// called so late, all looks that had begun by then are thrown away. A node that
// sees nothing for long because of that tells so, and changes nothing.
//
// If all that fails are looks that got no answer in time, while the component's own
// counters show that it answers others (Busy), it is overloaded and not failing.
//
// # Which route
//
// A prefix is up when all components that it needs have passed everything, for
// Verify without a break and after the last restart of any of them, and its
// hold-down is over. It stays up until one of them fails. The first line that fits decides:
//
//	ordered away by a quorum of the others       withdrawn
//	up, the operator drains                      drained
//	up, overloaded                               drained, or announced (Absorb)
//	up, a probe of level Drain fails             drained, and 10 s longer
//	up, nobody heard                             announced: it may be the last node
//	up                                           announced
//	not up, MinLive others announce and are well withdrawn; if it does not fail and
//	                                             is drained already, it stays so
//	not up, the process that answers is gone     withdrawn: there is nobody to answer
//	not up, just started                         withdrawn, until others could be heard
//	                                             and all components are judged
//	not up, no other node is configured          withdrawn, or drained (Keep)
//	not up, nobody is heard                      drained
//	not up, too few others are well              drained: wrong answers may be better than none
//
// What is drained is announced with the community of RFC 8326, so that any route
// that is not is better. It is the one thing that can be announced without having
// been verified: the last resort. When all nodes fail at the same time they all
// withdraw, then hear of each other that none is well, and are back drained within
// two seconds. A node that is alone by its configuration can know nothing of
// others: it withdraws when it fails.
//
// Another node is counted as announcing and well if it was heard within Fresh, says
// so, and has not failed Outside looks in a row from here.
//
// Each withdrawal of a prefix that was up makes the next hold-down longer, until
// there has been none for Calm. What falls while it is not up counts for nothing.
//
// # Restarts
//
// A component is restarted when it fails and all that it needs, directly or not, is
// well; if it was waiting for those, only after Settle. Its pauses double, and after
// Restarts within RestartsIn it is given up: it counts as failing until it has been
// well by itself for Trust or the operator says Undrained. A component whose looks
// begin to pass again is left alone, and so is one that is overloaded. One whose
// supervisor starts it again (Respawns) gets the time to do so. One that still gives
// (wrong) answers as a last resort is restarted after a longer pause, by chance
// another on each node.
//
// # Votes
//
// A node that is well and has seen another fail from outside, Outside times in a row,
// votes to withdraw its prefixes there; if at least MinLive nodes stay that announce
// them and are well, and unless the other says itself that it fails or has withdrawn.
// Only looks count that are the other's fault and not the network's: those during
// which it was heard, and yet another node was seen. So a network that is cut, or
// heals, is held against nobody. Of a node that is silent nothing is said: if its
// watch has ended, its nc-bgp has withdrawn.
//
// A vote is renewed while that is so, at first each second. It is no order: the
// victim's nc-bgp obeys a quorum, see package quorum, which also has the pauses
// between orders. A prefix whose order has ended is verified and held down like one
// that has failed. Between two nodes there is no quorum without the victim, so they
// do not vote (Remote).
package watch
