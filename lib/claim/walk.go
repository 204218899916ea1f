package claim

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// Limits of one walk.
const (
	maxHosts   = 4  // server names used of one delegation
	maxServers = 8  // addresses used of one delegation
	maxZones   = 16 // delegations on the way down
)

// A run is one of the two independent look-ups of a proof.
type run struct {
	*Prover
	resolvers []netip.AddrPort
	proof     rr.Name
	index     int    // 0 or 1: which of the servers comes first
	seed      uint64 // the same for both: the order of servers
	now       time.Time
	left      atomic.Int32 // queries that may still be sent
}

// A zone is a zone on the way with the addresses of its servers, in the order
// in which the first run asks them.
type zone struct {
	name    rr.Name
	servers []netip.Addr
}

// prove makes the whole look-up: walk, what it found, wildcard, signatures.
func (r *run) prove(ctx context.Context) error {
	first, err := r.start(ctx)
	if err != nil {
		return err
	}
	path, m, err := r.walk(ctx, first)
	if err != nil {
		return err
	}
	last := path[len(path)-1]
	s := read(m, last.name, r.proof)
	if s.kind == missing {
		return fmt.Errorf("%w: %s must be a CNAME to %s, but the servers of %s %s", ErrMissing, r.proof, r.Base, show(last.name), s.why)
	}
	if err := r.wildcard(ctx, last); err != nil {
		return err
	}
	if err := r.validate(ctx, path, m); err != nil {
		return err
	}
	if !s.target.Equal(r.Base) {
		return fmt.Errorf("%w: %s is a CNAME to %s and must be one to %s", ErrTarget, r.proof, s.target, r.Base)
	}
	return nil
}

// show is a zone's name in an error; the root has no good one of its own.
func show(n rr.Name) string {
	if n == "" {
		return "the root"
	}
	return n.String()
}

// walk follows referrals from the first zone to the answer about the proof
// name. It returns the zones on the way and the answer, found or missing.
func (r *run) walk(ctx context.Context, first zone) ([]zone, *dns.Msg, error) {
	path := []zone{first}
	for range maxZones {
		z := path[len(path)-1]
		m, err := r.ask(ctx, z, r.proof, dns.TypeCNAME, func(m *dns.Msg) string {
			return read(m, z.name, r.proof).fault
		})
		if err != nil {
			return nil, nil, err
		}
		s := read(m, z.name, r.proof)
		if s.kind != referral {
			return path, m, nil
		}
		next, err := r.enter(ctx, s.child, s.hosts)
		if err != nil {
			return nil, nil, err
		}
		path = append(path, next)
	}
	return nil, nil, fmt.Errorf("%w: %s is below too many delegations", ErrTimeout, r.proof)
}

// wildcard makes sure that the record is not there for every name.
func (r *run) wildcard(ctx context.Context, last zone) error {
	other, err := proofName(r.Base, r.proof.Parent(), strings.ToLower(crand.Text()))
	if err != nil {
		return err
	}
	m, err := r.ask(ctx, last, other, dns.TypeCNAME, unauthoritative)
	if err != nil {
		return err
	}
	if s := read(m, last.name, other); s.kind == found && s.target.Equal(r.Base) {
		return fmt.Errorf("%w: every name below %s without records is a CNAME to %s, so it proves nothing", ErrWildcard, r.proof.Parent(), r.Base)
	}
	return nil
}

// unauthoritative says what is wrong with an answer that a server of the zone
// must know, "" if nothing is.
func unauthoritative(m *dns.Msg) string {
	switch {
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return rcode(m)
	case !m.Authoritative:
		return "answers without authority"
	}
	return ""
}

// ask asks the servers of a zone in turn until one gives an answer that fault
// finds nothing wrong with. A server with a fault is not asked again, a silent
// one is, and given more time.
func (r *run) ask(ctx context.Context, z zone, name rr.Name, qtype uint16, fault func(*dns.Msg) string) (*dns.Msg, error) {
	faults := make(map[netip.Addr]string)
	wait := r.patience()
	for range or(r.Rounds, 2) {
		for i := range z.servers {
			a := z.servers[(i+r.index)%len(z.servers)]
			if faults[a] != "" || ctx.Err() != nil {
				continue
			}
			m, err := r.send(ctx, netip.AddrPortFrom(a, or(r.Port, 53)), name, qtype, false, wait)
			if err == errSpent {
				return nil, err
			}
			if err != nil {
				continue
			}
			if faults[a] = fault(m); faults[a] == "" {
				return m, nil
			}
		}
		wait *= 2
	}
	return nil, noAnswer(z, faults)
}

// patience is how long the first try of a server may take: an eighth of the
// time, so that a few silent servers do not use it up.
func (r *run) patience() time.Duration { return or(r.Timeout, DefaultTimeout) / 8 }

func noAnswer(z zone, faults map[netip.Addr]string) error {
	var list []string
	for _, a := range z.servers[:min(3, len(z.servers))] {
		list = append(list, a.String()+" "+orSilent(faults[a]))
	}
	return fmt.Errorf("%w about %s: %s; try again later", ErrTimeout, show(z.name), strings.Join(list, ", "))
}

func orSilent(fault string) string {
	if fault == "" {
		return "is silent"
	}
	return fault
}

// send is exchange within the run's budget.
func (r *run) send(ctx context.Context, to netip.AddrPort, name rr.Name, qtype uint16, recurse bool, wait time.Duration) (*dns.Msg, error) {
	if r.left.Add(-1) < 0 {
		return nil, errSpent
	}
	return exchange(ctx, to, name, qtype, recurse, wait)
}

// shuffle gives the order of a zone's server names: random, but the same in
// both runs of a Prove, so that each run can begin with another server.
func (r *run) shuffle(name rr.Name, hosts []host) []host {
	order := rand.New(rand.NewPCG(r.seed, uint64(len(name))))
	out := slices.SortedFunc(slices.Values(hosts), func(a, b host) int { return cmp.Compare(a.name.Lower(), b.name.Lower()) })
	order.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(maxHosts, len(out))]
}
