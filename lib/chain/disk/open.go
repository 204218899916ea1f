package disk

import (
	"errors"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/chain"
	"namecast/lib/ldb"
)

// Errors of Open; ErrDamaged also of reading.
var (
	// ErrLocked: another process has the database.
	ErrLocked = ldb.ErrLocked
	// ErrDamaged: the database does not hold together, or the folder holds
	// something else.
	ErrDamaged = ldb.ErrDamaged
	// ErrFormat: a newer program wrote it.
	ErrFormat = ldb.ErrFormat
)

// formatName is the value of the format's entry, and the line in the file
// NAMECAST.
const formatName = "namecast chain 1"

// Options are what a disk is opened with. The zero value of each field is its
// default.
type Options struct {
	// Memory is how many octets of the machine's memory the database may take,
	// for items that were read lately, blocks of tables, their indexes and
	// filters, and what is not yet in a table; default 256 MiB, at least 64 MiB.
	// The database may be many times as large.
	Memory int64

	// Written, if it is not nil, is called when all of a chain's batches up to a
	// number are durable and can be read. Calls come one at a time, for each chain
	// in order. It runs on the goroutine that writes, and holds up every batch, so
	// it must be quick; it must not call Flush or Close.
	Written func(id chain.ID, seq uint64)

	writeBuffer int // octets that are written before they go to a table; 0 leaves it to Memory
}

// minMemory leaves the database ldb.MinMemory, in octets.
const minMemory = ldb.MinMemory / 3 * 4

// Open opens the database in the folder dir, and makes it if it is not there; the
// folder above must be. It verifies the logs of all chains, which takes about 1.2 µs
// of a processor for a record; see [Disk.Doubts]. The errors are ErrLocked,
// ErrFormat, ErrDamaged, and else what the operating system says.
func Open(dir string, o Options) (*Disk, error) {
	files, err := ldb.OpenFolder(dir, formatName)
	if err != nil {
		return nil, openError(dir, err)
	}
	d, err := openStorage(dir, files, o)
	if err != nil {
		return nil, openError(dir, err)
	}
	if err := files.Mark(); err != nil {
		d.Close()
		return nil, openError(dir, err)
	}
	return d, nil
}

// openError names the folder.
func openError(dir string, err error) error {
	return fmt.Errorf("open database %q: %w", dir, told(err))
}

// told has an error say what the operator can do about it, if it is damage.
func told(err error) error {
	if err = ldb.Damage(err); errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w%s", err, damageHint)
	}
	return ldb.Plain(err)
}

const damageHint = "; move the folder away and start again: the node comes back empty and copies its chains from the" +
	" others; keep the folder until every chain serves, it may hold the last copy of one"

// openStorage opens the database that files hold, and closes files on an error.
func openStorage(name string, files storage.Storage, o Options) (*Disk, error) {
	memory := max(o.Memory, minMemory)
	if o.Memory <= 0 {
		memory = ldb.DefaultMemory
	}
	// A quarter is for single items, half of it for the garbage collector.
	db, _, err := ldb.Open(files, ldb.Options{Memory: memory / 4 * 3, WriteBuffer: o.writeBuffer})
	if err != nil {
		files.Close()
		return nil, err
	}
	d := &Disk{
		name: name, opts: o, ldb: db, files: files, cache: newCache(memory / 8),
		failed: make(chan struct{}), closing: make(chan struct{}),
		wiped: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	if err := d.load(); err != nil {
		db.Close()
		files.Close()
		return nil, ldb.Damage(err)
	}
	d.running.Add(3)
	go (&committer{d: d}).run()
	go d.remove()
	go d.gather()
	return d, nil
}

// load reads where the chains stand, or makes a new database's first entry.
func (d *Disk) load() error {
	format, err := d.ldb.Get(keyFormat, nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		if err := d.create(); err != nil {
			return err
		}
	case err != nil:
		return err
	case string(format) != formatName:
		return ldb.FormatError(string(format), formatName)
	}
	return d.loadChains()
}

// create writes the first entry into a database that must be empty.
func (d *Disk) create() error {
	if err := ldb.Fresh(d.ldb, d.files); err != nil {
		return err
	}
	var b leveldb.Batch
	b.Put(keyFormat, []byte(formatName))
	b.Put(keyEnd, endMark)
	return d.ldb.Write(&b, synced)
}
