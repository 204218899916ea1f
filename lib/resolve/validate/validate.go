// Package validate judges DNS responses by DNSSEC (RFC 4033 to 4035, 5155, 6840): whether
// the signatures of what they say lead back to a trust anchor.
//
// A response is Secure if all of its answer, and all that its denial rests on, is signed
// by keys that a chain of DS and DNSKEY records leads to from an anchor; Insecure if such a
// chain proves that the zone has no keys that can be used; and Bogus if it should be
// signed and is not, or not rightly. When a record of the chain cannot be had it is
// Indeterminate; an attacker who stands in the way can bring that about, so that no more
// should be done with such a response than with a bogus one. Whoever uses the package fetches the records of the
// chain for it, asking for signatures (DO) and for answers that nobody else has checked
// (CD); where they come from does not matter.
//
// Algorithms 8, 10, 13, 14 and 15 are known (RFC 8624), digests of DS records 1, 2 and 4.
// A zone with none of these is Insecure, as one is whose NSEC3 records have more than 50
// iterations (RFC 9276). The work that one response can cause is bounded (see the
// constants), as are the keys that are kept; so neither colliding key tags nor long names
// nor many iterations can hold a processor (CVE-2023-50387, CVE-2023-50868).
package validate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A State is what is known of a response (RFC 4035 section 4.3).
type State uint8

// The states.
const (
	Indeterminate State = iota // what the verdict needs could not be had
	Secure                     // signed, up to an anchor
	Insecure                   // proven to be in a zone without usable keys
	Bogus                      // should be signed, and is not rightly
)

var stateNames = [...]string{"indeterminate", "secure", "insecure", "bogus"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", s)
}

// Reasons why a response is Bogus or Indeterminate; they come wrapped, with the name.
var (
	// ErrUnsigned: there is no signature of the zone, and there must be one.
	ErrUnsigned = errors.New("not signed by its zone")
	// ErrSignature: no signature can be verified with a key of the zone.
	ErrSignature = errors.New("signature does not fit")
	// ErrExpired: the time of all signatures is over.
	ErrExpired = errors.New("signature has expired")
	// ErrEarly: the time of the signatures has not come yet.
	ErrEarly = errors.New("signature is not valid yet")
	// ErrKeys: the zone's keys are not those of its delegation or anchor.
	ErrKeys = errors.New("keys do not fit the delegation")
	// ErrDenial: what the response denies is not proven to be missing.
	ErrDenial = errors.New("denial is not proven")
	// ErrMessage: the response is no answer to the question, or contradicts itself.
	ErrMessage = errors.New("response does not make sense")
	// ErrWork: the verdict would take more work than is given to one response.
	ErrWork = errors.New("too much work")
	// ErrFetch: a record of the chain could not be fetched.
	ErrFetch = errors.New("not to be had")
)

// Bounds of the work for one response.
const (
	maxVerifies   = 128 // signatures verified
	maxSignatures = 8   // of one RRset tried
	maxCollisions = 4   // keys with the tag and algorithm of one signature or DS tried
	maxHashes     = 384 // names hashed for NSEC3
	maxFetches    = 64  // records fetched: two for a zone, one for a label without a zone
	maxChain      = 16  // CNAME and DNAME records followed
	maxSigners    = 4   // zones whose signatures of one RRset are regarded
)

// maxIterations of an NSEC3 record that is made use of (RFC 9276 section 3.2).
const maxIterations = 50

// A Question is what was asked, in class IN.
type Question struct {
	Name rr.Name
	Type uint16
}

// Options of a Validator.
type Options struct {
	// Anchors are the keys that are trusted; none: those of [RootAnchors].
	Anchors []Anchor
	// Fetch gets the response to a question of the chain, in wire form, with signatures
	// and not validated by anybody else. It may be called from several goroutines.
	Fetch func(ctx context.Context, name rr.Name, typ uint16) ([]byte, error)
	// Now is the time of the day; nil: the machine's.
	Now func() time.Time
	// Untimed says that this is not known, as on a machine that was just switched on: the
	// times of signatures are not regarded then, and no Verdict has an Until. Nil: it is.
	Untimed func() bool
	// Insecure are names at and below which nothing is validated, such as the domains of
	// a network that exist nowhere else (RFC 7646).
	Insecure []rr.Name
}

// A Validator judges responses, and keeps the keys of zones that it has found. It is safe
// for use by several goroutines.
type Validator struct {
	options Options

	mu      sync.Mutex
	anchors map[rr.Name][]Anchor
	links   map[rr.Name]*link
}

// New makes a Validator.
func New(o Options) *Validator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Anchors) == 0 {
		o.Anchors = RootAnchors()
	}
	v := &Validator{options: o, links: map[rr.Name]*link{}}
	v.SetAnchors(o.Anchors)
	v.options.Insecure = nil
	for _, n := range o.Insecure {
		v.options.Insecure = append(v.options.Insecure, n.Lower())
	}
	return v
}

// SetAnchors has only these be trusted from now on, and drops all keys that are kept.
func (v *Validator) SetAnchors(anchors []Anchor) {
	at := map[rr.Name][]Anchor{}
	for _, a := range anchors {
		at[a.Zone] = append(at[a.Zone], a)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.anchors = at
	clear(v.links)
}

// anchorsAt are the anchors of a zone.
func (v *Validator) anchorsAt(zone rr.Name) []Anchor {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.anchors[zone]
}

// Forget drops all keys that are kept; it is for when the clock has been set.
func (v *Validator) Forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.links)
}

// A Verdict is the judgement of a response.
type Verdict struct {
	State State
	// Reason is why it is not Secure; it wraps one of the sentinels if the State is Bogus
	// or Indeterminate.
	Reason error
	// Until is when the first of the signatures it rests on ends; zero if it rests on none.
	// After it the response is no longer Secure.
	Until time.Time
	// MaxTTL is the least TTL that was signed, in seconds; those of the response are not, and
	// may not count for more (RFC 4035 section 5.3.3). It is there if the State is Secure.
	MaxTTL uint32
}

// Validate judges a response to a question and says, if it is Bogus or Indeterminate, why.
func (v *Validator) Validate(ctx context.Context, q Question, msg []byte) (State, error) {
	verdict := v.Judge(ctx, q, msg)
	if verdict.State == Secure || verdict.State == Insecure {
		return verdict.State, nil
	}
	return verdict.State, verdict.Reason
}

// Judge judges a response to a question. Of the authority section, name servers without
// signatures are not regarded, nor is the additional section: a response that goes on as
// Secure should go without them.
func (v *Validator) Judge(ctx context.Context, q Question, msg []byte) Verdict {
	q.Name = q.Name.Lower()
	m, f := parse(q, msg)
	if m == nil {
		return Verdict{State: f.state, Reason: f.reason}
	}
	if v.exempt(q.Name) {
		return Verdict{State: Insecure, Reason: fmt.Errorf("%v is not validated", q.Name)}
	}
	w := v.work(ctx)
	f = w.response(q, m)
	if f.state != Secure {
		return Verdict{State: f.state, Reason: f.reason}
	}
	return Verdict{State: Secure, Until: w.until, MaxTTL: w.maxTTL}
}

// work is what is done for one response: it bounds it, and remembers what is known.
type work struct {
	v   *Validator
	ctx context.Context
	now time.Time

	untimed bool // now says nothing

	verifies, hashes, fetches int

	judged map[*set]judgement
	hashed map[hashKey]string
	until  time.Time // the end of the first signature that was made use of
	maxTTL uint32    // that the signatures of the response allow
}

func (v *Validator) work(ctx context.Context) *work {
	w := &work{v: v, ctx: ctx, now: v.options.Now(), maxTTL: rr.MaxTTL, judged: map[*set]judgement{}, hashed: map[hashKey]string{}}
	w.untimed = v.options.Untimed != nil && v.options.Untimed()
	return w
}

// spend takes one from a budget and reports whether there was one.
func spend(spent *int, most int) bool {
	if *spent >= most {
		return false
	}
	*spent++
	return true
}

// A finding is a state with its reason.
type finding struct {
	state  State
	reason error
}

var secure = finding{state: Secure}

func bogus(format string, args ...any) finding {
	return finding{Bogus, fmt.Errorf(format, args...)}
}

func unknown(format string, args ...any) finding {
	return finding{Indeterminate, fmt.Errorf(format, args...)}
}

// rank orders the states by how much they spoil what they are part of.
var rank = [...]int{Indeterminate: 2, Secure: 0, Insecure: 1, Bogus: 3}

// and is the finding for what has two parts.
func (f finding) and(g finding) finding {
	if rank[g.state] > rank[f.state] {
		return g
	}
	return f
}

// EDE gives the code of RFC 8914 that says why a response was refused, by the error of
// [Validator.Validate].
func EDE(err error) uint16 {
	for _, c := range []struct {
		err  error
		code uint16
	}{
		{ErrExpired, dns.ExtendedErrorCodeSignatureExpired},
		{ErrEarly, dns.ExtendedErrorCodeSignatureNotYetValid},
		{ErrUnsigned, dns.ExtendedErrorCodeRRSIGsMissing},
		{ErrKeys, dns.ExtendedErrorCodeDNSKEYMissing},
		{ErrDenial, dns.ExtendedErrorCodeNSECMissing},
		{ErrFetch, dns.ExtendedErrorCodeDNSSECIndeterminate},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return dns.ExtendedErrorCodeDNSBogus
}
