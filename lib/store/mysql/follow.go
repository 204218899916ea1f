package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// feed is the number that the replica knows the table of changes by, as one of the
// chains that a leveldb database can follow.
const feed = 0

// How often it is asked what is new, if nothing was committed here.
const (
	askEvery   = 100 * time.Millisecond
	askRetry   = 500 * time.Millisecond // after an error
	askChanges = 256                    // that are read at once
)

// kick has what is new be asked for now.
func (s *Store) kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

// follow keeps the replica current until ctx ends.
func (s *Store) follow(ctx context.Context) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kicked:
		case <-tick.C:
		}
		more, err := s.catchUp(ctx)
		if err == nil && s.Err() != nil || ctx.Err() != nil {
			return
		}
		if err == nil {
			s.tell(ctx)
		}
		if now := err != nil; now != failing {
			if failing = now; failing {
				s.Log.Error("the database cannot be read, it is tried again", "err", cause(err))
			} else {
				s.Log.Info("the database can be read again")
			}
		}
		switch {
		case err != nil:
			s.count.failures.Add(1)
			if elsewhere(err) {
				s.db.next(s.Log, cause(err))
			}
			tick.Reset(askRetry)
		case more:
			tick.Reset(0)
		default:
			tick.Reset(askEvery)
		}
	}
}

// catchUp brings the replica what is new, and reports whether there is more. An error
// of the replica itself ends the store.
func (s *Store) catchUp(ctx context.Context) (more bool, err error) {
	if err := s.look(ctx); err != nil {
		return false, err
	}
	asked := time.Since(began)
	now, err := readState(ctx, s.db, "")
	if err != nil {
		return false, err
	}
	s.Suspend(now.restoring != nil)
	have := s.DB.Place(feed)
	if have.LSN == now.lsn && have.Hash == now.hash {
		s.currentAt(ctx, asked)
		return false, nil
	}
	if now.restoring != nil {
		return false, nil
	}
	if err := now.behind(have); err != nil {
		return false, err
	}
	list, last, err := s.changes(ctx, have)
	if err != nil {
		return false, err
	}
	if len(list) == 0 {
		return true, s.copy(ctx)
	}
	if _, err := s.DB.Follow(ctx, list); err != nil {
		s.Fail(fmt.Errorf("follow the database: %w", err))
		return false, nil
	}
	s.count.records.Add(uint64(len(list)))
	s.marks.reached(last.LSN)
	if last.LSN < now.lsn {
		return true, nil
	}
	s.currentAt(ctx, asked)
	return false, nil
}

// behind refuses a server that takes no changes and has less than the replica: it is a
// replica as well, and will catch up, or be given the rest. One that takes changes and
// has less went back, as to a backup, and what it has counts.
func (s state) behind(have leveldb.Place) error {
	if s.readOnly && s.lsn < have.LSN {
		return errBehind
	}
	return nil
}

// currentAt notes that the replica has had everything at a time.
func (s *Store) currentAt(ctx context.Context, at time.Duration) {
	s.current.Store(int64(max(at, 1)))
	if err := s.Complete(ctx); err != nil && ctx.Err() == nil {
		s.Fail(err)
	}
}

// changes reads what comes after a place, and where that leads; none if the table
// does not go on from there.
func (s *Store) changes(ctx context.Context, have leveldb.Place) (list []leveldb.Followed, last leveldb.Place, err error) {
	last, sound := have, have == leveldb.Place{}
	err = each(ctx, s.db, func(scan func(...any) error) error {
		var at leveldb.Place
		var hash, id, brought, event []byte
		if err := scan(&at.LSN, &hash, &id, &brought, &event); err != nil {
			return err
		}
		if len(hash) != len(at.Hash) || len(id) != len(at.Hash) {
			return fmt.Errorf("%w: nc_changes, LSN %d", store.ErrDamaged, at.LSN)
		}
		at.Hash = [16]byte(hash)
		switch {
		case at == have:
			sound = true
			return nil
		case !sound || at.LSN != last.LSN+1 || chained(last.Hash, at.LSN, [16]byte(id), event) != at.Hash:
			sound = false
			return nil
		}
		f, err := followed(at, string(brought), event)
		if err != nil {
			return fmt.Errorf("nc_changes, LSN %d: %w", at.LSN, err)
		}
		list, last = append(list, f), at
		return nil
	}, `SELECT lsn, hash, id, brought, event FROM nc_changes WHERE lsn >= ? ORDER BY lsn LIMIT ?`, have.LSN, askChanges)
	if err != nil {
		return nil, have, err
	}
	if !sound {
		return nil, have, nil
	}
	return list, last, nil
}

// followed is what a row of nc_changes did.
func followed(at leveldb.Place, brought string, event []byte) (leveldb.Followed, error) {
	e, err := store.ParseEvent(event)
	if err != nil {
		return leveldb.Followed{}, err
	}
	f := leveldb.Followed{Chain: feed, Place: at, Change: e.Change, Domain: e.Domain, Claim: e.Claim}
	if brought != "" {
		f.Keys = []string{brought}
	}
	return f, nil
}

// copyRows is how many rows of a table a copy reads at once.
const copyRows = 500

// copy makes the replica anew from the tables, as of one moment.
func (s *Store) copy(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	now, err := readState(ctx, tx, "")
	if err != nil || now.restoring != nil {
		return err
	}
	if err := now.behind(s.DB.Place(feed)); err != nil {
		return err // another connection than that which asked, to another server
	}
	s.Log.Info("the replica is made anew", "lsn", now.lsn)
	to, err := s.DB.Copy(ctx, feed)
	if err != nil {
		s.Fail(err)
		return nil
	}
	c := copying{ctx: ctx, tx: tx, to: to}
	if err := c.all(); err != nil {
		to.Abort()
		if s.DB.Err() != nil {
			s.Fail(s.DB.Err())
		}
		return err
	}
	if err := to.End(leveldb.Place{LSN: now.lsn, Hash: now.hash}, nil, now.base); err != nil {
		s.Fail(err)
		return nil
	}
	s.count.copies.Add(1)
	s.Log.Info("the replica is whole", "lsn", now.lsn, "accounts", c.accounts)
	s.marks.reached(now.lsn)
	return nil
}

// trimEvery is how often the table of changes is shortened, by trimRows at a time.
const (
	trimEvery = 10 * time.Second
	trimRows  = 1000
)

// trim takes away changes that are too old, until ctx ends. Any node does it.
func (s *Store) trim(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.shorten(ctx); err != nil {
			s.Log.Debug("the table of changes could not be shortened", "err", err)
		}
	}
}

// shorten takes away all changes that are too old, in transactions of bounded size.
func (s *Store) shorten(ctx context.Context) error {
	lsn := s.DB.Place(feed).LSN
	if lsn <= s.keep {
		return nil
	}
	for {
		done, err := s.db.ExecContext(ctx, `DELETE FROM nc_changes WHERE lsn <= ? ORDER BY lsn LIMIT ?`, lsn-s.keep, trimRows)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n < trimRows {
			return err
		}
	}
}
