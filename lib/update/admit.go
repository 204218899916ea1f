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

	newLines *limit.Table // of new accounts in the log
}

// newLines is how many new accounts the log tells of one by one.
var newLines = limit.Rate{N: 10, Per: time.Second}

func newBudgets(b Budgets) budgets {
	return budgets{
		source:       limit.New(b.Source, 2*b.Source.N, places),
		account:      limit.New(b.Account, 2*b.Account.N, places),
		newAccounts:  limit.New(b.NewAccounts, b.NewAccounts.N, 1),
		newPerSource: limit.New(b.NewPerSource, b.NewPerSource.N, places),
		verify:       limit.New(b.Verify, max(1, b.Verify.N/10), 1),
		newLines:     limit.New(newLines, newLines.N, 1),
	}
}

// A source is the key of a sender's budget: the first octets of its address, and
// their number.
type source [7]byte

func sourceOf(from netip.AddrPort) (s source) {
	switch a := from.Addr().Unmap(); {
	case a.Is4():
		b := a.As4()
		s[len(s)-1] = byte(copy(s[:3], b[:]))
	case a.Is6():
		b := a.As16()
		s[len(s)-1] = byte(copy(s[:6], b[:]))
	}
	return s
}

// takeSource takes a request from the sender's budget, or says how long it must
// wait.
func (b *budgets) takeSource(from netip.AddrPort, now time.Time) time.Duration {
	s := sourceOf(from)
	return b.source.TakeBytes(s[:], now)
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
func (a Admission) admits(t *task) (why string) {
	req, id := t.req, t.keyID
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
func (s *Server) newAccount(t *task) *nup.Reply {
	if why := s.admission().admits(t); why != "" {
		s.Count.Refused.Add(1)
		r := t.req.Reply(nup.StatusNotAdmitted, 0)
		r.Text, r.WorkBits = why, s.admission().Work
		return r
	}
	from := sourceOf(t.from)
	wait := max(s.budgets.newAccounts.Wait("", t.now), s.budgets.newPerSource.Wait(string(from[:]), t.now))
	if wait > 0 {
		s.Count.OverRate.Add(1)
		return later(t.req, 0, wait, "too many new accounts")
	}
	return nil
}

// takeNewAccount takes the account from the budgets once it is made.
func (s *Server) takeNewAccount(t *task) {
	from := sourceOf(t.from)
	s.budgets.newAccounts.Take("", t.now)
	s.budgets.newPerSource.Take(string(from[:]), t.now)
}

// later makes the reply to a request that is only too early.
func later(req *nup.Request, next int64, wait time.Duration, text string) *nup.Reply {
	r := req.Reply(nup.StatusTryLater, next)
	r.RetryAfter, r.Text = wait, text
	return r
}
