package iterate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// How many queries one name costs at the servers of one zone, and at each of them.
const (
	maxTries = 8
	maxEach  = 3
)

// errBroken is that servers were heard, and none with sense.
var errBroken = fmt.Errorf("%w with sense", ErrServers)

// A race asks the servers of one zone, one after another, until one answers with sense.
// One that is slow is not given up when the next is asked.
type race struct {
	*run
	z     *zone
	q     Question
	queue []netip.AddrPort       // to be asked next
	asked map[netip.AddrPort]int // how often those were that ever stood in the queue
	mute  []netip.AddrPort       // that have not answered in time, and may have lost the query
	out   chan outcome
	open  int
	tries int  // those that failed at once not counted
	spoke bool // a server did, though without sense
	began time.Duration
	doubt doubt
}

// An outcome is how one query ended.
type outcome struct {
	server netip.AddrPort
	id     uint16
	b      []byte
	err    error
	took   time.Duration
	late   bool // after its wait
	proof  bool // that there are others who answer, and no more
}

// ask gives what the servers of a zone say to a question.
func (n *run) ask(ctx context.Context, z *zone, q Question) (*reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &race{run: n, z: z, q: q, asked: map[netip.AddrPort]int{}, out: make(chan outcome), began: n.o.Now()}
	defer func() {
		cancel()
		for ; c.open > 0; c.open-- {
			c.lost(<-c.out)
		}
	}()
	c.add(c.serving(z))
	for {
		p, err := c.round(ctx)
		if p != nil || err != nil {
			return p, err
		}
	}
}

// round sends a query if there is anyone to send it to, and waits for something to
// happen. It gives neither a reply nor an error if the race goes on.
func (c *race) round(ctx context.Context) (*reply, error) {
	s, err := c.next(ctx)
	if err != nil {
		return nil, err
	}
	pause := patience
	if s.IsValid() {
		pause = min(c.wait(s)<<c.asked[s], maxWait)
		c.doubt.expect(c.wait(s))
		if err := c.start(ctx, s, c.q, pause); err != nil {
			return nil, err
		}
		c.asked[s]++
		c.tries++
	}
	return c.listen(ctx, s, pause)
}

// listen waits for something to happen, for so long at most: then a server is silent.
func (c *race) listen(ctx context.Context, s netip.AddrPort, pause time.Duration) (*reply, error) {
	end, look := time.NewTimer(pause), time.NewTimer(c.nextLook())
	defer end.Stop()
	defer look.Stop()
	for {
		select {
		case o := <-c.out:
			c.open--
			if o.proof {
				c.lost(o)
				continue
			}
			return c.judge(ctx, o), nil
		case <-look.C:
			if err := c.look(ctx); err != nil {
				return nil, err
			}
			look.Reset(c.nextLook())
		case <-end.C:
			if s.IsValid() && c.asked[s] < maxEach {
				c.mute = append(c.mute, s)
			}
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// next is the server to ask now, or an invalid one if those that were asked are to be
// waited for. When all were asked, servers are looked for whose addresses are not known,
// and then the silent are asked again.
func (c *race) next(ctx context.Context) (netip.AddrPort, error) {
	var none netip.AddrPort
	if len(c.queue) == 0 && c.tries < maxTries {
		found, err := c.more(ctx, c.z, c.asked)
		if err != nil {
			return none, err
		}
		c.add(found)
		if len(c.queue) == 0 {
			c.queue, c.mute = c.mute, nil
		}
	}
	switch {
	case len(c.queue) > 0 && c.tries < maxTries:
		s := c.queue[0]
		c.queue = c.queue[1:]
		return s, nil
	case c.open > 0:
		return none, nil
	case c.spoke:
		return none, fmt.Errorf("%w: %s", errBroken, c.z.name)
	}
	return none, fmt.Errorf("%w: of %s", ErrServers, c.z.name)
}

// start sends a query, of which an answer is late after a wait.
func (c *race) start(ctx context.Context, s netip.AddrPort, q Question, wait time.Duration) error {
	if c.left--; c.left < 0 {
		return fmt.Errorf("%w: more than %d queries", ErrBudget, c.o.Queries)
	}
	id, b, err := c.query(s, q)
	if err != nil {
		return fmt.Errorf("query for %s: %w", q.Name, err)
	}
	c.open++
	proof := q != c.q
	go func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		began := c.o.Now()
		b, err := c.o.Exchange(ctx, s, b)
		took := c.o.Now() - began
		c.out <- outcome{s, id, b, err, took, took >= wait, proof}
	}()
	return nil
}

// judge gives the reply if an outcome is one.
func (c *race) judge(ctx context.Context, o outcome) *reply {
	if o.err != nil {
		c.missed(ctx, o)
		return nil
	}
	c.heard(o.server, o.took)
	c.spoke = true
	c.mute = slices.DeleteFunc(c.mute, func(s netip.AddrPort) bool { return s == o.server })
	m := new(dns.Msg)
	if err := m.Unpack(o.b); err != nil || m.Id != o.id || !m.Response || m.Truncated || m.Opcode != dns.OpcodeQuery {
		return nil
	}
	if m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers {
		if c.setPlain(o.server) {
			c.queue = slices.Insert(c.queue, 0, o.server)
		}
		return nil
	}
	if !c.same(m) {
		return nil
	}
	p := read(m, c.z.name, c.q)
	switch p.kind {
	case lame:
		c.useless(o.server, c.z)
		return nil
	case broken:
		return nil
	}
	return p
}

// missed takes down that a query was not answered. One that was refused cost nothing, and
// may have shown that all of its family will be.
func (c *race) missed(ctx context.Context, o outcome) {
	if ctx.Err() != nil {
		return
	}
	c.failed(o.server, o.err)
	if !errors.Is(o.err, context.DeadlineExceeded) {
		c.tries--
		c.sort(c.z, c.queue)
	}
}

// same tells whether a response has the question that was asked.
func (c *race) same(m *dns.Msg) bool {
	if len(m.Question) != 1 {
		return false
	}
	q := m.Question[0]
	name, err := rr.ParseName(q.Name)
	return err == nil && name.Equal(c.q.Name) && q.Qtype == c.q.Type && q.Qclass == dns.ClassINET
}

// lost takes down how a query ended that nobody waits for any more: only a server that
// let another overtake it is to blame.
func (c *race) lost(o outcome) {
	switch {
	case o.err == nil:
		c.heard(o.server, o.took)
	case o.late:
		c.failed(o.server, o.err)
	}
}

// add puts servers into the queue that were not in it yet.
func (c *race) add(found []netip.AddrPort) {
	for _, s := range found {
		if _, ok := c.asked[s]; !ok {
			c.asked[s] = 0
			c.queue = append(c.queue, s)
		}
	}
	c.sort(c.z, c.queue)
}

// sort has the best server of a zone first in a list.
func (r *Resolver) sort(z *zone, list []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	costs := map[netip.AddrPort]time.Duration{}
	for _, s := range list {
		costs[s] = r.cost(z, s)
	}
	slices.SortFunc(list, func(a, b netip.AddrPort) int { return cmp.Compare(costs[a], costs[b]) })
}

// serving are the servers of a zone whose addresses are known.
func (r *Resolver) serving(z *zone) []netip.AddrPort {
	if len(z.hints) > 0 {
		return slices.Clone(z.hints)
	}
	var found []netip.Addr
	r.mu.Lock()
	now := r.o.Now()
	for _, ns := range z.ns {
		found = append(found, z.glue[ns]...)
		if len(z.glue[ns]) > 0 {
			continue
		}
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
			a, _ := r.addrs.get(now, host{ns, typ})
			found = append(found, a...)
		}
	}
	r.mu.Unlock()
	return r.ports(found)
}

// ports are the servers at those of the addresses that may be asked.
func (r *Resolver) ports(found []netip.Addr) []netip.AddrPort {
	var to []netip.AddrPort
	for _, a := range found {
		if r.o.Usable(a) {
			to = append(to, netip.AddrPortFrom(a.Unmap(), r.o.Port))
		}
	}
	return to
}
