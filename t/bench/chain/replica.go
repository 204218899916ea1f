package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"namecast/lib/nup"
	"namecast/lib/rr"
)

// replicaMemory measures row 14.
func (b *bench) replicaMemory() error {
	c, err := b.cluster("memory", b.dir, 3, -1)
	if err != nil {
		return err
	}
	s, err := b.serve("m1", c, -1)
	if err != nil {
		return err
	}
	empty := memory(s.process)
	names, err := b.fillNames(s)
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	b.say("%d RRsets", b.sets)
	for range questions {
		if addr, err := s.ask(names[rand.IntN(len(names))], time.Second); err != nil || addr == "" {
			return errors.Join(err, errAnswer)
		}
	}
	pause, err := s.pause(b.ctx)
	if err != nil {
		return err
	}
	b.table.add(cell{rowMemory, "nc-serve", "size"}, float64(memory(s.process))/(1<<20))
	b.table.add(cell{rowMemory, "nc-serve", "record"}, float64(memory(s.process)-empty)/float64(b.sets))
	b.table.add(cell{rowMemory, "nc-serve", "pause"}, pause.Seconds()*1e6)
	return nil
}

// questions is how many are asked of all names before memory is measured.
const questions = 50000

// setsEach is how many RRsets one account has in row 14.
const setsEach = 250

// fillNames makes accounts, a few at a time, until there are as many RRsets as
// wanted, and gives a name of each.
func (b *bench) fillNames(s *server) (names []string, err error) {
	const workers = 8
	type made struct {
		name string
		err  error
	}
	count := (b.sets + setsEach - 1) / setsEach
	work, done := make(chan int), make(chan made, workers)
	for range workers {
		go func() {
			for range work {
				name, err := b.fillAccount(s)
				done <- made{name, err}
			}
		}()
	}
	go func() {
		defer close(work)
		for i := range count {
			work <- i
		}
	}()
	for range count {
		m := <-done
		err = errors.Join(err, m.err)
		names = append(names, m.name)
	}
	return names, err
}

func (b *bench) fillAccount(s *server) (string, error) {
	a, err := newAccount()
	if err != nil {
		return "", err
	}
	var elements []nup.Element
	for i := range setsEach {
		owner, err := rr.ParseName(fmt.Sprintf("h%d", i))
		if err != nil {
			return "", err
		}
		elements = append(elements, nup.Element{Op: nup.OpAdd, Owner: owner, Type: 1, TTL: 60, Data: []rr.Data{rr.Data([]byte{10, 1, 2, byte(i)})}})
	}
	packet, err := a.request(elements...)
	if err == nil {
		err = s.send(b.ctx, packet)
	}
	return fmt.Sprintf("h%d.%s", rand.IntN(setsEach), a.name), err
}
