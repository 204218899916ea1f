package control

import (
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// A happening is what happens to the chains of a node one after the other, and is told
// as one.
type happening struct {
	kind   plan.Kind
	member chain.Member
	why    string
}

// A tally is how many chains it has happened to since it was told last.
type tally struct {
	happening
	chains int
	began  time.Duration // the first
	took   time.Duration // that took longest, from the plan to the row
}

// tellAfter is how long chains are gathered before the log tells of them.
const tellAfter = time.Second

// count takes in a row that was published.
func (s *shell) count(step *plan.Step, took time.Duration) {
	h := happening{step.Kind, step.Member, step.Why}
	i := slices.IndexFunc(s.tallies, func(t tally) bool { return t.happening == h })
	if i < 0 {
		i = len(s.tallies)
		s.tallies = append(s.tallies, tally{happening: h, began: s.cfg.Now()})
	}
	t := &s.tallies[i]
	t.chains++
	t.took = max(t.took, took)
}

// tellTallies tells of what has happened for long enough, or of all.
func (s *shell) tellTallies(all bool) {
	now := s.cfg.Now()
	s.tallies = slices.DeleteFunc(s.tallies, func(t tally) bool {
		due := all || now-t.began >= tellAfter
		if due {
			s.cfg.Log.Info("rows are published", "step", t.kind, "member", t.member, "chains", t.chains, "why", t.why, "longest", t.took)
		}
		return due
	})
}
