package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A transaction is one try to commit jobs.
type transaction struct {
	store *Store
	jobs  []*job
	tx    *sql.Tx
	ctx   context.Context

	state    state
	accounts map[string]*accountRow // as they will be
	claims   map[rr.Name]*claimRow
	keys     map[string]string // keys that are some account's, those of the jobs included
	taken    []*job            // jobs that are to be written, in their order
	verdicts map[*job]verdictOf
	entries  []entry
}

// A verdictOf is what came of a job in a transaction.
type verdictOf struct {
	err             error
	lsn, at, behind uint64 // see job
}

// state is the row of nc_state.
type state struct {
	lsn       uint64
	hash      [16]byte
	position  uint64
	base      uint64
	restoring []byte
	readOnly  bool // of the server: it is a replica of the one that is written
}

// An accountRow is what a transaction knows of an account.
type accountRow struct {
	version uint64
	keyID   string
	lsn     uint64
	id      id
	was     []byte // the head before the transaction; nil if there was none
	head    []byte
	changed bool
}

type claimRow struct {
	version uint64
	lsn     uint64
	id      id
	claim   store.Claim
	changed bool
}

// An entry is a row of nc_changes to come.
type entry struct {
	lsn     uint64
	hash    [16]byte
	id      id
	brought string
	event   []byte
}

// run makes the transaction. With an error, nothing of it is there, or all of it if
// that came when it was being committed.
func (t *transaction) run(ctx context.Context) (err error) {
	t.ctx = ctx
	if t.tx, err = t.store.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}); err != nil {
		return err
	}
	defer t.tx.Rollback()
	if t.state, err = readState(ctx, t.tx, " FOR UPDATE"); err != nil {
		return err
	}
	if t.state.readOnly {
		return errReadOnly // which a user with all privileges is not told by the server
	}
	if err := t.read(); err != nil {
		return err
	}
	t.verdicts = map[*job]verdictOf{}
	for _, j := range t.jobs {
		if err := t.judge(j); err != nil {
			return err
		}
	}
	if len(t.taken) == 0 {
		return nil
	}
	if err := t.write(); err != nil {
		return err
	}
	return t.tx.Commit()
}

// readState reads the row of nc_state, and whether the server takes changes.
func readState(ctx context.Context, q querier, lock string) (s state, err error) {
	var hash []byte
	var readOnly string
	err = q.QueryRowContext(ctx, `SELECT lsn, hash, position, base, restoring, @@global.read_only FROM nc_state WHERE one = 1`+lock).
		Scan(&s.lsn, &hash, &s.position, &s.base, &s.restoring, &readOnly)
	s.readOnly = readOnly != "0" && readOnly != "OFF"
	if err == nil && len(hash) != len(s.hash) {
		err = fmt.Errorf("%w: hash of %d octets", store.ErrDamaged, len(hash))
	}
	if err != nil {
		return state{}, fmt.Errorf("read nc_state: %w", err)
	}
	s.hash = [16]byte(hash)
	return s, nil
}

// tell finishes all jobs of a transaction that is committed.
func (t *transaction) tell() {
	for _, j := range t.jobs {
		v := t.verdicts[j]
		j.lsn, j.at, j.behind = v.lsn, v.at, v.behind
		j.finish(v.err)
	}
}

// judge looks at what a job finds, and takes it or says what is wrong with it.
func (t *transaction) judge(j *job) error {
	if t.state.restoring != nil {
		t.verdicts[j] = verdictOf{err: fmt.Errorf("%w: the database is being restored", store.ErrUnavailable)}
		return nil
	}
	if j.claim != nil {
		return t.judgeClaim(j)
	}
	return t.judgeChange(j)
}

func (t *transaction) judgeChange(j *job) error {
	c := j.change
	row := t.accounts[c.Head.Account]
	switch {
	case row.version != c.From && row.id == j.id:
		t.verdicts[j] = verdictOf{lsn: row.lsn} // an earlier try was committed
		return nil
	case row.version != c.From:
		return t.elsewhere(j, row.version, row.lsn)
	}
	brings := c.From == 0 && c.Head.KeyID != c.Head.Account || c.From > 0 && c.Head.KeyID != row.keyID
	if owner, ok := t.keys[c.Head.Account]; c.From == 0 && ok && owner != "" {
		t.verdicts[j] = verdictOf{err: taken(c.Head.Account)}
		return nil
	}
	brought := ""
	if brings {
		brought = c.Head.KeyID
		if t.keys[brought] != "" || t.accounts[brought].version != 0 {
			t.verdicts[j] = verdictOf{err: taken(brought)}
			return nil
		}
		t.keys[brought] = c.Head.Account
	}
	lsn := t.enter(j, brought, store.Event{Change: c})
	*row = accountRow{
		version: c.Head.Version, keyID: c.Head.KeyID, lsn: lsn, id: j.id,
		was: row.was, head: store.AppendHead(nil, c.Head), changed: true,
	}
	return nil
}

func taken(keyID string) error { return fmt.Errorf("%w: %s", store.ErrKeyTaken, keyID) }

func (t *transaction) judgeClaim(j *job) error {
	row := t.claims[j.domain]
	switch {
	case row.version != j.claim.Version-1 && row.id == j.id:
		t.verdicts[j] = verdictOf{lsn: row.lsn}
		return nil
	case row.version != j.claim.Version-1:
		return t.elsewhere(j, row.version, row.lsn)
	}
	lsn := t.enter(j, "", store.Event{Domain: j.domain, Claim: j.claim})
	*row = claimRow{version: j.claim.Version, lsn: lsn, id: j.id, claim: *j.claim, changed: true}
	return nil
}

// elsewhere says that the object of a job is at another version, unless that is so
// because an earlier try of the job was committed and others came after it.
func (t *transaction) elsewhere(j *job, version, lsn uint64) error {
	var was uint64
	err := t.tx.QueryRowContext(t.ctx, `SELECT lsn FROM nc_changes WHERE id = ?`, j.id[:]).Scan(&was)
	switch {
	case err == nil:
		t.verdicts[j] = verdictOf{lsn: was}
	case errors.Is(err, sql.ErrNoRows):
		t.verdicts[j] = verdictOf{err: store.Conflict{Version: version}, behind: lsn}
	default:
		return err
	}
	return nil
}

// enter gives a job its LSN and puts it among what is to be written.
func (t *transaction) enter(j *job, brought string, e store.Event) uint64 {
	event := store.AppendEvent(nil, e)
	t.state.lsn++
	t.state.position++
	t.state.hash = chained(t.state.hash, t.state.lsn, j.id, event)
	t.entries = append(t.entries, entry{t.state.lsn, t.state.hash, j.id, brought, event})
	t.taken = append(t.taken, j)
	t.verdicts[j] = verdictOf{lsn: t.state.lsn, at: t.state.position}
	return t.state.lsn
}

// chained is the hash up to a change, of that before it and the change.
func chained(before [16]byte, lsn uint64, of id, event []byte) [16]byte {
	h := sha256.New()
	h.Write(before[:])
	h.Write(binary.BigEndian.AppendUint64(nil, lsn))
	h.Write(of[:])
	h.Write(event)
	return [16]byte(h.Sum(nil)[:16])
}
