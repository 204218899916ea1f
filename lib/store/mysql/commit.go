package mysql

import (
	"context"
	"crypto/rand"
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
	if !s.looked.Load() { // it was away when the node began
		return 0, fmt.Errorf("%w: the database is not known yet", store.ErrUnavailable)
	}
	ctx, cancel := s.patience(ctx)
	defer cancel()
	rand.Read(j.id[:])
	j.ctx, j.done = ctx, make(chan struct{})
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return 0, s.waited(ctx)
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return 0, s.waited(ctx)
	}
	if j.err != nil {
		// Who is told that the account is elsewhere is to find it so in the replica.
		if j.behind > 0 && s.marks.reach(ctx, j.behind) != nil {
			return 0, s.waited(ctx)
		}
		return 0, j.err
	}
	// Without the replica having it: it is committed, and will be here.
	if s.marks.reach(ctx, j.lsn) != nil || j.at == 0 {
		return s.Position(), nil
	}
	return store.Position(j.at), nil
}

// waited is the error of who waited in vain, with what keeps changes from being made.
func (s *Store) waited(ctx context.Context) error {
	if why := s.trouble.Load(); why != nil {
		return fmt.Errorf("%w: %w: %w", store.ErrUnavailable, context.Cause(ctx), *why)
	}
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
		if jobs = s.wanted(jobs); len(jobs) == 0 {
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
func (s *Store) wanted(jobs []*job) []*job {
	var list []*job
	for _, j := range jobs {
		if j.ctx.Err() != nil {
			j.finish(s.waited(j.ctx))
			continue
		}
		list = append(list, j)
	}
	return list
}
