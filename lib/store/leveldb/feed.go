package leveldb

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/store"
)

// How much of the log a feed holds in memory at once; a single event may be
// larger.
const (
	maxFeedEvents = 256
	maxFeedOctets = 1 << 20
)

// Feed implements store.Store. Nothing is kept for a reader between two events
// but a few that were read ahead, and no database resources: one that is slow
// reads further from the log, and gets store.ErrTooOld when the log no longer
// reaches back to where it is. The first heartbeat comes as soon as the reader
// has everything, then one a second. The sequence ends without an error when ctx
// does, and with store.ErrUnavailable when the store does.
func (db *DB) Feed(ctx context.Context, after store.Position) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		beat := true
		for ctx.Err() == nil {
			events, news, err := db.read(after)
			if err != nil {
				yield(store.Event{}, err)
				return
			}
			for _, e := range events {
				if ctx.Err() != nil || !yield(e, nil) {
					return
				}
				after = e.Position
			}
			if len(events) > 0 {
				continue
			}
			if beat && !yield(store.Event{Position: after}, nil) {
				return
			}
			if beat, err = db.await(ctx, news, tick.C); err != nil {
				yield(store.Event{}, err)
				return
			}
		}
	}
}

// await waits for news, the end of ctx or, reporting true, the time of the next
// heartbeat.
func (db *DB) await(ctx context.Context, news <-chan struct{}, tick <-chan time.Time) (bool, error) {
	select {
	case <-ctx.Done():
		return false, nil
	case <-news:
		return false, nil
	case <-tick:
		return true, nil
	case <-db.ending:
		return false, db.closedError()
	case <-db.failed:
		return false, db.Err()
	}
}

// read gives the events that follow a position, not all if they are many, and
// the channel that is closed when there are more than it could have given.
func (db *DB) read(after store.Position) ([]store.Event, <-chan struct{}, error) {
	snap, news, err := db.use()
	if err != nil {
		return nil, nil, err
	}
	defer db.unuse(snap, nil)
	st := snap.state
	if after+1 < st.LogStart || after > st.Position {
		err := fmt.Errorf("%w: %d; the log goes from %d to %d", store.ErrTooOld, after, st.LogStart, st.Position)
		return nil, nil, err
	}
	if after == st.Position {
		return nil, news, nil
	}
	events, err := db.readLog(snap, after)
	return events, news, err
}

func (db *DB) readLog(snap *snapshot, after store.Position) (events []store.Event, err error) {
	it := snap.NewIterator(&util.Range{Start: logKey(after + 1), Limit: logKey(snap.state.Position + 1)}, uncached)
	defer it.Release()
	for n := 0; len(events) < maxFeedEvents && n < maxFeedOctets && it.Next(); n += len(it.Value()) {
		_, b, err := parseLog(it.Value())
		if err != nil {
			return nil, db.readError(err)
		}
		e, err := store.ParseEvent(b)
		if err != nil {
			return nil, db.readError(err)
		}
		after++
		if e.Position = position(it.Key()); e.Position != after {
			return nil, db.readError(fmt.Errorf("%w: log has no position %d", store.ErrDamaged, after))
		}
		events = append(events, e)
	}
	if err := it.Error(); err != nil {
		return nil, db.readError(err)
	}
	if len(events) == 0 {
		return nil, db.readError(fmt.Errorf("%w: log has no position %d", store.ErrDamaged, after+1))
	}
	return events, nil
}
