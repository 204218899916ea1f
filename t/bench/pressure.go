package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"namecast/t/bench/load"
)

// updates is the part of a run that changes data.
type updates struct {
	*bench
	questions *questions
	loads     map[*server]updater
}

// updater is the load of updates that a server takes.
func (b *bench) updater(s *server) updater {
	if s.kind.name == ncServe {
		if b.authors == nil {
			b.authors = newNUPUpdater(b.accounts, b.outstanding)
		}
		return b.authors
	}
	return newTSIGUpdater(b.data, b.outstanding)
}

// stream is the load of updates on a server; rate 0 is as fast as it can.
func (u *updates) stream(s *server, rate float64) load.Stream {
	addr := s.dns
	if s.kind.name == ncServe {
		addr = s.nup
	}
	return load.Stream{Addr: addr, Sockets: sockets, Window: u.outstanding / sockets, Rate: rate, Source: u.loads[s]}
}

// firstGuess is for how many updates a second packets are signed before the
// first round; a load that runs out of them ends early, which is no loss.
const firstGuess = 20000

// most measures updates as fast as the server takes them.
func (u *updates) most(s *server) error {
	rate := float64(firstGuess)
	if _, was, _, ok := u.table.spread(cell{workUpdates, s.kind.name, "rate"}); ok {
		rate = 1.5 * was
	}
	if err := u.loads[s].prepare(int(rate * (warm + u.measure).Seconds())); err != nil {
		return err
	}
	meter := newMeter(s)
	r, err := u.load(s, load.Plan{Warm: warm, Measure: u.measure, Mark: meter.mark}, u.stream(s, 0))
	if err != nil {
		return err
	}
	u.record(workUpdates, s, &r[0], meter.used())
	return u.verify(s)
}

// verify asks for what the last updates changed: they were acknowledged, so
// they must be served.
func (u *updates) verify(s *server) error {
	for slot := range u.outstanding {
		c := u.loads[s].last(slot)
		if c == nil {
			continue
		}
		m := new(dns.Msg)
		m.SetQuestion(fqdn(u.data.accounts[c.account], owners[1].label)+".", dns.TypeA)
		r, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, s.dns.String())
		if err != nil {
			return fmt.Errorf("ask %s for an update: %w", s.kind.name, err)
		}
		want := netip.AddrFrom4([4]byte(address(c.account, c.version, typeA)))
		if len(r.Answer) != 1 || !strings.HasSuffix(r.Answer[0].String(), "\t"+want.String()) {
			return fmt.Errorf("%s took an update of %s to %s and answers %v", s.kind.name, m.Question[0].Name, want, r.Answer)
		}
	}
	return nil
}

// beside measures answers at a fixed rate, if busy while updates run at half
// of what was measured as the most.
func (u *updates) beside(s *server, busy bool) error {
	u.questions.echo = false
	streams := []load.Stream{{Addr: s.dns, Sockets: sockets, Window: window, Rate: float64(u.pace), Source: u.questions}}
	work := workQuiet
	if busy {
		work = workBusy
		_, most, _, _ := u.table.spread(cell{workUpdates, s.kind.name, "rate"})
		if err := u.loads[s].prepare(int(0.6 * most * (warm + u.measure + time.Second).Seconds())); err != nil {
			return err
		}
		streams = append(streams, u.stream(s, most/2))
	}
	meter := newMeter(s)
	r, err := u.load(s, load.Plan{Warm: warm, Measure: u.measure, Mark: meter.mark}, streams...)
	if err != nil {
		return err
	}
	u.record(work, s, &r[0], meter.used())
	if busy {
		u.table.add(cell{workBusy, s.kind.name, "updates"}, r[1].Rate())
	}
	return nil
}
