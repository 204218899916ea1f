package anycast

import (
	"log/slog"
	"net/netip"
	"time"
)

// addresses are those of the service on the loopback device: there before a prefix
// is announced, and for a while after it was withdrawn, since routers learn of that
// one after the other. An address that is configured is nc-bgp's, whoever put it.
type addresses struct {
	log      *slog.Logger
	linger   time.Duration // or keep
	loopback loopback
	all      map[netip.Addr]*addressState
}

// addressState is what is known of an address.
type addressState struct {
	there  bool
	takeAt time.Time // when it is to be taken away; the zero Time is never
	fault  error     // why it could not be put
}

// openAddresses looks at what is there. Without addresses nothing is asked of the
// system.
func openAddresses(prefixes []prefix, linger time.Duration, log *slog.Logger) (*addresses, error) {
	as := &addresses{log: log, linger: linger, all: map[netip.Addr]*addressState{}}
	for _, p := range prefixes {
		if !p.address.IsValid() {
			continue
		}
		if as.loopback.link == nil {
			var err error
			if as.loopback, err = openLoopback(); err != nil {
				return nil, err
			}
		}
		as.all[p.address] = &addressState{there: as.loopback.has(p.address)}
		if linger != keep {
			continue
		}
		if err := as.need(p.address); err != nil {
			return nil, err
		}
	}
	return as, nil
}

// need puts an address there; one that somebody has taken away comes back. The zero
// Addr needs nothing.
func (as *addresses) need(a netip.Addr) error {
	s := as.all[a]
	if s == nil {
		return nil
	}
	s.takeAt = time.Time{}
	err := as.loopback.put(a)
	if err != nil && s.fault == nil {
		as.log.Error("its prefix is not announced", "address", a, "error", err)
	}
	s.fault, s.there = err, err == nil
	return err
}

// idle says that an address is not needed any more.
func (as *addresses) idle(a netip.Addr, now time.Time) {
	if s := as.all[a]; s != nil && s.there && s.takeAt.IsZero() && as.linger != keep {
		s.takeAt = now.Add(as.linger)
	}
}

// faulty tells whether an address is needed and cannot be had.
func (as *addresses) faulty(a netip.Addr) bool {
	s := as.all[a]
	return s != nil && s.fault != nil
}

// take takes away what has lingered.
func (as *addresses) take(now time.Time) {
	for a, s := range as.all {
		if s.takeAt.IsZero() || now.Before(s.takeAt) {
			continue
		}
		s.there, s.takeAt = false, time.Time{}
		if err := as.loopback.take(a); err != nil {
			as.log.Error("an address stays", "address", a, "error", err)
		}
	}
}

// next is when an address is to be taken away, or that late.
func (as *addresses) next(late time.Time) time.Time {
	for _, s := range as.all {
		if !s.takeAt.IsZero() && s.takeAt.Before(late) {
			late = s.takeAt
		}
	}
	return late
}
