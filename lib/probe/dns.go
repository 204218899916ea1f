package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/miekg/dns"
)

// namesAtOnce is how many names one look of DNS asks for.
const namesAtOnce = 3

// A Question is a name that DNS asks for, and what the answer has to be.
type Question struct {
	Name   string // absolute, in presentation form
	Type   uint16
	Rcode  int      // dns.RcodeSuccess, dns.RcodeNameError or what else is right
	NoData bool     // the name exists and has nothing of the type
	Expect []dns.RR // the whole set, its TTL apart; none: any that is there
}

// DNS asks a server, over UDP or TCP. The names rotate: each look asks for up to
// three of them at the same time. One name must not decide, since a bad record may
// be one customer's, so a look fails when two of its names do, or all; of a
// server that is asked for one name only, that one decides.
type DNS struct {
	At        netip.AddrPort
	TCP       bool
	Questions []Question
	turn      int
}

// Look is the probe's Func.
func (d *DNS) Look(ctx context.Context) (string, error) {
	count := min(namesAtOnce, len(d.Questions))
	errs := make([]error, count)
	var asked sync.WaitGroup
	for i := range count {
		q := d.Questions[(d.turn+i)%len(d.Questions)]
		asked.Go(func() { errs[i] = d.ask(ctx, q) })
	}
	asked.Wait()
	d.turn = (d.turn + 1) % len(d.Questions)
	failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch {
	case len(failed) == 0:
		return fmt.Sprintf("%d of %d names right", count, count), nil
	case len(failed) == 1 && count > 1:
		return "one name only: " + failed[0].Error(), nil
	}
	return "", worst(failed)
}

// worst gives the error that says most: a wrong answer before none at all.
func worst(errs []error) error {
	if i := slices.IndexFunc(errs, func(err error) bool { return !Timeout(err) }); i >= 0 {
		return errs[i]
	}
	return errs[0]
}

// ask asks for one name. Its socket lives no longer than the question.
func (d *DNS) ask(ctx context.Context, q Question) error {
	c := dns.Client{Net: "udp"}
	if d.TCP {
		c.Net = "tcp"
	}
	m := new(dns.Msg)
	m.SetQuestion(q.Name, q.Type)
	m.RecursionDesired = false
	m.SetEdns0(1232, false)
	r, err := d.exchange(ctx, &c, m)
	switch {
	case err != nil && Timeout(err), err != nil && ctx.Err() != nil:
		return fmt.Errorf("%s: no answer in time: %w", q.what(), context.DeadlineExceeded)
	case err != nil:
		return fmt.Errorf("%s: %w", q.what(), plain(err))
	}
	if err := q.check(r); err != nil {
		return fmt.Errorf("%s: %w", q.what(), err)
	}
	return nil
}

// exchange sends a question on a socket of its own, which is closed when ctx ends.
func (d *DNS) exchange(ctx context.Context, c *dns.Client, m *dns.Msg) (*dns.Msg, error) {
	conn, err := c.DialContext(ctx, d.At.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r, _, err := c.ExchangeWithConnContext(ctx, m, conn)
	return r, err
}

func (q Question) what() string { return q.Name + " " + dns.TypeToString[q.Type] }

// check tells whether a response is the right one.
func (q Question) check(r *dns.Msg) error {
	switch {
	case len(r.Question) != 1 || r.Question[0].Qtype != q.Type || !strings.EqualFold(r.Question[0].Name, q.Name):
		return wrong("it answers another question")
	case r.Truncated:
		return wrong("it is truncated")
	case r.Rcode != q.Rcode:
		return wrong("%s instead of %s", dns.RcodeToString[r.Rcode], dns.RcodeToString[q.Rcode])
	case r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError:
		return nil
	case !r.Authoritative:
		return wrong("it is not authoritative")
	}
	got := q.records(r.Answer)
	switch {
	case q.Rcode == dns.RcodeNameError || q.NoData:
		if len(r.Answer) > 0 {
			return wrong("there are records where none should be")
		}
		if !slices.ContainsFunc(r.Ns, func(a dns.RR) bool { return a.Header().Rrtype == dns.TypeSOA }) {
			return wrong("it denies without an SOA record")
		}
	case len(got) == 0:
		return wrong("no such record")
	case len(q.Expect) > 0:
		return q.same(got)
	}
	return nil
}

// records picks those that were asked for.
func (q Question) records(all []dns.RR) (list []dns.RR) {
	for _, a := range all {
		if a.Header().Rrtype == q.Type && strings.EqualFold(a.Header().Name, q.Name) {
			list = append(list, a)
		}
	}
	return list
}

// same compares the set with what is expected.
func (q Question) same(got []dns.RR) error {
	for _, want := range q.Expect {
		if !slices.ContainsFunc(got, func(a dns.RR) bool { return dns.IsDuplicate(a, want) }) {
			return wrong("no %s, but %s", data(want), data(got[0]))
		}
	}
	if len(got) != len(q.Expect) {
		return wrong("%d records instead of %d", len(got), len(q.Expect))
	}
	return nil
}

// data is the data of a record as people write it.
func data(r dns.RR) string {
	return line([]byte(strings.TrimPrefix(r.String(), r.Header().String())))
}

// plain takes the operation and the addresses off a network error, which the
// probe's name tells.
func plain(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}
