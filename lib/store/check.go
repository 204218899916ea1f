package store

import (
	"fmt"
	"math"
	"strings"

	"namecast/lib/rr"
)

// maxAccount is the longest account name: one label.
const maxAccount = rr.MaxLabel

// Check reports, wrapping ErrBadChange, what no store can take: versions that
// do not follow each other, an account or key name that is not a label of
// lower-case letters, digits and hyphens, an RRset without records, with a name
// out of the limits or a TTL above rr.MaxTTL, or an RRset named twice. Every
// implementation calls it before anything else.
func (c *Change) Check() error {
	switch h := &c.Head; {
	case c.From == math.MaxUint64 || h.Version != c.From+1:
		return fmt.Errorf("%w: from version %d to %d", ErrBadChange, c.From, h.Version)
	case !label(h.Account):
		return fmt.Errorf("%w: account name %q", ErrBadChange, h.Account)
	case !label(h.KeyID):
		return fmt.Errorf("%w: key name %q", ErrBadChange, h.KeyID)
	case h.Records < 0 || h.Bytes < 0:
		return fmt.Errorf("%w: %d records of %d octets", ErrBadChange, h.Records, h.Bytes)
	}
	for _, d := range c.Head.Domains {
		if d.Name.Check() != nil || d.Contact.Check() != nil || d.Name != d.Name.Lower() {
			return fmt.Errorf("%w: domain %q", ErrBadChange, string(d.Name))
		}
	}
	return c.checkSets()
}

func (c *Change) checkSets() error {
	seen := make(map[SetKey]bool, len(c.Put)+len(c.Delete))
	once := func(owner rr.Name, t rr.Type) error {
		if err := owner.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrBadChange, err)
		}
		k := SetKey{Owner: owner.Lower(), Type: t}
		if seen[k] {
			return fmt.Errorf("%w: %s %s twice", ErrBadChange, owner, t)
		}
		seen[k] = true
		return nil
	}
	for _, s := range c.Put {
		if err := once(s.Owner, s.Type); err != nil {
			return err
		}
		if err := checkSet(s); err != nil {
			return err
		}
	}
	for _, k := range c.Delete {
		if err := once(k.Owner, k.Type); err != nil {
			return err
		}
	}
	return nil
}

func checkSet(s rr.Set) error {
	if len(s.Data) == 0 || s.TTL > rr.MaxTTL {
		return fmt.Errorf("%w: %s %s: %d records with TTL %d", ErrBadChange, s.Owner, s.Type, len(s.Data), s.TTL)
	}
	for _, d := range s.Data {
		if len(d) > math.MaxUint16 {
			return fmt.Errorf("%w: %s %s: data of %d octets", ErrBadChange, s.Owner, s.Type, len(d))
		}
	}
	return nil
}

// Check reports, wrapping ErrBadChange, a claim that no store can take: a
// domain out of the limits or in upper case, an owner that is no account name,
// or a version that does not follow from.
func (c Claim) Check(domain rr.Name, from uint64) error {
	switch {
	case domain == "" || domain.Check() != nil || domain != domain.Lower():
		return fmt.Errorf("%w: domain %q", ErrBadChange, string(domain))
	case from == math.MaxUint64 || c.Version != from+1:
		return fmt.Errorf("%w: %s from version %d to %d", ErrBadChange, domain, from, c.Version)
	case !label(c.Account) || c.Previous != "" && !label(c.Previous):
		return fmt.Errorf("%w: %s from account %q to %q", ErrBadChange, domain, c.Previous, c.Account)
	}
	return nil
}

// label reports whether s can be an account's name.
func label(s string) bool {
	other := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }
	return s != "" && len(s) <= maxAccount && !strings.ContainsFunc(s, other)
}
