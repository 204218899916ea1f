package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"namecast/t/bench/load"
)

// namesWatch is an nc-serve whose answers are watched.
type namesWatch struct {
	server *server
	name   string
}

// startNames starts an nc-serve on a cluster's storage, with one name.
func (b *bench) startNames(c *cluster) (*namesWatch, error) {
	s, err := b.serve("watch", c, -1)
	if err != nil {
		return nil, err
	}
	a, err := newAccount()
	if err != nil {
		return nil, err
	}
	packet, err := a.update(1)
	if err == nil {
		err = s.send(b.ctx, packet)
	}
	return &namesWatch{s, "www." + a.name}, err
}

func (n *namesWatch) ask(context.Context) error {
	addr, err := n.server.ask(n.name, 100*time.Millisecond)
	switch {
	case n.server.ended():
		err = fmt.Errorf("nc-serve has ended:\n%s", n.server.tail())
	case err == nil && addr != "10.0.0.1":
		err = errAnswer
	}
	return err
}

// names measures rows 12 and 13.
func (b *bench) names() error {
	c, err := b.cluster("names", b.dir, 3, b.serverCPU)
	if err != nil {
		return err
	}
	first, err := b.serve("s1", c, b.serverCPU)
	if err != nil {
		return err
	}
	if b.wanted(12) {
		second, err := b.serve("s2", c, b.serverCPU)
		if err != nil {
			return err
		}
		if err := b.visible(first, second); err != nil {
			return fmt.Errorf("row 12: %w", err)
		}
		second.stop()
	}
	if !b.wanted(13) {
		return nil
	}
	own, err := b.serve("own", nil, b.serverCPU)
	if err != nil {
		return err
	}
	if err := b.updates(c, first, own); err != nil {
		return fmt.Errorf("row 13: %w", err)
	}
	return nil
}

// visible measures row 12, with one update at a time.
func (b *bench) visible(first, second *server) error {
	a, err := newAccount()
	if err != nil {
		return err
	}
	version := uint32(0)
	for range b.rounds {
		var reply, same, other load.Histogram
		for range max(20, int(50*b.measure.Seconds())) {
			version++
			for _, s := range []struct {
				*server
				h *load.Histogram
			}{{second, &other}, {first, &same}} {
				if s.server == first {
					version++
				}
				took, seen, err := a.watch(b.ctx, first, s.server, version)
				if err != nil {
					return err
				}
				s.h.Add(seen)
				reply.Add(took)
			}
		}
		for _, x := range []struct {
			who string
			h   *load.Histogram
		}{{replied, &reply}, {sameNode, &same}, {otherNode, &other}} {
			b.table.add(cell{rowVisible, x.who, "p50"}, x.h.Quantile(0.5).Seconds()*1e6)
			b.table.add(cell{rowVisible, x.who, "p99"}, x.h.Quantile(0.99).Seconds()*1e6)
		}
	}
	return nil
}

// watch sends an update to one server, and asks another for its name, until the
// reply is here and the name has the new address. It tells how long both took.
func (a *account) watch(ctx context.Context, to, at *server, version uint32) (replied, seen time.Duration, err error) {
	packet, err := a.update(version)
	if err != nil {
		return 0, 0, err
	}
	want := netip.AddrFrom4([4]byte{10, byte(version >> 16), byte(version >> 8), byte(version)}).String()
	type reply struct {
		took time.Duration
		err  error
	}
	done := make(chan reply, 1)
	began := time.Now()
	go func() {
		err := to.send(ctx, packet)
		done <- reply{time.Since(began), err}
	}()
	for seen == 0 && err == nil {
		var addr string
		if addr, err = at.ask("www."+a.name, time.Second); addr == want {
			seen = time.Since(began)
		} else if time.Since(began) > startLimit {
			err = fmt.Errorf("%w: the update is not in DNS after %s", errAnswer, startLimit)
		}
	}
	r := <-done
	return r.took, seen, errors.Join(err, r.err)
}
