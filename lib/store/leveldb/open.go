package leveldb

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/ldb"
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

	// Follow is the name of the service whose storage the database follows: it
	// takes what [DB.Follow] and copies bring, and no changes of its own. A
	// database is made for one service, or for none, and refused for another use
	// with store.ErrOtherUse.
	Follow string

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
	return o
}

// Open opens the database in the folder dir and makes it if it is not there; the
// folder above must be. The errors are store.ErrLocked if another process has
// it, store.ErrFormat if a newer program wrote it, store.ErrDamaged if it does
// not hold together or the folder holds something else, and else what the
// operating system says.
func Open(dir string, o Options) (*DB, error) {
	files, err := ldb.OpenFolder(dir, formatName)
	if err != nil {
		return nil, openError(dir, err)
	}
	db, err := openStorage(dir, files, o)
	if err != nil {
		return nil, openError(dir, err)
	}
	if err := files.Mark(); err != nil {
		db.Close()
		return nil, openError(dir, err)
	}
	return db, nil
}

func openError(dir string, err error) error {
	err = words(err)
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
	var cut bool
	var err error
	db.ldb, cut, err = ldb.Open(files, ldb.Options{Memory: o.Memory, WriteBuffer: o.WriteBuffer})
	if err != nil {
		files.Close()
		return nil, words(err)
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
func damage(err error) error { return words(ldb.Damage(err)) }

// words has an error of opening be what the store calls it too; its text is the
// same.
func words(err error) error {
	for ours, theirs := range map[error]error{
		store.ErrLocked: ldb.ErrLocked, store.ErrDamaged: ldb.ErrDamaged, store.ErrFormat: ldb.ErrFormat,
	} {
		if errors.Is(err, theirs) && !errors.Is(err, ours) {
			return word{err, ours}
		}
	}
	return err
}

// A word is an error that is also another.
type word struct {
	error
	also error
}

func (w word) Unwrap() []error { return []error{w.error, w.also} }

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
		return state{}, words(ldb.FormatError(string(format), formatName))
	}
	if err := db.loadFollower(); err != nil {
		return state{}, err
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

// create writes the first entries into a database that must be empty.
func (db *DB) create() (state, error) {
	if err := ldb.Fresh(db.ldb, db.files); err != nil {
		return state{}, words(err)
	}
	st := state{LogStart: 1}
	var b leveldb.Batch
	b.Put(keyFormat, []byte(formatName))
	b.Put(keyState, st.append(nil))
	if db.opts.Follow != "" {
		b.Put(keyFollow, []byte(db.opts.Follow))
	}
	return st, db.ldb.Write(&b, synced)
}
