package dnssec

import (
	"fmt"
	"math"
	"strings"
	"time"

	"namecast/lib/rr"
)

// Prepublish is how long the keys of an epoch are published before they sign:
// the TTL of DNSKEY records, for caches to forget those without the key, and
// the rest for the operator to bring the secret file to every node.
const Prepublish = 24 * time.Hour

// KeyTTL is the TTL of DNSKEY, CDS and CDNSKEY records, and of the DS records of
// zones whose parent is held here too, in seconds.
const KeyTTL = 3600

// A State is what an epoch does; see the package comment.
type State int

// The states, in the order of an epoch's life.
const (
	Coming State = iota
	Published
	Signing
	Retired
)

// String is the word of the package comment.
func (s State) String() string {
	return [...]string{"coming", "published", "signing", "retired"}[s]
}

// States gives the state of each epoch of [Secret.Epochs] at a time.
func (s Secret) States(now time.Time) []State {
	states := make([]State, len(s.epochs))
	signing := 0
	for i, e := range s.epochs {
		switch {
		case i == 0 || !now.Before(e.Signs()):
			signing = i
		case !now.Before(e.From):
			states[i] = Published
		}
	}
	for i := range signing {
		states[i] = Retired
	}
	states[signing] = Signing
	return states
}

// until is when the next epoch's state changes, in Unix seconds, or a time that
// nobody will see.
func (s Secret) until(now time.Time) int64 {
	next := int64(math.MaxInt64)
	for _, e := range s.epochs {
		for _, t := range []time.Time{e.From, e.Signs()} {
			if t.After(now) {
				next = min(next, t.Unix())
			}
		}
	}
	return next
}

// Signs is when the epoch begins to sign, if it is not the oldest one.
func (e Epoch) Signs() time.Time { return e.From.Add(Prepublish) }

// Report tells what a zone's keys do, for its owner: lines of a master file in
// which the DS record that the parent should have is a record, and the others
// are comments.
func (s Secret) Report(zone rr.Name, now time.Time) (string, error) {
	var b strings.Builder
	states := s.States(now)
	for i, e := range s.epochs {
		k, err := e.Key(zone)
		if err != nil {
			return "", err
		}
		comment := "; "
		if states[i] == Signing {
			comment = ""
		}
		fmt.Fprintf(&b, "%s%s %d IN DS %s ; epoch=%d %s from=%s", comment, k.Zone.FQDN(), KeyTTL, k.DS().Text(rr.TypeDS),
			e.Number, states[i], e.From.Format(time.RFC3339))
		if states[i] < Signing {
			fmt.Fprintf(&b, " signs=%s", e.Signs().Format(time.RFC3339))
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}
