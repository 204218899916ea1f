package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

// answerTime is how long an answer may take on a busy computer. A question is never
// repeated.
const answerTime = 5 * time.Second

// ask asks a server for an address of a name, from a machine, and returns it, and
// which node has answered.
func ask(ctx context.Context, from *lab.Machine, server, name string) (address, node string, err error) {
	c, err := from.Dial(ctx, "udp", net.JoinHostPort(server, "53"))
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), dns.TypeA)
	q.SetEdns0(1232, false)
	q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	c.SetDeadline(time.Now().Add(answerTime))
	co := &dns.Conn{Conn: c}
	if err := co.WriteMsg(q); err != nil {
		return "", "", err
	}
	r, err := co.ReadMsg()
	if err != nil {
		return "", "", err
	}
	for _, o := range r.IsEdns0().Option {
		if id, ok := o.(*dns.EDNS0_NSID); ok {
			b := make([]byte, len(id.Nsid)/2)
			fmt.Sscanf(id.Nsid, "%x", &b)
			node = string(b)
		}
	}
	if len(r.Answer) == 0 {
		return "", node, fmt.Errorf("node %s: no address: %s", node, dns.RcodeToString[r.Rcode])
	}
	a, ok := r.Answer[0].(*dns.A)
	if !ok {
		return "", node, fmt.Errorf("node %s: %v", node, r.Answer[0])
	}
	return a.A.String(), node, nil
}

// A stream is questions by both clients, one after the other, all the time.
type stream struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	asked int
	lost  []error
	by    map[string]int // answers of each node
}

// askEvery is between two questions of a client.
const askEvery = 20 * time.Millisecond

// ask starts to ask for a name whose address has to be the one given.
func (s *site) ask(name, address string) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	x := &stream{cancel: cancel, by: map[string]int{}}
	s.t.Cleanup(func() { x.end() })
	for _, from := range []*lab.Machine{s.client, s.other} {
		x.done.Go(func() {
			tick := time.NewTicker(askEvery)
			defer tick.Stop()
			var questions sync.WaitGroup
			defer questions.Wait()
			for ctx.Err() == nil {
				questions.Go(func() { x.one(from, name, address) })
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	return x
}

// one asks one question.
func (x *stream) one(from *lab.Machine, name, address string) {
	began := time.Now()
	got, node, err := ask(context.Background(), from, service4, name)
	if err == nil && got != address {
		err = fmt.Errorf("node %s: %s", node, got)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked++
	if err != nil {
		x.lost = append(x.lost, fmt.Errorf("%s of %v: %w", from, began.Format(time.TimeOnly+".000"), err))
		return
	}
	x.by[node]++
}

// since forgets the answers until now, and waits until there have been so many; they
// are returned by the nodes that gave them.
func (x *stream) since(t *testing.T, l *lab.Lab, answers int) map[string]int {
	t.Helper()
	x.mu.Lock()
	x.by = map[string]int{}
	x.mu.Unlock()
	var by map[string]int
	l.Expect(comes, func() error {
		x.mu.Lock()
		defer x.mu.Unlock()
		sum := 0
		for _, n := range x.by {
			sum += n
		}
		if sum < answers {
			return fmt.Errorf("only %d answers", sum)
		}
		by, x.by = x.by, map[string]int{}
		return nil
	})
	return by
}

// end ends the stream, and returns how many questions there were, and those that got
// no answer.
func (x *stream) end() (asked int, lost error) {
	x.cancel()
	x.done.Wait()
	return x.asked, errors.Join(x.lost...)
}
