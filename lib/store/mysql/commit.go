package mysql

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// How much goes into one transaction, in changes and in octets of them, about.
const (
	maxJobs   = 128
	maxOctets = 4 << 20
)

// An id tells one change from all others.
type id [16]byte

// A job is a change or a claim that waits to be committed.
type job struct {
	ctx    context.Context
	id     id
	change *store.Change // or
	domain rr.Name
	claim  *store.Claim

	done   chan struct{} // closed when the rest is there
	lsn    uint64        // of what was committed
	at     uint64        // position then; 0 if it is not known
	behind uint64        // of what the replica has to have before err is told
	err    error
}

func (j *job) finish(err error) {
	j.err = err
	close(j.done)
}

// size is about what the job takes in a transaction, in octets.
func (j *job) size() int {
	n := 512
	if j.change != nil {
		for _, s := range j.change.Put {
			n += 64 + s.Size()
		}
	}
	return n
}

// Commit implements store.Store; see "Changes" in the package comment.
func (s *Store) Commit(ctx context.Context, c store.Change) (store.Position, error) {
	if err := c.Check(); err != nil {
		return 0, err
	}
	return s.put(ctx, &job{change: &c})
}

// SetClaim implements store.Store, as Commit does.
func (s *Store) SetClaim(ctx context.Context, domain rr.Name, from uint64, c store.Claim) (store.Position, error) {
	if err := c.Check(domain, from); err != nil {
		return 0, err
	}
	return s.put(ctx, &job{domain: domain, claim: &c})
}

// put has a job committed and waits until the replica has it.
func (s *Store) put(ctx context.Context, j *job) (store.Position, error) {
	ctx, over, err := s.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer over()
	if err := s.Serves(); err != nil {
		return 0, err
	}
	ctx, cancel := s.patience(ctx)
	defer cancel()
	rand.Read(j.id[:])
	j.ctx, j.done = ctx, make(chan struct{})
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return 0, waited(ctx)
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return 0, waited(ctx)
	}
	if j.err != nil {
		// Who is told that the account is elsewhere is to find it so in the replica.
		if j.behind > 0 && s.marks.reach(ctx, j.behind) != nil {
			return 0, waited(ctx)
		}
		return 0, j.err
	}
	// Without the replica having it: it is committed, and will be here.
	if s.marks.reach(ctx, j.lsn) != nil || j.at == 0 {
		return s.Position(), nil
	}
	return store.Position(j.at), nil
}

func waited(ctx context.Context) error {
	return fmt.Errorf("%w: %w", store.ErrUnavailable, context.Cause(ctx))
}

// While the database was not heard of for awayAfter, who brings it a change is kept
// waiting no longer than awayWait: it is better told to try again.
const (
	awayAfter = 2 * time.Second
	awayWait  = 500 * time.Millisecond
)

// patience bounds ctx if the database is away.
func (s *Store) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.Stale() < awayAfter {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, awayWait)
}

// commits makes transactions of what waits until ctx ends.
func (s *Store) commits(ctx context.Context) {
	for {
		jobs := s.gather(ctx)
		if jobs == nil {
			return
		}
		s.commitAll(ctx, jobs)
	}
}

// gather waits for a job and takes what else waits; nil when ctx ends.
func (s *Store) gather(ctx context.Context) []*job {
	if s.kept != nil {
		jobs := []*job{s.kept}
		s.kept = nil
		return s.more(jobs)
	}
	select {
	case j := <-s.jobs:
		return s.more([]*job{j})
	case <-ctx.Done():
		return nil
	}
}

func (s *Store) more(jobs []*job) []*job {
	octets := jobs[0].size()
	for len(jobs) < maxJobs {
		select {
		case j := <-s.jobs:
			if octets += j.size(); octets > maxOctets {
				s.kept = j
				return jobs
			}
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// Waits between tries of a transaction.
const (
	leastPause = 2 * time.Millisecond
	mostPause  = 250 * time.Millisecond
)

// commitAll makes one transaction of jobs, again and again until it is committed, or
// refused, or nobody waits for it any more.
func (s *Store) commitAll(ctx context.Context, jobs []*job) {
	pause := leastPause
	for {
		if jobs = wanted(jobs); len(jobs) == 0 {
			return
		}
		t := transaction{store: s, jobs: jobs}
		err := t.run(ctx)
		s.counted(err)
		switch {
		case err == nil:
			t.tell()
			s.kick()
			return
		case !passing(err) && len(jobs) > 1:
			// Something in it the database does not take: each on its own.
			for _, j := range jobs {
				s.commitAll(ctx, []*job{j})
			}
			return
		case !passing(err):
			s.Log.Error("the database refused a change", "err", cause(err))
			jobs[0].finish(unavailable(err))
			return
		case elsewhere(err):
			s.db.next(s.Log, cause(err))
		}
		if !s.pause(ctx, &pause) {
			for _, j := range jobs {
				j.finish(unavailable(err))
			}
			return
		}
	}
}

// pause waits a while that grows, with some chance in it, so that nodes whose
// transactions fail by each other do not go on so. False when ctx ends.
func (s *Store) pause(ctx context.Context, d *time.Duration) bool {
	var b [1]byte
	rand.Read(b[:])
	t := time.NewTimer(*d/2 + *d*time.Duration(b[0])/256)
	defer t.Stop()
	*d = min(*d*2, mostPause)
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wanted leaves out jobs that nobody waits for any more.
func wanted(jobs []*job) []*job {
	var list []*job
	for _, j := range jobs {
		if j.ctx.Err() != nil {
			j.finish(waited(j.ctx))
			continue
		}
		list = append(list, j)
	}
	return list
}

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

// readState reads the row of nc_state.
func readState(ctx context.Context, q querier, lock string) (s state, err error) {
	var hash []byte
	err = q.QueryRowContext(ctx, `SELECT lsn, hash, position, base, restoring FROM nc_state WHERE one = 1`+lock).
		Scan(&s.lsn, &hash, &s.position, &s.base, &s.restoring)
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
