package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"namecast/lib/store"
)

// A node tells in the table nc_nodes how far its replica is: soon after that has
// changed, and now and then.
const (
	tellSoon  = 100 * time.Millisecond
	tellAgain = 2 * time.Second
	tellGone  = 6 // seconds after which a node that tells nothing is none
)

// A teller is what a node has told of itself.
type teller struct {
	id   id
	lsn  uint64
	when time.Time
}

func newTeller() (t teller) {
	rand.Read(t.id[:])
	return t
}

// tell tells how far the replica is, if it is time. What cannot be told is told later.
func (s *Store) tell(ctx context.Context) {
	lsn := s.DB.Place(feed).LSN
	since := time.Since(s.told.when)
	if since < tellSoon || lsn == s.told.lsn && since < tellAgain {
		return
	}
	if _, err := s.db.ExecContext(ctx, `REPLACE INTO nc_nodes (id, lsn, seen) VALUES (?, ?, NOW(6))`, s.told.id[:], lsn); err != nil {
		s.Log.Debug("the other nodes are not told how far this one is", "err", err)
		return
	}
	s.told.lsn, s.told.when = lsn, time.Now()
}

// untell takes the node out of the list, at its end.
func (s *Store) untell() {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	// Otherwise it is taken for gone after a while.
	_, _ = s.db.ExecContext(ctx, `DELETE FROM nc_nodes WHERE id = ? OR seen < NOW(6) - INTERVAL 1 DAY`, s.told.id[:])
}

// syncEvery is how often it is looked at who has a change.
const syncEvery = 25 * time.Millisecond

// InSync waits until every node that lives has the account as the database has it
// now. The error tells how many have not when ctx ends.
func (s *Store) InSync(ctx context.Context, account string) error {
	var lsn uint64
	err := s.db.QueryRowContext(ctx, `SELECT lsn FROM nc_accounts WHERE account = ?`, octets(account)).Scan(&lsn)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		var behind int
		if err := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM nc_nodes WHERE lsn < ? AND seen > NOW(6) - INTERVAL ? SECOND`,
			lsn, tellGone).Scan(&behind); err != nil {
			return unavailable(err)
		}
		if behind == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %d nodes have not LSN %d yet", store.ErrUnavailable, behind, lsn)
		}
	}
}
