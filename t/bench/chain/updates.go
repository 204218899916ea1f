package main

import (
	"fmt"
	"net/netip"
	"time"

	"namecast/lib/nup"
	"namecast/t/bench/load"
)

// accountsEach is how many accounts take turns in a slot.
const accountsEach = 4

// An updater is a load of signed updates. A slot has its own accounts, so that no
// account has two updates on the way.
type updater struct {
	accounts [clients][accountsEach]*account
	byKey    map[string]int // slot by key
	turn     [clients]int
	sent     [clients][]byte
	seq      [clients]int64
	version  uint32
}

func newUpdater() (*updater, error) {
	u := &updater{byKey: map[string]int{}}
	for i := range u.accounts {
		for k := range u.accounts[i] {
			a, err := newAccount()
			if err != nil {
				return nil, err
			}
			u.accounts[i][k] = a
			u.byKey[string(a.key.Public().Bytes())] = i
		}
	}
	return u, nil
}

// Next implements load.Source.
func (u *updater) Next(slot int) []byte {
	u.turn[slot]++
	u.version++
	a := u.accounts[slot][u.turn[slot]%accountsEach]
	u.seq[slot] = a.seq
	p, err := a.update(u.version)
	if err != nil {
		return nil // ends the load
	}
	u.sent[slot] = p
	return p
}

// Again implements load.Source.
func (u *updater) Again(slot int) []byte { return u.sent[slot] }

// Judge implements load.Source.
func (u *updater) Judge(p []byte) (int, load.Verdict) {
	r, err := nup.ParseReply(p)
	if err != nil {
		return 0, load.Stale
	}
	slot, ok := u.byKey[string(r.Key)]
	switch {
	case !ok || r.Seq != u.seq[slot]:
		return 0, load.Stale
	case r.Status != nup.StatusOK:
		return slot, load.Wrong
	}
	return slot, load.Good
}

// updates measures row 13: servers on chains and on a database take turns.
func (b *bench) updates(c *cluster, chained, own *server) error {
	type side struct {
		who    string
		server *server
		of     []*process
		source *updater
	}
	sides := []side{{who: onChains, server: chained, of: append(c.processes(), chained.process)}, {who: onDatabase, server: own, of: []*process{own.process}}}
	for range b.rounds {
		for i := range sides {
			s := &sides[i]
			if s.source == nil {
				var err error
				if s.source, err = newUpdater(); err != nil {
					return err
				}
			}
			if err := b.updatesOf(s.who, s.server, s.of, s.source); err != nil {
				return fmt.Errorf("%s: %w", s.who, err)
			}
		}
	}
	return nil
}

func (b *bench) updatesOf(who string, s *server, of []*process, u *updater) error {
	const sockets = 4
	var marks []time.Duration
	plan := load.Plan{Warm: b.warm(), Measure: b.measure, Mark: func() { marks = append(marks, cpuTime(of)) }}
	r, err := load.Run(b.ctx, plan, load.Stream{Addr: netip.MustParseAddrPort(s.nup), Sockets: sockets, Window: clients / sockets, Source: u})
	if err != nil {
		return err
	}
	t := &tally{good: r[0].Good, bad: r[0].Wrong + r[0].Lost, elapsed: r[0].Elapsed, latency: r[0].Latency}
	return b.note(rowUpdates, who, marks[1]-marks[0], t)
}
