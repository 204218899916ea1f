package mirror

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"namecast/lib/store"
)

// A Spooled backup stands whole in a file without a name, and holds together.
type Spooled struct {
	Sum      [sha256.Size]byte // of all of it
	Position store.Position    // of the last change that it holds
	Versions uint64            // of all accounts and claims together

	file *os.File
}

// Spool reads a backup to its end, into the replica's folder. Check, if it is not nil,
// may refuse an item. store.ErrDamaged if the stream is cut off or altered. Close it.
func (m *Mirror) Spool(r io.Reader, check func(*store.Item) error) (b *Spooled, err error) {
	f, err := os.CreateTemp(m.Dir, "restore")
	if err != nil {
		return nil, fmt.Errorf("restore the storage: %w", err)
	}
	b = &Spooled{file: f}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("restore the storage: %w", err)
	}
	sum := sha256.New()
	in, err := store.OpenBackup(io.TeeReader(r, io.MultiWriter(f, sum)))
	if err != nil {
		return nil, err
	}
	b.Position = in.Position()
	for item, err := range in.Items() {
		if err != nil {
			return nil, err
		}
		switch {
		case item.Head != nil:
			b.Versions += item.Head.Version
		case item.Claim != nil:
			b.Versions += item.Claim.Claim.Version
		}
		if check == nil {
			continue
		}
		if err := check(&item); err != nil {
			return nil, err
		}
	}
	sum.Sum(b.Sum[:0])
	return b, nil
}

// Open reads the backup from its beginning.
func (b *Spooled) Open() (*store.Backup, error) {
	if _, err := b.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return store.OpenBackup(b.file)
}

// Close gives the file back.
func (b *Spooled) Close() error { return b.file.Close() }

// Base is what positions count from after the backup is restored: with the versions
// it is store.RestoreGap beyond the backup's position.
func (b *Spooled) Base() uint64 {
	after := uint64(b.Position) + store.RestoreGap
	return max(after, b.Versions+1) - b.Versions
}
