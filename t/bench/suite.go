package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"namecast/t/bench/load"
)

// The window of questions: enough that a server always has some waiting, and
// not more than fits its socket's buffer.
const (
	sockets = 4
	window  = 48
)

// warm is how long a server is loaded before it is measured, in each round.
const warm = 300 * time.Millisecond

// suitePlain measures answers without DNSSEC.
func (b *bench) suitePlain() error {
	wanted := b.wantedMixes(false)
	if len(wanted) == 0 && !has(b.works, workDNSPerf) {
		return nil
	}
	servers, err := b.startAll(workPlain, b.plain, func(*kind) bool { return true })
	if err != nil {
		return err
	}
	loads, err := b.warmUp(wanted, servers)
	if err != nil {
		return err
	}
	b.weigh(workPlain, servers)
	if err := b.inTurn(servers, len(wanted), func(i int, s *server) error { return b.ask(wanted[i], loads[i], s) }); err != nil {
		return err
	}
	if !has(b.works, workDNSPerf) {
		return nil
	}
	m, err := mixNamed("mixed")
	if err != nil {
		return err
	}
	return b.dnsperf(newQuestions(b.data, m), servers)
}

// suiteSigned measures answers with DNSSEC: nc-serve signs by itself, the
// others have a signed zone.
func (b *bench) suiteSigned() error {
	wanted := b.wantedMixes(true)
	if len(wanted) == 0 {
		return nil
	}
	if err := b.sign(); errors.Is(err, errMissing) {
		b.say("%v: answers with DNSSEC left out", err)
		return nil
	} else if err != nil {
		return err
	}
	servers, err := b.startAll(workSigned, zoneFile{path: b.signed}, func(k *kind) bool { return k.signs })
	if err != nil {
		return err
	}
	loads, err := b.warmUp(wanted, servers)
	if err != nil {
		return err
	}
	b.weigh(workSigned, servers)
	// One after the other: a flood of new names pushes out of a server's cache
	// what the other mix asks for.
	for i, m := range wanted {
		if err := b.inTurn(servers, 1, func(_ int, s *server) error { return b.ask(m, loads[i], s) }); err != nil {
			return err
		}
	}
	return nil
}

// sign makes the signed zone, once.
func (b *bench) sign() (err error) {
	if b.signed != "" {
		return nil
	}
	if b.signed, err = signZone(b.dir, b.plain.path); err != nil {
		return err
	}
	b.say("zone signed")
	return nil
}

// wantedMixes are the mixes asked for, of one of the suites.
func (b *bench) wantedMixes(signed bool) (list []mix) {
	for _, m := range mixes {
		if m.signed == signed && has(b.works, m.name) {
			list = append(list, m)
		}
	}
	return list
}

// inTurn does n works with all servers, round by round; another server begins
// each round.
func (b *bench) inTurn(servers []*server, n int, do func(work int, s *server) error) error {
	for round := range b.rounds {
		for work := range n {
			for i := range servers {
				if err := b.ctx.Err(); err != nil {
					return err
				}
				if err := do(work, servers[(i+round)%len(servers)]); err != nil {
					return err
				}
			}
		}
		if b.check == "" {
			b.say("round %d of %d", round+1, b.rounds)
		}
	}
	return nil
}

// passLimit is how long one pass over all questions may take.
const passLimit = 10 * time.Minute

// warmUp draws the questions of the mixes and asks each server all of them, so
// that whatever it caches is cached, and what it computes once is computed.
func (b *bench) warmUp(wanted []mix, servers []*server) ([]*questions, error) {
	loads := make([]*questions, len(wanted))
	for i, m := range wanted {
		loads[i] = newQuestions(b.data, m)
		if m.fresh {
			continue
		}
		for _, s := range servers {
			if err := b.ctx.Err(); err != nil {
				return nil, err
			}
			plan := load.Plan{Measure: passLimit, Count: uint64(len(loads[i].list))}
			if _, err := b.drive(plan, loads[i], s); err != nil {
				return nil, err
			}
		}
		b.say("%d questions of %s asked once", len(loads[i].list), m.name)
	}
	return loads, nil
}

// drive loads a server with questions.
func (b *bench) drive(plan load.Plan, q *questions, s *server) (*load.Result, error) {
	q.echo = s.kind.noZone
	if !q.echo {
		q.setCookie(learnCookie(s))
	}
	r, err := b.load(s, plan, load.Stream{Addr: s.dns, Sockets: sockets, Window: window, Source: q})
	if err != nil {
		return nil, err
	}
	return &r[0], nil
}

// attempts is how often a load is tried: on a machine that others use as well,
// a server may not run at all for a while.
const attempts = 3

// load loads a server, which has to answer at least something.
func (b *bench) load(s *server, plan load.Plan, streams ...load.Stream) ([]load.Result, error) {
	for range attempts {
		r, err := load.Run(b.ctx, plan, streams...)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", s.kind.name, err)
		}
		if r[0].Good+r[0].Wrong > 0 {
			return r, nil
		}
	}
	return nil, fmt.Errorf("load %s: no reply at all\n%s", s.kind.name, s.tail())
}

// learnCookie asks a server for its cookie for this client; what has none
// gets something to ignore.
func learnCookie(s *server) []byte {
	none := make([]byte, cookieLen-len(clientCookie))
	m := new(dns.Msg)
	m.SetQuestion(domain+".", dns.TypeSOA)
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: fmt.Sprintf("%x", clientCookie)}}
	r, _, err := (&dns.Client{Timeout: time.Second}).Exchange(m, s.dns.String())
	if err != nil || r.IsEdns0() == nil {
		return none
	}
	for _, o := range r.IsEdns0().Option {
		if c, ok := o.(*dns.EDNS0_COOKIE); ok {
			var b []byte
			if _, err := fmt.Sscanf(c.Cookie, "%x", &b); err == nil && len(b) == cookieLen {
				return b[len(clientCookie):]
			}
		}
	}
	return none
}

// ask measures one mix with one server for one round.
func (b *bench) ask(m mix, q *questions, s *server) error {
	meter := newMeter(s)
	r, err := b.drive(load.Plan{Warm: warm, Measure: b.measure, Mark: meter.mark}, q, s)
	if err != nil {
		return err
	}
	b.record(m.name, s, r, meter.used())
	return nil
}

// record keeps what one load gave.
func (b *bench) record(work string, s *server, r *load.Result, used time.Duration) {
	done := float64(r.Good + r.Wrong)
	if r.Wrong > 0 {
		b.say("%s: %d of %.0f replies of %s are wrong", work, r.Wrong, done, s.kind.name)
	}
	put := func(metric string, v float64) { b.table.add(cell{work, s.kind.name, metric}, v) }
	put("rate", r.Rate())
	put("cpu", micros(used)/max(done, 1))
	put("p50", micros(r.Latency.Quantile(0.50)))
	put("p99", micros(r.Latency.Quantile(0.99)))
	put("reply", float64(r.Octets)/max(done, 1))
	put("lost", float64(r.Lost))
	put("wrong", float64(r.Wrong))
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// A meter reads a server's processor time at the begin and the end of a load.
type meter struct {
	pids  []int
	marks []time.Duration
}

func newMeter(s *server) *meter { return &meter{pids: s.family()} }

func (m *meter) mark() { m.marks = append(m.marks, cpuTime(m.pids)) }

// used is the time between the last two marks.
func (m *meter) used() time.Duration { return m.marks[len(m.marks)-1] - m.marks[len(m.marks)-2] }

// weigh records the memory of the servers, with everything cached that was
// asked for.
func (b *bench) weigh(work string, servers []*server) {
	for _, s := range servers {
		if s.kind.noZone {
			continue
		}
		octets := float64(memory(s.family()))
		b.table.add(cell{work, s.kind.name, "memory"}, octets/(1<<20))
		b.table.add(cell{work, s.kind.name, "perrecord"}, octets/float64(b.data.records()))
	}
}

// suiteUpdates measures durable updates, and answers while they run.
func (b *bench) suiteUpdates() error {
	if !has(b.works, workUpdates) {
		return nil
	}
	zone := b.plain
	zone.dynamic = true
	servers, err := b.startAll(workUpdates, zone, func(k *kind) bool { return k.update != "" })
	if err != nil {
		return err
	}
	mixed, err := mixNamed("mixed")
	if err != nil {
		return err
	}
	u := updates{bench: b, questions: newQuestions(b.data, mixed), loads: map[*server]updater{}}
	for _, s := range servers {
		u.loads[s] = b.updater(s)
	}
	if err := b.inTurn(servers, 1, func(_ int, s *server) error { return u.most(s) }); err != nil {
		return err
	}
	if b.check != "" {
		return nil // a time until the reply is too much of the moment to be compared
	}
	return b.inTurn(servers, 2, func(work int, s *server) error { return u.beside(s, work == 1) })
}
