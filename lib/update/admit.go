package update

import (
	"net/netip"
	"time"

	"namecast/lib/key"
	"namecast/lib/limit"
	"namecast/lib/nup"
)

// Budgets are the rates of a node. A source is an IPv4 /24 or an IPv6 /48.
type Budgets struct {
	Source       limit.Rate // requests from a source
	Account      limit.Rate // accepted requests of an account
	NewAccounts  limit.Rate // new accounts in all
	NewPerSource limit.Rate // new accounts from a source
	Verify       limit.Rate // signature verifications in all
}

// places is the size of a table of budgets: half a megabyte each.
const places = 1 << 16

// budgets are Budgets at work. A burst is what a patient client may have saved up.
type budgets struct {
	source, account, newAccounts, newPerSource, verify *limit.Table
}

func newBudgets(b Budgets) budgets {
	return budgets{
		source:       limit.New(b.Source, 2*b.Source.N, places),
		account:      limit.New(b.Account, 2*b.Account.N, places),
		newAccounts:  limit.New(b.NewAccounts, b.NewAccounts.N, 1),
		newPerSource: limit.New(b.NewPerSource, b.NewPerSource.N, places),
		verify:       limit.New(b.Verify, max(1, b.Verify.N/10), 1),
	}
}

// source is the key of the sender's budget.
func source(a netip.AddrPort) string {
	bits := 24
	if a.Addr().Is6() {
		bits = 48
	}
	p, err := a.Addr().Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// Admission is who may open an account. With none of List, Secret and Work set
// everybody may; otherwise one of those that are set has to hold.
type Admission struct {
	List    map[string]bool // names of accounts
	Secret  []byte          // an admission token under this secret
	Work    int             // a proof of work of this many bits
	DSABits int             // the least modulus of a DSA key, for every way
}

// open reports whether everybody is admitted.
func (a Admission) open() bool { return a.List == nil && a.Secret == nil && a.Work == 0 }

// admits says whether a new account is let in, and otherwise why not.
func (a Admission) admits(req *nup.Request) (why string) {
	id := req.KeyID()
	switch {
	case a.open(), a.List[id]:
		return ""
	case a.Secret != nil && req.Token != nil && key.CheckToken(a.Secret, req.Service.String(), id, string(req.Token)):
		return ""
	case a.Work > 0 && req.HasWork && key.CheckWork(req.Service.String(), req.Key, req.Work, a.Work):
		return ""
	case a.Work > 0:
		return "new accounts need a proof of work"
	case a.Secret != nil:
		return "new accounts need an admission token from the operator"
	}
	return "new accounts need to be on the operator's list"
}

// newAccount checks the budgets and the rule for an account that does not
// exist. It takes nothing: the signature is still unknown.
func (s *Server) newAccount(req *nup.Request, from netip.AddrPort, now time.Time) *nup.Reply {
	if why := s.admission().admits(req); why != "" {
		s.Count.Refused.Add(1)
		r := req.Reply(nup.StatusNotAdmitted, 0)
		r.Text, r.WorkBits = why, s.admission().Work
		return r
	}
	wait := max(s.budgets.newAccounts.Wait("", now), s.budgets.newPerSource.Wait(source(from), now))
	if wait > 0 {
		s.Count.OverRate.Add(1)
		return later(req, 0, wait, "too many new accounts")
	}
	return nil
}

// takeNewAccount takes the account from the budgets once its signature is good.
func (s *Server) takeNewAccount(from netip.AddrPort, now time.Time) {
	s.budgets.newAccounts.Take("", now)
	s.budgets.newPerSource.Take(source(from), now)
}

// later makes the reply to a request that is only too early.
func later(req *nup.Request, next int64, wait time.Duration, text string) *nup.Reply {
	r := req.Reply(nup.StatusTryLater, next)
	r.RetryAfter, r.Text = wait, text
	return r
}
