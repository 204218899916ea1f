package ldb

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// settleManifest cuts half a record off the end of the manifest, and verifies
// that the journal that the manifest names is there: the library would go on
// without it. A folder without a manifest is left to the library.
func (f Folder) settleManifest() (cut bool, err error) {
	fd, err := f.GetMeta()
	if err != nil {
		return false, nil // the library says it better
	}
	name := fmt.Sprintf("MANIFEST-%06d", fd.Num)
	var journal int64
	cut, err = f.cutTail(name, true, func(rec []byte) {
		if n, ok := journalNumber(rec); ok {
			journal = n
		}
	})
	if err != nil || journal == 0 {
		return cut, err
	}
	name = journalName(journal)
	if _, err := os.Stat(filepath.Join(f.dir, name)); err != nil {
		return cut, fmt.Errorf("%w: file %s: %w", ErrDamaged, name, cause(err))
	}
	return cut, nil
}

func journalName(n int64) string { return fmt.Sprintf("%06d.log", n) }

// cutJournals cuts half a record off the end of the newest journal. Whatever
// else is wrong in a journal is ErrDamaged.
func (f Folder) cutJournals() (cut bool, err error) {
	fds, err := f.List(storage.TypeJournal)
	if err != nil {
		return false, err
	}
	slices.SortFunc(fds, func(a, b storage.FileDesc) int { return cmp.Compare(a.Num, b.Num) })
	for i, fd := range fds {
		cut, err = f.cutTail(journalName(fd.Num), i == len(fds)-1, func([]byte) {})
		if err != nil {
			return false, err
		}
	}
	return cut, nil
}

// cutTail cuts half a record off the end of a file if it may have one.
func (f Folder) cutTail(name string, may bool, record func([]byte)) (cut bool, err error) {
	path := filepath.Join(f.dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("read file %s: %w", name, cause(err))
	}
	end, how := scanJournal(b, record)
	switch {
	case how == whole:
		return false, nil
	case how == broken || !may:
		return false, fmt.Errorf("%w: file %s has a broken record at octet %d", ErrDamaged, name, end)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, fmt.Errorf("repair file %s: %w", name, cause(err))
	}
	if err := errors.Join(file.Truncate(int64(end)), file.Sync(), file.Close()); err != nil {
		return false, fmt.Errorf("repair file %s: %w", name, cause(err))
	}
	return true, nil
}
