package leveldb

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/syndtr/goleveldb/leveldb"

	"namecast/lib/store"
)

// maxRestore is how many octets of a backup go into one batch.
const maxRestore = 1 << 20

// Backup implements store.Store.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	v, err := db.view()
	if err != nil {
		return err
	}
	defer v.Release()
	return store.WriteBackup(ctx, v, w)
}

// Restore implements store.Store. While it runs no view can be had and changes
// wait; the position afterwards is store.RestoreGap above the backup's. What it
// writes counts only with its last batch: after a crash, Open takes the rest
// away again.
func (db *DB) Restore(ctx context.Context, r io.Reader) error {
	if err := db.own(); err != nil {
		return err
	}
	restore := func(w *writer) error {
		err := w.restore(ctx, r)
		if err == nil {
			db.changed(Touched{All: true}, w.state.Position)
		}
		return err
	}
	return db.send(ctx, &request{alone: restore, done: make(chan struct{})})
}

func (w *writer) restore(ctx context.Context, r io.Reader) error {
	if w.state.Position != 0 {
		return fmt.Errorf("restore database %q: %w", w.db.name, store.ErrNotEmpty)
	}
	in, err := store.OpenBackup(r)
	if err != nil {
		return err
	}
	w.db.setRestoring(true)
	defer w.db.setRestoring(false)
	if err := w.db.ldb.Put(keyRestoring, nil, synced); err != nil {
		return w.db.fail(err)
	}
	if err := w.restoreItems(ctx, in); err != nil {
		if cleanErr := w.db.unrestore(); cleanErr != nil {
			return errors.Join(err, w.db.fail(cleanErr))
		}
		return err
	}
	position := in.Position() + store.RestoreGap
	w.state = state{Position: position, LogStart: position + 1}
	var b leveldb.Batch
	b.Put(keyState, w.state.append(nil))
	b.Delete(keyRestoring)
	if err := w.db.ldb.Write(&b, synced); err != nil {
		return w.db.fail(err)
	}
	if err := w.db.renew(w.state); err != nil {
		return w.db.fail(err)
	}
	return nil
}

func (db *DB) setRestoring(v bool) {
	db.mu.Lock()
	db.restoring = v
	db.mu.Unlock()
}

// restoreItems writes everything in the backup, which is whole if there is no
// error.
func (w *writer) restoreItems(ctx context.Context, in *store.Backup) error {
	w.batch.reset()
	b := &w.batch
	for item, err := range in.Items() {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("restore database %q: %w", w.db.name, ctx.Err())
		}
		b.restore(item)
		if len(b.Dump()) < maxRestore {
			continue
		}
		if err := w.restoreBatch(); err != nil {
			return err
		}
	}
	return w.restoreBatch()
}

func (w *writer) restoreBatch() error {
	w.db.names.add(w.batch.names...)
	if err := w.db.ldb.Write(&w.batch.Batch, synced); err != nil {
		return w.db.fail(err)
	}
	w.batch.reset()
	return nil
}

func (b *batch) restore(item store.Item) {
	put := func(key, value []byte) {
		b.Put(key, value)
		b.names = append(b.names, string(key))
	}
	switch {
	case item.Head != nil:
		put(joinKey(prefixHead, item.Head.Account), store.AppendHead(nil, *item.Head))
	case item.Set != nil:
		b.Put(appendSetKey(nil, item.Account, item.Set.Owner, item.Set.Type), store.AppendRecords(nil, *item.Set))
	case item.Key != nil:
		put(joinKey(prefixKey, item.Key.KeyID), []byte(item.Key.Account))
	case item.Claim != nil:
		put(joinKey(prefixClaim, string(item.Claim.Domain)), store.AppendClaim(nil, item.Claim.Claim))
	}
}

// unrestore takes away what an unfinished restore left; a restore began in an
// empty database.
func (db *DB) unrestore() error {
	half, err := db.ldb.Has(keyRestoring, nil)
	if err != nil || !half {
		return err
	}
	it := db.ldb.NewIterator(nil, uncached)
	defer it.Release()
	var b leveldb.Batch
	for it.Next() {
		if k := it.Key(); k[0] != keyState[0] {
			b.Delete(k)
		}
		if len(b.Dump()) >= maxRestore {
			if err := db.ldb.Write(&b, synced); err != nil {
				return err
			}
			b.Reset()
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	b.Delete(keyRestoring)
	return db.ldb.Write(&b, synced)
}
