package craq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"namecast/lib/chain"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// Commit implements store.Store; see "Changes" in the package comment.
func (s *Store) Commit(ctx context.Context, c store.Change) (store.Position, error) {
	if err := c.Check(); err != nil {
		return 0, err
	}
	id := chainOf(c.Head.Account)
	return s.change(ctx, id, func(ctx context.Context) (store.Position, error) { return s.commit(ctx, id, &c) })
}

// change lets a change of something on a chain begin, unless nothing is served.
func (s *Store) change(ctx context.Context, id chain.ID, f func(context.Context) (store.Position, error)) (store.Position, error) {
	ctx, over, err := s.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer over()
	if err := s.Serves(); err != nil {
		return 0, err
	}
	ctx, cancel := s.patience(ctx, id)
	defer cancel()
	return f(ctx)
}

// CommitAll is Commit for many changes at once; those of one account are made in
// their order. At each one's place in what is returned is nil or the error that
// Commit would give.
func (s *Store) CommitAll(ctx context.Context, changes []store.Change) []error {
	errs := make([]error, len(changes))
	before := map[string]chan struct{}{} // closed when the account's last change is over
	var all sync.WaitGroup
	for i := range changes {
		c := &changes[i]
		wait, over := before[c.Head.Account], make(chan struct{})
		before[c.Head.Account] = over
		all.Go(func() {
			defer close(over)
			if wait != nil {
				<-wait
			}
			_, errs[i] = s.Commit(ctx, *c)
		})
	}
	all.Wait()
	return errs
}

// A base is what a change of an account is made on.
type base struct {
	lsn   chain.LSN // of the record that put the head; 0 if there is no account
	keyID string
}

func (s *Store) commit(ctx context.Context, id chain.ID, c *store.Change) (store.Position, error) {
	h := &c.Head
	from, err := s.base(ctx, id, h.Account, c.From)
	if err != nil {
		return 0, err
	}
	brings := c.From == 0 && h.KeyID != h.Account || c.From > 0 && h.KeyID != from.keyID
	ops, err := changeOps(c, brings)
	if err != nil {
		return 0, err
	}
	conds := []chain.Cond{{Kind: chain.AtVersion, Key: headKey(h.Account), Version: from.lsn}}
	if c.From == 0 {
		conds = append(conds, chain.Cond{Kind: chain.AtVersion, Key: reserveKey(h.Account)})
	}
	if brings {
		if err := s.reserve(ctx, h.KeyID, h.Account); err != nil {
			return 0, err
		}
		conds = append(conds, chain.Cond{Kind: chain.AtVersion, Key: keyKey(h.Account, h.KeyID)})
	}
	o, at, err := s.propose(ctx, id, conds, ops)
	switch {
	case err != nil:
		return 0, err
	case o.Verdict == chain.Applied:
		return at, nil
	case o.Verdict == chain.Conflict && o.Cond > 0:
		return 0, taken(h)
	}
	return s.settled(o, at, func() (uint64, chain.LSN, error) {
		held, err := s.DB.Account(uint8(id), h.Account)
		return held.Version, chain.LSN(held.LSN), err
	})
}

func taken(h *store.Head) error { return fmt.Errorf("%w: %s", store.ErrKeyTaken, h.KeyID) }

// settled tells what an outcome that is not plain success means, by what the
// replica now has in its place.
func (s *Store) settled(o chain.Outcome, at store.Position, now func() (uint64, chain.LSN, error)) (store.Position, error) {
	version, lsn, err := now()
	switch {
	case err != nil:
		return 0, err
	case o.Verdict == chain.Duplicate && lsn == o.LSN:
		return at, nil // the first of the same request has done it
	case o.Verdict == chain.Expired:
		return 0, fmt.Errorf("%w: the change came too late", store.ErrUnavailable)
	}
	return 0, store.Conflict{Version: version}
}

// base finds what a change of an account from a version is made on: in the
// replica or, if that is behind, in the chain. Conflict if the account is elsewhere.
func (s *Store) base(ctx context.Context, id chain.ID, account string, from uint64) (base, error) {
	for {
		held, err := s.DB.Account(uint8(id), account)
		switch {
		case err != nil:
			return base{}, err
		case held.Version > from:
			return base{}, store.Conflict{Version: held.Version}
		case held.Version < from:
			return s.newer(ctx, id, account, from)
		case from == 0:
			return base{}, nil
		}
		head, err := s.head(account)
		if err != nil {
			return base{}, err
		}
		if head.Version == from {
			return base{chain.LSN(held.LSN), head.KeyID}, nil
		}
	}
}

// head reads a head from the replica.
func (s *Store) head(account string) (store.Head, error) {
	v, err := s.DB.View()
	if err != nil {
		return store.Head{}, err
	}
	defer v.Release()
	return v.Head(account)
}

// newer is base when the change is made from what the replica does not have yet.
func (s *Store) newer(ctx context.Context, id chain.ID, account string, from uint64) (base, error) {
	value, lsn, err := s.read(ctx, id, headKey(account))
	if err != nil {
		return base{}, err
	}
	var h store.Head
	if value.Found {
		if h, err = parseHead(value.Data, nil); err != nil {
			return base{}, fmt.Errorf("read account %q: %w", account, err)
		}
	}
	if h.Version == from {
		return base{value.Version, h.KeyID}, nil
	}
	if err := s.waits.reach(ctx, id, lsn); err != nil {
		return base{}, err
	}
	return base{}, store.Conflict{Version: h.Version}
}

// read reads a key of a chain as it is now, and tells as of which LSN.
func (s *Store) read(ctx context.Context, id chain.ID, key []byte) (chain.Value, chain.LSN, error) {
	r, err := s.chain.Read(ctx, id, chain.Read{Mode: chain.Strong, Keys: [][]byte{key}})
	if err != nil {
		return chain.Value{}, 0, fmt.Errorf("%w: chain %d: %w", store.ErrUnavailable, id, err)
	}
	if len(r.Values) != 1 {
		return chain.Value{}, 0, fmt.Errorf("%w: chain %d: %d values for a key", store.ErrDamaged, id, len(r.Values))
	}
	return r.Values[0], r.LSN, nil
}

// reserve reserves a key for an account, or finds it reserved for it.
// ErrKeyTaken if the key is or was anybody's.
func (s *Store) reserve(ctx context.Context, keyID, account string) error {
	busy := fmt.Errorf("%w: %s", store.ErrKeyTaken, keyID)
	known, err := s.known(keyID)
	if err != nil {
		return err
	}
	if known {
		return busy
	}
	id := chainOf(keyID)
	conds := []chain.Cond{
		{Kind: chain.AtVersion, Key: headKey(keyID)},
		{Kind: chain.AtVersion, Key: reserveKey(keyID)},
	}
	ops := []chain.Op{{Kind: chain.Put, Key: reserveKey(keyID), Value: []byte(account)}}
	o, _, err := s.propose(ctx, id, conds, ops)
	switch {
	case err != nil:
		return err
	case o.Verdict == chain.Applied:
		return nil
	case o.Verdict == chain.Conflict && o.Cond == 0:
		return busy
	}
	v, _, err := s.read(ctx, id, reserveKey(keyID))
	switch {
	case err != nil:
		return err
	case !v.Found: // the request came too late
		return fmt.Errorf("%w: key %s was not reserved", store.ErrUnavailable, keyID)
	case string(v.Data) != account:
		return busy
	}
	return nil
}

// known reports whether the replica has the key as some account's.
func (s *Store) known(keyID string) (bool, error) {
	v, err := s.DB.View()
	if err != nil {
		return false, err
	}
	defer v.Release()
	if _, err := v.HeadByKey(keyID); !errors.Is(err, store.ErrNotFound) {
		return err == nil, err
	}
	return false, nil
}

// SetClaim implements store.Store, as Commit does.
func (s *Store) SetClaim(ctx context.Context, domain rr.Name, from uint64, c store.Claim) (store.Position, error) {
	if err := c.Check(domain, from); err != nil {
		return 0, err
	}
	id := chainOf(string(domain))
	return s.change(ctx, id, func(ctx context.Context) (store.Position, error) { return s.setClaim(ctx, id, domain, from, c) })
}

func (s *Store) setClaim(ctx context.Context, id chain.ID, domain rr.Name, from uint64, c store.Claim) (store.Position, error) {
	lsn, err := s.claimBase(ctx, id, domain, from)
	if err != nil {
		return 0, err
	}
	conds := []chain.Cond{{Kind: chain.AtVersion, Key: claimKey(domain), Version: lsn}}
	ops := []chain.Op{{Kind: chain.Put, Key: claimKey(domain), Value: store.AppendClaim(nil, c)}}
	o, at, err := s.propose(ctx, id, conds, ops)
	if err != nil {
		return 0, err
	}
	if o.Verdict == chain.Applied {
		return at, nil
	}
	return s.settled(o, at, func() (uint64, chain.LSN, error) {
		held, err := s.DB.Claimed(uint8(id), domain)
		return held.Version, chain.LSN(held.LSN), err
	})
}

// claimBase is base for a claim.
func (s *Store) claimBase(ctx context.Context, id chain.ID, domain rr.Name, from uint64) (chain.LSN, error) {
	held, err := s.DB.Claimed(uint8(id), domain)
	switch {
	case err != nil:
		return 0, err
	case held.Version > from:
		return 0, store.Conflict{Version: held.Version}
	case held.Version == from:
		return chain.LSN(held.LSN), nil
	}
	value, lsn, err := s.read(ctx, id, claimKey(domain))
	if err != nil {
		return 0, err
	}
	var c store.Claim
	if value.Found {
		if c, err = store.ParseClaim(value.Data); err != nil {
			return 0, fmt.Errorf("read claim of %s: %w", domain, err)
		}
	}
	if c.Version == from {
		return value.Version, nil
	}
	if err := s.waits.reach(ctx, id, lsn); err != nil {
		return 0, err
	}
	return 0, store.Conflict{Version: c.Version}
}
