package leveldb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Place is how far a database has followed one chain: the last record that it
// has, and what stands for that record and all before it.
type Place struct {
	LSN  uint64
	Hash [16]byte
}

// noPlace is the place in a chain of which a copy is under way. No log has this
// hash before its first record, so whoever goes on from there gets a copy.
var noPlace = Place{Hash: [16]byte{0: 0xff, 15: 0xff}}

// A Followed is what one record of a chain did: nothing, or something to an
// account, to a domain, or to what is noted beside them.
type Followed struct {
	Chain uint8
	Place Place // of the record

	// Change is what it did to an account. The change's From is not looked at. A
	// head of version 0, of which only the account's name counts, leaves the
	// head as it is: the records are there, but do not count until a head comes.
	Change *store.Change
	Keys   []string // keys that a rekey made the account's

	Domain rr.Name
	Claim  *store.Claim

	Notes []Note
	// Base, unless it is 0, is what positions count from: see [DB.Follow].
	Base uint64
}

// A Note is a value that is kept for whoever follows the chain. A nil value
// takes the note away.
type Note struct {
	Name  string
	Value []byte
}

// A Held is what a database knows of an account or a claim by its chain. The
// zero Held is that of one that is not there.
type Held struct {
	LSN     uint64 // of the record that put the head or the claim
	Version uint64 // of the head or the claim
}

// follower is what a database that follows chains has in memory.
type follower struct {
	mu     sync.Mutex
	places [256]Place
}

// Keys of a database that follows chains.
const (
	prefixPlace = "m/feed/"
	prefixHeld  = "v/" // chain, 1 octet | 'a' account or 'o' domain -> LSN, version
	prefixNote  = "n/"
)

var (
	keyFollow = []byte("m/follow") // -> the service's name
	keyBase   = []byte("m/base")   // -> what positions count from
)

// Kinds of things that have a Held.
const (
	heldAccount = 'a'
	heldClaim   = 'o'
)

// Place gives how far the database has followed a chain. A place of LSN 0 with a
// hash that is not zero stands for one that no log has: who subscribes with it
// gets a copy.
func (db *DB) Place(chain uint8) Place {
	db.follower.mu.Lock()
	defer db.follower.mu.Unlock()
	return db.follower.places[chain]
}

// setPlace is told of what was written.
func (f *follower) setPlace(chain uint8, p Place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places[chain] = p
}

// Account gives what the database knows of an account of a chain.
func (db *DB) Account(chain uint8, account string) (Held, error) {
	return db.held(heldKey(nil, chain, heldAccount, account))
}

// Claimed gives what the database knows of a domain's claim, of a chain.
func (db *DB) Claimed(chain uint8, domain rr.Name) (Held, error) {
	return db.held(heldKey(nil, chain, heldClaim, string(domain)))
}

func (db *DB) held(key []byte) (Held, error) {
	v, err := db.follows(key)
	if v == nil || err != nil {
		return Held{}, err
	}
	h, err := parseHeld(v)
	if err != nil {
		return Held{}, db.readError(err)
	}
	return h, nil
}

// Note gives the value of a note, nil if it is not there.
func (db *DB) Note(name string) ([]byte, error) { return db.follows(joinKey(prefixNote, name)) }

// follows reads a value as it is now.
func (db *DB) follows(key []byte) ([]byte, error) {
	s, _, err := db.use()
	if err != nil {
		return nil, err
	}
	defer db.unuse(s, nil)
	v, err := s.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, db.readError(err)
	}
	return v, nil
}

// Follow makes what records of chains did durable, with the chains' places, in
// the order in which they are given, and gives the position after each. Of one
// chain the records come without a gap. What is much takes several writes, each
// with one fsync; if there is an error, the beginning may be there.
//
// Every change and claim adds to the position by how much it adds to its
// object's version: so, while the chains have lost nothing, the position is the
// sum of the versions of all accounts and claims, and of the base. Two databases
// that hold the same have the same position, however they came to it. A step of
// one version is an event for the feed; one of more, as copies make, is a gap
// over which no feed goes.
func (db *DB) Follow(ctx context.Context, records []Followed) ([]store.Position, error) {
	positions := make([]store.Position, 0, len(records))
	for len(positions) < len(records) {
		rest := records[len(positions):]
		err := db.send(ctx, &request{done: make(chan struct{}), alone: func(w *writer) error {
			some, err := w.follow(rest)
			positions = append(positions, some...)
			return err
		}})
		if err != nil {
			return positions, err
		}
	}
	return positions, nil
}

// follow writes as many of the records as make one batch.
func (w *writer) follow(records []Followed) (positions []store.Position, err error) {
	w.batch.reset()
	b := &w.batch
	for i := range records {
		if err := b.followed(&records[i]); err != nil {
			return nil, err
		}
		positions = append(positions, b.state.Position)
		if b.steps++; b.steps >= maxBatchSteps || b.octets >= maxBatchOctets {
			break
		}
	}
	return positions, w.writeFollowed()
}

// writeFollowed writes the batch and tells of what it changed.
func (w *writer) writeFollowed() error {
	if err := w.write(); err != nil {
		return err
	}
	for chain, p := range w.batch.places {
		w.db.follower.setPlace(chain, p)
	}
	for _, t := range w.batch.touched {
		w.db.changed(t, w.state.Position)
	}
	return nil
}

func heldKey(b []byte, chain uint8, kind byte, name string) []byte {
	b = append(append(b, prefixHeld...), chain, kind)
	return append(b, name...)
}

func appendHeld(b []byte, h Held) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, h.LSN), h.Version)
}

func parseHeld(b []byte) (h Held, err error) {
	var ok1, ok2 bool
	h.LSN, b, ok1 = uvarint(b)
	h.Version, b, ok2 = uvarint(b)
	if !ok1 || !ok2 || len(b) > 0 {
		return Held{}, fmt.Errorf("%w: version in an unknown form", store.ErrDamaged)
	}
	return h, nil
}

func placeKey(chain uint8) []byte { return append([]byte(prefixPlace), chain) }

func (p Place) append(b []byte) []byte {
	return append(binary.AppendUvarint(b, p.LSN), p.Hash[:]...)
}

func parsePlace(b []byte) (p Place, err error) {
	lsn, rest, ok := uvarint(b)
	if !ok || len(rest) != len(p.Hash) {
		return Place{}, fmt.Errorf("%w: place in an unknown form", store.ErrDamaged)
	}
	return Place{LSN: lsn, Hash: [16]byte(rest)}, nil
}

// loadFollower reads where a database is that follows chains, or refuses one
// that is kept for something else.
func (db *DB) loadFollower() error {
	name, err := db.ldb.Get(keyFollow, nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		name = nil
	case err != nil:
		return err
	}
	switch {
	case string(name) == db.opts.Follow:
	case name == nil:
		return fmt.Errorf("%w: it is a database of its own, and follows no service's storage", store.ErrOtherUse)
	case db.opts.Follow == "":
		return fmt.Errorf("%w: it follows the storage of service %q", store.ErrOtherUse, name)
	default:
		return fmt.Errorf("%w: it follows the storage of service %q, not of %q", store.ErrOtherUse, name, db.opts.Follow)
	}
	it := db.ldb.NewIterator(util.BytesPrefix([]byte(prefixPlace)), uncached)
	defer it.Release()
	for it.Next() {
		p, err := parsePlace(it.Value())
		if err != nil || len(it.Key()) != len(prefixPlace)+1 {
			return fmt.Errorf("%w: place in an unknown form", store.ErrDamaged)
		}
		db.follower.places[it.Key()[len(prefixPlace)]] = p
	}
	return it.Error()
}

// Keep puts notes.
func (db *DB) Keep(ctx context.Context, notes ...Note) error {
	return db.send(ctx, &request{done: make(chan struct{}), alone: func(w *writer) error {
		w.batch.reset()
		w.batch.notes(notes)
		return w.writeFollowed()
	}})
}
