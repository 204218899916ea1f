package client

import (
	"fmt"
	"strconv"
	"strings"

	"namecast/lib/nup"
)

// A Verdict is what a reply means for the client.
type Verdict string

// The verdicts, as the word that Report prints.
const (
	Accepted Verdict = "ok"      // done, or in a sequence query: answered
	Refused  Verdict = "refused" // the same again will be refused again
	Later    Verdict = "later"   // nothing wrong with the request
)

// Judge gives the verdict of the reply to req.
func Judge(req *nup.Request, r *nup.Reply) Verdict {
	switch {
	case r.Status == nup.StatusOK, r.Status == nup.StatusNoElements && req.IsQuery():
		return Accepted
	case r.Status == nup.StatusTryLater:
		return Later
	}
	return Refused
}

// Report gives the reply to packet n as lines without line ends, one for the
// packet and one for each of its elements:
//
//	packet 1 ok account=mfrggzdfmztwq2lkmfrggzdfmztwq2lk seq=5 next=6
//	element 1.1 ok
//	packet 2 refused status=102 "an element is invalid, nothing was changed" seq=6 next=6
//	element 2.1 refused code=400 "invalid record data"
//
// The first three words of a line are always of one kind; what follows are
// attributes and words in quotes. What the server itself had to say comes last,
// as text="...".
func Report(n int, req *nup.Request, r *nup.Reply) []string {
	var b strings.Builder
	verdict := Judge(req, r)
	fmt.Fprintf(&b, "packet %d %s", n, verdict)
	if verdict == Accepted {
		account := r.Account
		if account == "" {
			account = req.KeyID()
		}
		fmt.Fprintf(&b, " account=%s", account)
	} else {
		fmt.Fprintf(&b, " status=%d %q", r.Status, r.Status.String())
	}
	fmt.Fprintf(&b, " seq=%d next=%d", req.Seq, r.Next)
	if r.RetryAfter > 0 {
		b.WriteString(" retry-after=" + strconv.FormatFloat(r.RetryAfter.Seconds(), 'f', -1, 64))
	}
	if r.WorkBits > 0 {
		fmt.Fprintf(&b, " work=%d", r.WorkBits)
	}
	if r.Text != "" {
		fmt.Fprintf(&b, " text=%q", r.Text)
	}
	lines := []string{b.String()}
	for i, code := range r.Codes {
		line := fmt.Sprintf("element %d.%d ok", n, i+1)
		if code != nup.CodeOK {
			line = fmt.Sprintf("element %d.%d refused code=%d %q", n, i+1, code, code.String())
		}
		lines = append(lines, line)
	}
	return lines
}
