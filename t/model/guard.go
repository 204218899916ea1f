package main

import (
	"fmt"
	"slices"
	"strings"
)

// A guard is one safeguard of the protocol, which can be switched off.
type guard uint

const (
	guardLease guard = iota
	guardWait
	guardFence
	guardConfirm
	guardJoint
	guardVersion
	guardEpoch
	guardOnce
	guardPersist
	guardWhole
	guardHello
	guardReady
	guardGate
	guardFresh
	guardKeep
	guardIncarnation
	guardLastSet
	guardTxn
	guardCount
)

// guards are the safeguards' names and what each is.
var guards = [guardCount]struct{ name, what string }{
	guardLease:       {"lease", "a node checks its lease for every strong read that it answers itself"},
	guardWait:        {"wait", "a removed node's lease has run out before the next epoch is published"},
	guardFence:       {"fence", "a removed node cannot renew its lease; it must register as a new incarnation"},
	guardConfirm:     {"confirm", "without leases, all other members confirm the epoch, not a neighbour alone"},
	guardJoint:       {"joint", "without leases, a recruit that may have been reported ready confirms, too"},
	guardVersion:     {"version", "a node that has uncommitted records asks the tail what is committed"},
	guardEpoch:       {"epoch", "records that were sent in another epoch are refused"},
	guardOnce:        {"once", "the head places a write once, however often it is sent"},
	guardPersist:     {"persist", "a record is durable before it is forwarded or acknowledged"},
	guardWhole:       {"whole", "a new tail commits its whole log before it answers"},
	guardHello:       {"hello", "a tail is inactive until its predecessor has said hello in this epoch"},
	guardReady:       {"ready", "a recruit is promoted only after its tail has reported it ready"},
	guardGate:        {"gate", "from then on the tail commits no more than the recruit holds"},
	guardFresh:       {"fresh", "a recruit drops its old log"},
	guardKeep:        {"keep", "a recruit that crashed keeps its log, since it may have been promoted"},
	guardIncarnation: {"incarnation", "a restarted node is a new incarnation and not in its old epoch"},
	guardLastSet:     {"lastset", "a dead chain is restarted from a member of its last serving set"},
	guardTxn:         {"txn", "the coordinator refuses a row that was planned from an older one"},
}

// A guardSet is the safeguards that are switched off.
type guardSet uint

func (g guardSet) without(one guard) bool { return g&(1<<one) != 0 }

// parseGuards reads names with commas between them.
func parseGuards(list string) (guardSet, error) {
	var set guardSet
	for name := range strings.SplitSeq(list, ",") {
		if name == "" {
			continue
		}
		at := slices.IndexFunc(guards[:], func(g struct{ name, what string }) bool { return g.name == name })
		if at < 0 {
			return 0, fmt.Errorf("no safeguard %q", name)
		}
		set |= 1 << at
	}
	return set, nil
}
