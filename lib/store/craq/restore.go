package craq

import (
	"context"
	"fmt"
	"io"
	"sync"

	"namecast/lib/chain"
	"namecast/lib/store"
	"namecast/lib/store/mirror"
)

// How much of a restore is under way at a time, in records and in octets of one.
const (
	restoreRecords = 128
	restorePiece   = 128 << 10
)

// Restore implements store.Store; see "Restoring" in the package comment. It is
// all or nothing for a backup that does not hold together, or holds what the
// storage does not take. What is broken off later is finished by restoring the
// same backup again, and until then no node serves.
func (s *Store) Restore(ctx context.Context, r io.Reader) error {
	ctx, over, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer over()
	if s.Position() != 0 && !s.Restoring() {
		return s.notEmpty("it has accounts or claims")
	}
	b, err := s.Spool(r, fitsRecord)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := s.mark(ctx, b); err != nil {
		return err
	}
	if err := s.restoreAll(ctx, b); err != nil {
		return fmt.Errorf("restore the storage: %w", err)
	}
	return s.unmark(ctx, b)
}

func (s *Store) notEmpty(why string) error {
	return fmt.Errorf("restore the storage: %w: %s", store.ErrNotEmpty, why)
}

// fitsRecord refuses an item that no record takes.
func fitsRecord(item *store.Item) error {
	if item.Set == nil {
		return nil
	}
	if _, err := setOp(item); err != nil {
		return fmt.Errorf("restore the storage: account %q: %s %s: %w", item.Account, item.Set.Owner, item.Set.Type, err)
	}
	return nil
}

// mark marks the chains as being restored, if they are empty or so marked
// already.
func (s *Store) mark(ctx context.Context, b *mirror.Spooled) error {
	value, _, err := s.read(ctx, chainRestore, []byte(keyRestore))
	if err != nil {
		return err
	}
	if value.Found {
		m, err := parseMark(value.Data)
		switch {
		case err != nil:
			return err
		case m.done:
			return s.notEmpty("a backup was restored before")
		case m.backup != b.Sum:
			return s.notEmpty("the restoring of another backup was begun and has to be finished with that one")
		}
		return nil
	}
	if err := s.empty(ctx); err != nil {
		return err
	}
	o, err := s.putMark(ctx, mark{backup: b.Sum}, 0)
	if err == nil && o.Verdict != chain.Applied {
		err = s.notEmpty("somebody else restores a backup")
	}
	return err
}

// putMark puts the mark if it is at a version.
func (s *Store) putMark(ctx context.Context, m mark, at chain.LSN) (chain.Outcome, error) {
	conds := []chain.Cond{{Kind: chain.AtVersion, Key: []byte(keyRestore), Version: at}}
	o, _, err := s.propose(ctx, chainRestore, conds, []chain.Op{{Kind: chain.Put, Key: []byte(keyRestore), Value: m.append(nil)}})
	return o, err
}

// empty returns an error unless no chain has ever had a record.
func (s *Store) empty(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make([]error, chain.Chains)
	for id := range chain.ID(chain.Chains) {
		all.Go(func() {
			_, lsn, err := s.read(ctx, id, []byte(keyRestore))
			if err == nil && lsn > 0 {
				err = s.notEmpty(fmt.Sprintf("chain %d has had records", id))
			}
			errs[id] = err
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// unmark puts the mark of a restore that is done, when the replica has it all.
func (s *Store) unmark(ctx context.Context, b *mirror.Spooled) error {
	value, _, err := s.read(ctx, chainRestore, []byte(keyRestore))
	if err != nil {
		return err
	}
	done := mark{backup: b.Sum, done: true, start: b.Base()}
	o, err := s.putMark(ctx, done, value.Version)
	if err == nil && o.Verdict != chain.Applied {
		err = s.notEmpty("somebody else restores the same backup")
	}
	return err
}

// A restorer brings a backup to the chains.
type restorer struct {
	s      *Store
	ctx    context.Context
	stop   context.CancelCauseFunc
	places chan struct{} // one for each record under way
	work   sync.WaitGroup

	head *store.Head // of the account whose RRsets come
	ops  []chain.Op  // not yet sent
	size int
}

// restoreAll brings all that the backup holds. What is there already stays.
func (s *Store) restoreAll(ctx context.Context, b *mirror.Spooled) error {
	in, err := b.Open()
	if err != nil {
		return err
	}
	r := &restorer{s: s, places: make(chan struct{}, restoreRecords)}
	r.ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	for item, err := range in.Items() {
		if err == nil {
			err = context.Cause(r.ctx)
		}
		if err == nil {
			err = r.item(&item)
		}
		if err != nil {
			r.stop(err)
			break
		}
	}
	r.account()
	r.work.Wait()
	return context.Cause(r.ctx)
}

func (r *restorer) item(item *store.Item) error {
	if item.Set == nil {
		r.account()
	}
	switch {
	case item.Head != nil:
		h := *item.Head
		r.head = &h
	case item.Set != nil:
		return r.set(item)
	case item.Key != nil:
		r.key(item.Key)
	case item.Claim != nil:
		c := item.Claim
		r.send(chainOf(string(c.Domain)), absent(claimKey(c.Domain)),
			chain.Op{Kind: chain.Put, Key: claimKey(c.Domain), Value: store.AppendClaim(nil, c.Claim)})
	}
	return nil
}

func setOp(item *store.Item) (chain.Op, error) {
	s := item.Set
	op := chain.Op{Kind: chain.Put, Key: setKey(item.Account, s.Owner, s.Type), Value: store.AppendRecords(nil, *s)}
	return op, fits([]chain.Op{op})
}

// set takes an RRset of the account. Of a large account the RRsets go before its
// head, and do not count until that comes.
func (r *restorer) set(item *store.Item) error {
	op, err := setOp(item)
	if err != nil {
		return err
	}
	if size := len(op.Key) + len(op.Value); r.size+size > restorePiece && len(r.ops) > 0 {
		_, _, err := r.s.propose(r.ctx, chainOf(item.Account), nil, r.ops)
		if err != nil {
			return err
		}
		r.ops, r.size = nil, 0
	}
	r.ops = append(r.ops, op)
	r.size += len(op.Key) + len(op.Value)
	return nil
}

// account sends what there is of an account, with its head.
func (r *restorer) account() {
	if r.head == nil {
		return
	}
	h := r.head
	ops := append(r.ops, chain.Op{Kind: chain.Put, Key: headKey(h.Account), Value: appendHead(nil, *h, nil)})
	r.head, r.ops, r.size = nil, nil, 0
	r.send(chainOf(h.Account), absent(headKey(h.Account)), ops...)
}

// key makes a key its account's again.
func (r *restorer) key(k *store.AccountKey) {
	r.send(chainOf(k.KeyID), absent(reserveKey(k.KeyID)),
		chain.Op{Kind: chain.Put, Key: reserveKey(k.KeyID), Value: []byte(k.Account)})
	r.send(chainOf(k.Account), absent(keyKey(k.Account, k.KeyID)),
		chain.Op{Kind: chain.Put, Key: keyKey(k.Account, k.KeyID)})
}

func absent(key []byte) []chain.Cond { return []chain.Cond{{Kind: chain.AtVersion, Key: key}} }

// send brings a record to its chain, with others at the same time. That its
// condition does not hold means that an earlier run has brought it.
func (r *restorer) send(id chain.ID, conds []chain.Cond, ops ...chain.Op) {
	select {
	case r.places <- struct{}{}:
	case <-r.ctx.Done():
		return
	}
	r.work.Go(func() {
		defer func() { <-r.places }()
		if _, _, err := r.s.propose(r.ctx, id, conds, ops); err != nil {
			r.stop(err)
		}
	})
}
