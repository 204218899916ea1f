package mysql

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"namecast/lib/store"
	"namecast/lib/store/mirror"
)

// restoreOctets is how much of a backup goes into one transaction, about.
const restoreOctets = 1 << 20

// Restore implements store.Store. The whole backup is read into a file first, and
// refused if it does not hold together. Then nc_state is marked as being restored, if
// the tables are empty or marked by the same backup, and the tables are filled. While
// the mark is there no node serves accounts or takes changes; a restore that was
// broken off leaves it, and the same backup begins anew.
func (s *Store) Restore(ctx context.Context, r io.Reader) error {
	ctx, over, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer over()
	b, err := s.Spool(r, nil)
	if err != nil {
		return err
	}
	defer b.Close()
	lsn, err := s.fill(ctx, b)
	if err != nil {
		return fmt.Errorf("restore the database: %w", verdict(err))
	}
	s.kick()
	// It is restored also if the replica does not have it before ctx ends.
	_ = s.marks.reach(ctx, lsn)
	return nil
}

// fill marks the tables, fills them and takes the mark away. It gives the LSN that the
// table of changes begins from.
func (s *Store) fill(ctx context.Context, b *mirror.Spooled) (lsn uint64, err error) {
	if lsn, err = s.mark(ctx, b); err != nil {
		return 0, err
	}
	in, err := b.Open()
	if err != nil {
		return 0, err
	}
	f := filling{store: s, ctx: ctx}
	for item, err := range in.Items() {
		if err == nil {
			err = f.item(&item)
		}
		if err != nil {
			return 0, err
		}
	}
	if err := f.flush(); err != nil {
		return 0, err
	}
	if err := s.rebuild(ctx, b.Base()+b.Versions); err != nil {
		return 0, err
	}
	return lsn, s.unmark(ctx, lsn, b.Base(), b.Base()+b.Versions)
}

// unmark takes the mark away. The table of changes begins with a row that stands for
// all of the backup, so that there is a hash to go on from.
func (s *Store) unmark(ctx context.Context, lsn, base, position uint64) error {
	hash := make([]byte, 16)
	rand.Read(hash)
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `INSERT INTO nc_changes (lsn, hash, id, brought, event) VALUES (?, ?, ?, '', '')`,
		lsn, hash, make([]byte, 16)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE nc_state SET restoring = NULL, lsn = ?, hash = ?, base = ?, position = ? WHERE one = 1`,
		lsn, hash, base, position); err != nil {
		return err
	}
	return tx.Commit()
}

// mark marks the tables as being restored, if they are empty or so marked already,
// and empties them. It gives the LSN that the table of changes begins from.
func (s *Store) mark(ctx context.Context, b *mirror.Spooled) (lsn uint64, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	now, err := readState(ctx, tx, " FOR UPDATE")
	switch {
	case err != nil:
		return 0, err
	case now.restoring == nil && (now.position > 0 || now.lsn > 0):
		return 0, fmt.Errorf("%w: it has or had accounts or claims", store.ErrNotEmpty)
	case now.restoring != nil && string(now.restoring) != string(b.Sum[:]):
		return 0, fmt.Errorf("%w: the restoring of another backup was begun and has to be finished with that one", store.ErrNotEmpty)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE nc_state SET restoring = ? WHERE one = 1`, b.Sum[:]); err != nil {
		return 0, err
	}
	for _, table := range []string{"nc_accounts", "nc_sets", "nc_keys", "nc_claims", "nc_changes"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
			return 0, err
		}
	}
	return now.lsn + 1, tx.Commit()
}

// A filling is a backup on its way into the tables.
type filling struct {
	store                        *Store
	ctx                          context.Context
	accounts, sets, keys, claims []any
	octets                       int
}

func (f *filling) item(item *store.Item) error {
	none := make([]byte, 16)
	switch {
	case item.Head != nil:
		h := item.Head
		f.accounts = append(f.accounts, octets(h.Account), h.Version, octets(h.KeyID), store.AppendHead(nil, *h), uint64(0), none)
	case item.Set != nil:
		set := item.Set
		f.sets = append(f.sets, octets(item.Account), store.AppendSetKey(nil, set.Owner, set.Type), store.AppendRecords(nil, *set))
		f.octets += set.Size()
	case item.Key != nil:
		f.keys = append(f.keys, octets(item.Key.KeyID), octets(item.Key.Account))
	case item.Claim != nil:
		c := item.Claim
		f.claims = append(f.claims, octets(string(c.Domain)), c.Claim.Version, store.AppendClaim(nil, c.Claim), uint64(0), none)
	}
	if f.octets += 512; f.octets < restoreOctets {
		return nil
	}
	return f.flush()
}

// flush writes what was gathered.
func (f *filling) flush() error {
	tx, err := f.store.db.BeginTx(f.ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, t := range []struct {
		head    string
		columns int
		args    []any
	}{
		{`INSERT INTO nc_accounts (account, version, key_id, head, lsn, id)`, 6, f.accounts},
		{`INSERT INTO nc_sets (account, owner, data)`, 3, f.sets},
		{`INSERT INTO nc_keys (key_id, account)`, 2, f.keys},
		{`INSERT INTO nc_claims (domain, version, claim, lsn, id)`, 5, f.claims},
	} {
		if err := insert(f.ctx, tx, t.head, "", t.columns, t.args); err != nil {
			return err
		}
	}
	f.accounts, f.sets, f.keys, f.claims, f.octets = nil, nil, nil, nil, 0
	return tx.Commit()
}
