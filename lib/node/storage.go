package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"namecast/lib/chain/client"
	"namecast/lib/serve"
	"namecast/lib/status"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/mysql"
)

// A database is where a node has its accounts: a database of its own, or a
// replica of the storage that it shares with others.
type database interface {
	store.Store
	serve.Directory
	// Failed is closed when the node cannot go on with it, and Err tells why.
	Failed() <-chan struct{}
	Err() error
}

// storage is what a node shares with others; the database is a replica of it.
type storage interface {
	database
	// Ready waits until the replica was whole once.
	Ready(context.Context) error
	// Stale is how old the replica may be; never if it was not current yet.
	Stale() time.Duration
	// about and away say, as words for the log, what the storage is, and what is
	// to be known while it is away.
	about() []any
	away() []any
	metrics() []status.Metric
}

// never is the age of a replica that was not current in this run.
const never time.Duration = client.Never

// shared reports whether the node's accounts are in storage that it shares.
func (c *Config) shared() bool { return c.Store != "" }

// openDatabase opens what the accounts are in.
func (c *Config) openDatabase(changed func(leveldb.Touched)) (database, error) {
	o := leveldb.Options{Changed: changed, Memory: int64(c.memory() / shareOfStore)}
	switch {
	case !c.shared():
		db, err := leveldb.Open(c.DB, o)
		if err != nil {
			return nil, err
		}
		return db, nil
	case strings.HasPrefix(c.Store, mysql.Scheme):
		return c.openMySQL(o)
	}
	return c.openChains(o)
}

// awaitCopy waits, on the first start, until the replica is whole: an answer of
// half of it could deny what there is.
func (n *node) awaitCopy(ctx context.Context) error {
	s, ok := n.db.(storage)
	if !ok {
		return nil
	}
	if n.MaxStale > 0 { // until watchStale knows better
		n.suspend(errNeverCurrent)
	}
	n.Log.Info("storage", s.about()...)
	return s.Ready(ctx)
}

// staleEvery is how often it is looked at how old the replica may be.
const staleEvery = 100 * time.Millisecond

// staleAlarm is the age of the replica from which on the log tells of it.
const staleAlarm = 5 * time.Second

// watchStale has questions refused while the replica is older than the operator
// allows, and tells the log when it is getting old.
func (n *node) watchStale(ctx context.Context, s storage) error {
	tick := time.NewTicker(staleEvery)
	defer tick.Stop()
	began, late := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// Before it was current once it may be of any age: it is given the time
		// that a connection takes.
		age, known := age(s, time.Since(began))
		if now := age > staleAlarm; now != late {
			if late = now; late {
				n.Log.Warn("storage is away: what is served gets old", s.away()...)
			} else {
				n.Log.Info("storage is back: what is served is current")
			}
		}
		n.suspend(n.refusal(age, known))
	}
}

var errNeverCurrent = errors.New("the replica was not current since the start")

// refusal is why questions may not be answered from a replica of an age.
func (n *node) refusal(age time.Duration, known bool) error {
	switch {
	case n.MaxStale == 0:
		return nil
	case !known:
		return errNeverCurrent
	case age > n.MaxStale:
		return fmt.Errorf("the replica may be %v old", age.Round(time.Millisecond))
	}
	return nil
}

// suspend has questions refused for a reason, or answered if there is none. Whoever asks
// for this node's health afterwards is told the same.
func (n *node) suspend(why error) {
	n.dns.Suspend(why != nil)
	n.tooOld.Store(&why)
}

// age is how old the replica may be at most, or if that is not known, how long
// ago the node was started.
func age(s storage, up time.Duration) (age time.Duration, known bool) {
	if age = s.Stale(); age == never {
		return up, false
	}
	return age, true
}

// storageHealth tells why questions are refused, if they are because of the replica's age.
func (n *node) storageHealth() error {
	if why := n.tooOld.Load(); why != nil {
		return *why
	}
	return nil
}

// seconds is a staleness for a metric.
func seconds(d time.Duration) float64 {
	if d == client.Never {
		return math.Inf(1)
	}
	return d.Seconds()
}

// storageMetrics tell of the storage.
func (n *node) storageMetrics() []status.Metric {
	if s, ok := n.db.(storage); ok {
		return s.metrics()
	}
	return nil
}
