package ldb

import (
	"errors"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
)

// Errors of opening.
var (
	// ErrLocked: another process has the database.
	ErrLocked = errors.New("in use by another process")
	// ErrDamaged: the database does not hold together, or the folder holds
	// something else.
	ErrDamaged = errors.New("damaged")
	// ErrFormat: a newer program wrote it.
	ErrFormat = errors.New("format of a newer program")
)

// DefaultMemory is how much memory a database may take if nothing else is said,
// in octets.
const DefaultMemory = 256 << 20

// Options are what a database is opened with. The zero value of each field is its
// default.
type Options struct {
	// Memory is how many octets of the machine's memory the database may take for
	// blocks of tables, their indexes and filters, and what is not yet in a
	// table; DefaultMemory, and at least MinMemory.
	Memory int64

	// WriteBuffer is how many octets are written before they go to a table; 0
	// leaves it to Memory. Twice as many may be in memory.
	WriteBuffer int
}

// library gives goleveldb's options.
func (o Options) leveldb() *opt.Options {
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	if o.WriteBuffer <= 0 {
		o.WriteBuffer = share(o.Memory).writeBuffer
	}
	return &opt.Options{
		Strict:      opt.StrictAll,
		WriteBuffer: o.WriteBuffer,
		// A key that is not in the newest tables is found without reading a
		// block of each.
		Filter:             filter.NewBloomFilter(10),
		BlockCacheCapacity: share(o.Memory).cache,
		// A block ends after the entry that takes it over its size. So most fit
		// into 4 KiB, in which memory is given out; the library's pool of buffers
		// would take twice as much for each.
		BlockSize:         3900,
		DisableBufferPool: true,
		// Compactions that reads set off would only wear the disk.
		DisableSeeksCompaction: true,
		// Every compaction of level 0, the newest tables, writes all of level 1
		// again. So level 1, which has ten times the total size here, is kept
		// smaller than the library does, and when much is written, level 0 may
		// gather more tables for one compaction before writes are slowed.
		CompactionTableSize:    tableSize,
		CompactionTotalSize:    6 << 20,
		WriteL0SlowdownTrigger: 12,
		WriteL0PauseTrigger:    20,
		OpenFilesCacheCapacity: 1000,
		// There is one writer.
		NoWriteMerge: true,
	}
}

// A disk is storage that outlives the process; a Folder is, and what embeds one.
type disk interface {
	// finished reports whether a database was ever complete there.
	finished() bool
	settleManifest() (cut bool, err error)
	cutJournals() (cut bool, err error)
}

// Open opens the database that files hold: a Folder, something that embeds one,
// or storage in memory. It reports whether it had to cut off half a record, see
// "Opening" in the package comment. The files stay the caller's to close.
func Open(files storage.Storage, o Options) (db *leveldb.DB, cut bool, err error) {
	db, cut, err = open(files, o.leveldb())
	if err != nil {
		return nil, false, Damage(err)
	}
	return db, cut, nil
}

func open(files storage.Storage, o *opt.Options) (db *leveldb.DB, cut bool, err error) {
	disk, onDisk := files.(disk)
	if onDisk {
		if cut, err = disk.settleManifest(); err != nil {
			return nil, false, err
		}
	}
	db, err = leveldb.Open(files, o)
	if !ldberrors.IsCorrupted(err) || !onDisk {
		return db, cut, err
	}
	cutJournal, cutErr := disk.cutJournals()
	if cutErr != nil {
		return nil, false, cutErr
	}
	if cutJournal {
		db, err = leveldb.Open(files, o)
	}
	return db, true, err
}

// Fresh reports with ErrDamaged if a database that has not even a format is not
// a new one: something is in it, or the folder says that it was finished once.
func Fresh(db *leveldb.DB, files storage.Storage) error {
	if d, ok := files.(disk); ok && d.finished() {
		return fmt.Errorf("%w: everything is missing from it", ErrDamaged)
	}
	it := db.NewIterator(nil, nil)
	defer it.Release()
	if it.Next() {
		return fmt.Errorf("%w: not a namecast database", ErrDamaged)
	}
	return it.Error()
}

// FormatError is ErrFormat about a format that was found where another is known.
func FormatError(found, known string) error {
	return fmt.Errorf("%w: it is a %.40q, this program knows %q", ErrFormat, found, known)
}

// Damage puts the library's word for damage into ErrDamaged, and takes the path
// off an error of the operating system.
func Damage(err error) error {
	if ldberrors.IsCorrupted(err) && !errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrDamaged, Plain(err))
	}
	return cause(err)
}

// Plain keeps the cause that callers may compare and turns the library's own
// errors into text.
func Plain(err error) error {
	if ldberrors.IsCorrupted(err) || errors.Is(err, leveldb.ErrClosed) {
		return errors.New(err.Error())
	}
	return err
}
