package storage

import (
	"context"
	"time"

	"namecast/lib/cli"
)

// watchdog tells the supervisor that the node works, every interval in which all of
// its loops have taken a question and answered it, until ctx ends. Loops that stand
// still make it stand still as well.
func (d *daemon) watchdog(ctx context.Context) error {
	interval, beat := cli.Watchdog()
	if interval == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		d.host.Load().Status()
		beat()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
