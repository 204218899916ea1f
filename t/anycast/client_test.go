package anycast

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

// pace is how often the client asks.
const pace = 5 * time.Millisecond

// grace is how long an answer may take to count; the way there and back is 100 ms.
const grace = time.Second

// A client asks the service's address all the time, and notes who answers.
type client struct {
	conn   net.PacketConn
	to     net.Addr
	packet []byte // the question, but for its number
	parts  sync.WaitGroup
	stop   context.CancelFunc

	mu      sync.Mutex
	queries []query
	strange error // the first answer that should not have been
}

// A query is a question of the client.
type query struct {
	sent     time.Time
	answered time.Time // zero if it was not
	by       string    // the node's name, by NSID (RFC 5001)
}

// newClient starts to ask from a machine; it ends with the test.
func newClient(t *testing.T, m *lab.Machine, to, name string) *client {
	t.Helper()
	conn, err := m.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	q := new(dns.Msg).SetQuestion(name, dns.TypeA)
	q.SetEdns0(1232, false)
	q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	c := &client{conn: conn, to: addr}
	if c.packet, err = q.Pack(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	c.stop = stop
	c.parts.Go(func() { c.ask(ctx) })
	c.parts.Go(c.hear)
	t.Cleanup(func() {
		stop()
		_ = conn.Close()
		c.parts.Wait()
		if c.strange != nil {
			t.Errorf("the client has an answer that nobody should give: %v", c.strange)
		}
	})
	return c
}

// ask sends a question at each beat.
func (c *client) ask(ctx context.Context) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.mu.Lock()
		id := len(c.queries)
		c.queries = append(c.queries, query{sent: time.Now()})
		c.mu.Unlock()
		p := slices.Clone(c.packet)
		p[0], p[1] = byte(id>>8), byte(id)
		// A route that is missing is an error here, and a question without an answer.
		_, _ = c.conn.WriteTo(p, c.to)
	}
}

// hear notes answers until the socket is closed.
func (c *client) hear() {
	buf := make([]byte, 4096)
	for {
		n, _, err := c.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		now := time.Now()
		r := new(dns.Msg)
		err = r.Unpack(buf[:n])
		c.mu.Lock()
		if err == nil {
			err = c.note(r, now)
		}
		if err != nil && c.strange == nil {
			c.strange = err
		}
		c.mu.Unlock()
	}
}

// note notes an answer to the last question that had its number; c is locked.
func (c *client) note(r *dns.Msg, now time.Time) error {
	last := len(c.queries) - 1
	i := last - (last-int(r.Id))&0xffff
	if i < 0 {
		return fmt.Errorf("a number that was not asked: %v", r)
	}
	by, err := answer(r)
	if err == nil && c.queries[i].answered.IsZero() {
		c.queries[i].answered, c.queries[i].by = now, by
	}
	return err
}

// answer is which node gives an answer, and an error if that is not an address. Which
// one it is, is what some of the failures change.
func answer(r *dns.Msg) (by string, err error) {
	if o := r.IsEdns0(); o != nil {
		for _, option := range o.Option {
			if id, ok := option.(*dns.EDNS0_NSID); ok {
				b, err := unhex(id.Nsid)
				if err != nil {
					return "", err
				}
				by = b
			}
		}
	}
	if r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 || by == "" {
		return by, fmt.Errorf("%v", r)
	}
	if _, ok := r.Answer[0].(*dns.A); !ok {
		return by, fmt.Errorf("%v", r)
	}
	return by, nil
}

// serving is who has given the last answer, and nobody if there was none in the
// last second.
func (c *client) serving() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last query
	for _, q := range slices.Backward(c.queries) {
		if time.Since(q.sent) > grace {
			break
		}
		if q.answered.After(last.answered) {
			last = q
		}
	}
	return last.by
}

// other is when the first answer after that time came from another node; zero if
// none has come.
func (c *client) other(than string, after time.Time) (first time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range slices.Backward(c.queries) {
		if q.sent.Before(after.Add(-grace)) {
			break
		}
		if q.by != "" && q.by != than && q.answered.After(after) && (first.IsZero() || q.answered.Before(first)) {
			first = q.answered
		}
	}
	return first
}

// lost is how many of the questions that were sent in a time have no answer; it
// has to have been a second ago.
func (c *client) lost(from, to time.Time) (lost, sent int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queries {
		if q.sent.Before(from) || !q.sent.Before(to) {
			continue
		}
		sent++
		if q.answered.IsZero() {
			lost++
		}
	}
	return lost, sent
}

// silence is the longest part of a time in which no answer came.
func (c *client) silence(from, to time.Time) (longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answers := []time.Time{from}
	for _, q := range c.queries {
		if q.answered.After(from) && q.answered.Before(to) {
			answers = append(answers, q.answered)
		}
	}
	slices.SortFunc(answers, time.Time.Compare)
	for i, at := range append(answers[1:], to) {
		longest = max(longest, at.Sub(answers[i]))
	}
	return longest
}

// unharmed checks that the client was served all the time. Where times are judged,
// no question may be lost; else other tests take the processors for a while.
func (w *world) unharmed(from, to time.Time) {
	w.t.Helper()
	w.passes(time.Until(to.Add(grace)))
	lost, sent := w.client.lost(from, to)
	silence := w.client.silence(from, to)
	w.t.Logf("%d of %d questions lost, no answer for %v at most", lost, sent, silence)
	if silence > 2*time.Second || *judge && lost > 0 {
		w.t.Errorf("the client was not served all the time")
	}
}
