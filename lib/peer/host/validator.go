package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/clock"
	"namecast/lib/peer"
	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/resolve/upstream"
	"namecast/lib/resolve/validate"
	"namecast/lib/rr"
)

// A validator is the own validation.
type validator struct {
	*validate.Validator
	log   *notes
	zones atomic.Pointer[map[rr.Name]bool] // whose keys are trusted; a server that knows of DNSSEC has them signed
	past  string                           // a file that was written when the clock was right
	set   atomic.Bool                      // the clock is
}

// newValidator makes that of a daemon with a folder.
func newValidator(o validate.Options, dir string, log *notes) *validator {
	if len(o.Anchors) == 0 {
		o.Anchors = validate.RootAnchors()
	}
	v := &validator{log: log, past: filepath.Join(dir, snapshotFile)}
	v.zonesOf(o.Anchors)
	o.Untimed = v.untimed
	v.Validator = validate.New(o)
	return v
}

// SetAnchors has other keys be trusted.
func (v *validator) SetAnchors(list []validate.Anchor) {
	v.zonesOf(list)
	v.Validator.SetAnchors(list)
}

func (v *validator) zonesOf(list []validate.Anchor) {
	zones := map[rr.Name]bool{}
	for _, a := range list {
		zones[a.Zone] = true
	}
	v.zones.Store(&zones)
}

// firstDay is one before which there was no such program.
var firstDay = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// untimed reports that the machine's clock is not set, as long as that is so after the
// start: it says that it is before the first day, or before the cache was last saved.
// Without names a machine that has no clock of its own could not ask for the time. When the
// clock has been right once it is taken as right, or whoever can set it back could
// have old signatures believed.
func (v *validator) untimed() bool {
	if v.set.Load() {
		return false
	}
	now, past := time.Now(), firstDay
	if f, err := os.Stat(v.past); err == nil && f.ModTime().After(past) {
		past = f.ModTime()
	}
	if now.Before(past) {
		v.log.once("clock", fmt.Sprintf("it is not set, for %s is past: the times of signatures are not regarded, and nothing is called secure", past.Format(time.RFC3339)))
		return true
	}
	if !v.set.Swap(true) {
		v.Forget() // what was judged without a clock
	}
	return false
}

// judge gives the own opinion of a response.
func (v *validator) judge(ctx context.Context, q peer.Question, msg []byte) peer.Verdict {
	got := v.Judge(ctx, validate.Question{Name: q.Name, Type: q.Type}, msg)
	switch got.State {
	case validate.Secure:
		return peer.Verdict{Verdict: secure(got)}
	case validate.Insecure:
		return peer.Verdict{Verdict: keep.Verdict{State: packet.Insecure}}
	}
	// What could not be judged is refused as well, or whoever keeps the keys from us
	// could have us believe anything.
	v.log.rarely("validation", fmt.Sprintf("%v: %v", got.State, got.Reason))
	return peer.Verdict{Bogus: true, Doubt: doubtful(got), EDE: int(validate.EDE(got.Reason)), Text: got.Reason.Error()}
}

// secure is a verdict with its times on the Node's clock. Without a clock none is Secure.
func secure(got validate.Verdict) keep.Verdict {
	k := keep.Verdict{MaxTTL: max(got.MaxTTL, 1)} // 0 would be no bound
	if !got.Until.IsZero() {
		k.State, k.Until = packet.Secure, clock.Boot()+time.Until(got.Until)
	}
	return k
}

// doubtful reports whether who gave the response need not be to blame that it is refused:
// there are no keys, or wrong ones, which came from others; or its signatures are of
// another time.
func doubtful(got validate.Verdict) bool {
	for _, err := range []error{validate.ErrKeys, validate.ErrExpired, validate.ErrEarly} {
		if errors.Is(got.Reason, err) {
			return true
		}
	}
	return got.State == validate.Indeterminate
}

// unsigned reports whether a server gives no signatures where there must be some: it does
// not know of DNSSEC, or something in between takes them out.
func (v *validator) unsigned(server upstream.Server, q peer.Question, msg []byte) bool {
	if q.Type != dns.TypeDNSKEY || !(*v.zones.Load())[q.Name] || len(msg) < headerSize {
		return false
	}
	switch msg[3] & 0xf {
	case dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeFormatError, dns.RcodeNotImplemented:
	default:
		return false // it may do better the next time
	}
	if signed(msg) {
		return false
	}
	v.log.once("name server "+server.String(), noSignatures)
	return true
}

const noSignatures = "it gives no signatures (DNSSEC), so nothing that it says can be validated and it is not asked any more; " +
	"name another server with -upstream, have that one pass signatures on, or do without -dnssec"

// showBlind names the servers that give no signatures.
func (d *daemon) showBlind(w io.Writer) {
	for i, s := range d.loop.node.Servers() {
		if s.Blind && i < len(d.loop.workers.servers) {
			fmt.Fprintf(w, "%v: %s\n", d.loop.workers.servers[i].Server(), noSignatures)
		}
	}
}
