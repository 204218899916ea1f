package leveldb

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/store"
)

// Options bound what a database takes. The zero value of each field is its
// default.
type Options struct {
	Log      int   // changes that the log keeps at least, LogBytes permitting; default 65,536
	LogBytes int64 // octets that the log keeps at most; default 64 MiB

	// Memory is how many octets of the machine's memory the database may take
	// for blocks of tables, their indexes and filters, and what is not yet in a
	// table; default 256 MiB. The database may be many times as large. What it
	// takes besides is about 9 octets for each account, key and domain. Less
	// than 48 MiB counts as 48 MiB.
	Memory int64

	// WriteBuffer is how many octets are written before they go to a table; 0
	// leaves it to Memory. Twice as many may be in memory.
	WriteBuffer int

	// Changed, if it is not nil, is called once for every change, claim and
	// restore that was committed: after a view opened from then on sees it, and
	// before who committed it is answered. Calls come one at a time, in the
	// order of positions, but several changes may have become visible together
	// before the first of their calls. It runs on the goroutine that writes and
	// holds up every commit, so it must be quick; it must not commit, restore or
	// close the store. It may read it.
	Changed func(Touched)
}

func (o Options) defaults() Options {
	set := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	set(&o.Log, 65536)
	if o.LogBytes <= 0 {
		o.LogBytes = 64 << 20
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	set(&o.WriteBuffer, share(o.Memory).writeBuffer)
	return o
}

// library gives goleveldb's options.
func (o Options) library() *opt.Options {
	return &opt.Options{
		Strict:      opt.StrictAll,
		WriteBuffer: o.WriteBuffer,
		// A head that is not in the newest tables is found without reading a
		// block of each. For names nobody has there is the directory.
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

// Open opens the database in the folder dir and makes it if it is not there; the
// folder above must be. The errors are store.ErrLocked if another process has
// it, store.ErrFormat if a newer program wrote it, store.ErrDamaged if it does
// not hold together or the folder holds something else, and else what the
// operating system says.
func Open(dir string, o Options) (*DB, error) {
	files, err := openFolder(dir)
	if err != nil {
		return nil, openError(dir, err)
	}
	db, err := openStorage(dir, files, o)
	if err != nil {
		return nil, openError(dir, err)
	}
	if err := files.mark(); err != nil {
		db.Close()
		return nil, openError(dir, err)
	}
	return db, nil
}

func openError(dir string, err error) error {
	hint := ""
	if errors.Is(err, store.ErrDamaged) {
		hint = "; move the folder away and restore a backup"
	}
	return fmt.Errorf("open database %q: %w%s", dir, err, hint)
}

// OpenMemory makes an empty database in memory, for tests.
func OpenMemory(o Options) (*DB, error) {
	return openStorage("in memory", storage.NewMemStorage(), o)
}

// openStorage opens the database that files hold, and closes files on an error.
func openStorage(name string, files storage.Storage, o Options) (*DB, error) {
	db := &DB{name: name, opts: o.defaults(), files: files}
	cut, err := db.openLibrary()
	if err != nil {
		files.Close()
		return nil, damage(err)
	}
	st, err := db.load(cut)
	if err == nil {
		err = db.start(st)
	}
	if err != nil {
		db.ldb.Close()
		files.Close()
		return nil, damage(err)
	}
	return db, nil
}

// damage puts the library's word for damage into the store's.
func damage(err error) error {
	if ldberrors.IsCorrupted(err) {
		return fmt.Errorf("%w: %w", store.ErrDamaged, plain(err))
	}
	return cause(err)
}

// openLibrary opens goleveldb's database. It reports whether it had to cut off
// half a record: see "Opening" in the package comment.
func (db *DB) openLibrary() (cut bool, err error) {
	disk, onDisk := db.files.(disk)
	if onDisk {
		if cut, err = disk.settleManifest(); err != nil {
			return false, err
		}
	}
	o := db.opts.library()
	db.ldb, err = leveldb.Open(db.files, o)
	if !ldberrors.IsCorrupted(err) || !onDisk {
		return cut, err
	}
	cutJournal, cutErr := disk.cutJournals()
	if cutErr != nil {
		return false, cutErr
	}
	if cutJournal {
		db.ldb, err = leveldb.Open(db.files, o)
	}
	return true, err
}

// A disk is storage that outlives the process; a folder is.
type disk interface {
	// finished reports whether a database was ever complete there.
	finished() bool
	settleManifest() (cut bool, err error)
	cutJournals() (cut bool, err error)
}

// formatName is the value of m/format.
const formatName = "namecast store 1"

// load reads where the database is, or makes a new one's first entries.
func (db *DB) load(cut bool) (state, error) {
	format, err := db.ldb.Get(keyFormat, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return db.create()
	}
	if err != nil {
		return state{}, err
	}
	if !bytes.Equal(format, []byte(formatName)) {
		return state{}, formatError(string(format))
	}
	if err := db.unrestore(); err != nil {
		return state{}, err
	}
	b, err := db.ldb.Get(keyState, nil)
	if err != nil {
		return state{}, err
	}
	st, err := parseState(b)
	if err != nil {
		return state{}, err
	}
	from := st.Position // its last entry is enough
	if cut {
		from = 0
	}
	return st, checkLog(db.ldb, st, from)
}

// formatError is about a format that is not ours.
func formatError(found string) error {
	return fmt.Errorf("%w: it is a %.40q, this program knows %q", store.ErrFormat, found, formatName)
}

// create writes the first entries into a database that must be empty.
func (db *DB) create() (state, error) {
	if d, ok := db.files.(disk); ok && d.finished() {
		return state{}, fmt.Errorf("%w: everything is missing from it", store.ErrDamaged)
	}
	it := db.ldb.NewIterator(nil, nil)
	defer it.Release()
	if it.Next() {
		return state{}, fmt.Errorf("%w: not a namecast database", store.ErrDamaged)
	}
	if err := it.Error(); err != nil {
		return state{}, err
	}
	st := state{LogStart: 1}
	var b leveldb.Batch
	b.Put(keyFormat, []byte(formatName))
	b.Put(keyState, st.append(nil))
	return st, db.ldb.Write(&b, synced)
}
