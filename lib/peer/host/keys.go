package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"namecast/lib/resolve/validate"
)

// anchorsEvery is how often the trust anchors are read anew: whoever follows the root's
// keys writes them to a file, and tells nobody.
const anchorsEvery = time.Hour

// keepKeys reads the group's keys and the trust anchors anew at each SIGHUP.
func (d *daemon) keepKeys(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(anchorsEvery)
	defer tick.Stop()
	for {
		err := error(nil)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			err = d.reanchor()
		case <-hup:
			err = errors.Join(d.rekey(ctx), d.reanchor())
		}
		if err != nil && ctx.Err() == nil {
			d.notes.Warn("the keys of before stay in force", "err", err)
		}
	}
}

// reanchor puts the file of trust anchors in force as it is now.
func (d *daemon) reanchor() error {
	if !d.DNSSEC || d.Anchors == "" {
		return nil
	}
	list, err := d.anchors()
	if err != nil || slices.EqualFunc(list, d.trusted, func(a, b validate.Anchor) bool { return a.String() == b.String() }) {
		return err
	}
	d.trusted = list
	d.loop.workers.validator.SetAnchors(list)
	d.notes.Info("trust anchors read anew", "anchors", len(list))
	return nil
}

// rekey puts the key file in force as it is now.
func (d *daemon) rekey(ctx context.Context) error {
	if d.loop.group == nil {
		if d.Anchors == "" {
			return errors.New("there was no -key at the start")
		}
		return nil
	}
	p := &plan{Config: d.Config}
	if err := p.readKeys(); err != nil {
		return err
	}
	if name := d.keys.Load().Name(); p.keys.Name() != name {
		return fmt.Errorf("-key %q: it is of the group %s, and this machine is in %s", p.Key, p.keys.Name(), name)
	}
	d.keys.Store(p.keys)
	defer raise(d.rewire)
	return d.loop.call(ctx, func() {
		d.loop.group.SetKeys(p.keys)
		d.notes.Info("keys read anew", "keys", p.keys.Len())
	})
}

// anchors reads the file of trust anchors.
func (d *daemon) anchors() (list []validate.Anchor, err error) {
	text, err := os.ReadFile(d.Anchors)
	if err == nil {
		list, err = validate.ParseAnchors(text)
	}
	if err != nil {
		return nil, fmt.Errorf("-anchors: %w", err)
	}
	return list, nil
}
