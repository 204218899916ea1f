// Package store is the contract between the rooms that use accounts and the
// rooms that keep them.
//
// The object is the account. One change is a conditional, atomic, durable step
// of one account from one version to the next, written as a delta: its cost
// follows the change, not the size of the account. Package storetest holds the
// conformance suite that every implementation runs.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"namecast/lib/rr"
)

// What a store answers when it does not do as it was asked.
var (
	// ErrNotFound: no such account, key or domain.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: the store cannot serve now; the same call may succeed later.
	// A change may have been made all the same, or may yet: see [Store.Commit].
	ErrUnavailable = errors.New("storage unavailable")
	// ErrKeyTaken: the change brings in a key that is, or ever was, some account's.
	ErrKeyTaken = errors.New("key already belongs to an account")
	// ErrTooOld: the feed no longer reaches back to the position; take a snapshot.
	ErrTooOld = errors.New("position too old")
	// ErrLocked: another process owns the database.
	ErrLocked = errors.New("in use by another process")
	// ErrDamaged: the database or the backup does not hold together.
	ErrDamaged = errors.New("damaged")
	// ErrNotEmpty: a restore would overwrite accounts.
	ErrNotEmpty = errors.New("not empty")
	// ErrBadChange: a change or claim that no store can take; see [Change.Check].
	ErrBadChange = errors.New("change does not hold together")
	// ErrOtherUse: the database is kept for another purpose.
	ErrOtherUse = errors.New("kept for another purpose")
	// ErrFormat: the database or the backup is of a newer program.
	ErrFormat = errors.New("format of a newer program")
)

// A Conflict says that the object moved on; Version is where it is now.
type Conflict struct{ Version uint64 }

func (c Conflict) Error() string { return fmt.Sprintf("conflict: now at version %d", c.Version) }

// A Position orders committed changes. The first change has position 1; an
// empty store is at position 0. Positions never go back, also over a restore.
type Position uint64

// A Head is all of an account but its records.
type Head struct {
	Account  string   // the account's name: one lower-case DNS label, 32 or 40 characters
	Version  uint64   // counts commits from 1; 0 is an account that does not exist
	Created  int64    // Unix seconds
	KeyID    string   // the name that the present key would give; equals Account until the first rekey
	Key      []byte   // the present public key, as key.Public.Bytes gives it
	NextSeq  int64    // the sequence number expected next
	LastHash [32]byte // SHA-256 of the last accepted request
	Domains  []Domain // owned domains, in the order they were claimed
	Records  int      // records held, for the quota
	Bytes    int      // the sum of rr.Set.Size, for the quota
}

// A Domain is one that an account owns and its records are served below.
type Domain struct {
	Name    rr.Name // lower case
	Contact rr.Name // RNAME of the SOA record
	TTL     uint32  // TTL of the SOA record, seconds
}

// Owns reports whether the head lists the domain.
func (h Head) Owns(domain rr.Name) bool {
	for _, d := range h.Domains {
		if d.Name == domain {
			return true
		}
	}
	return false
}

// A Claim is the state of one domain's own object. A claim is written before
// the account's change that lists the domain; until that change is committed
// the previous owner goes on being served.
type Claim struct {
	Version  uint64 // counts writes from 1; 0 is a domain that nobody claimed
	Account  string
	Previous string // the owner before, "" if there was none
}

// A Change takes one account from version From to From+1.
type Change struct {
	Head   Head     // the new head; Head.Version is From+1
	From   uint64   // 0 creates the account
	Put    []rr.Set // RRsets that replace those of the same owner and type
	Delete []SetKey // RRsets that go away
}

// A SetKey names an RRset of an account. Owner is relative, in any case.
type SetKey struct {
	Owner rr.Name
	Type  rr.Type
}

// An Event is one committed step as the feed gives it: either a change of an
// account or a claim of a domain.
type Event struct {
	Position Position
	Change   *Change
	Domain   rr.Name // with Claim
	Claim    *Claim
}

// A View is a consistent, read-only picture of the store at one position. It
// is for one goroutine at a time; Release it.
type View interface {
	// Position is that of the last change the view holds.
	Position() Position
	// Head returns an account by its name, or ErrNotFound.
	Head(account string) (Head, error)
	// HeadByKey returns the account to which a key belongs or ever belonged.
	// The key is dead if the head's KeyID is another. ErrNotFound if no account
	// ever had the key.
	HeadByKey(keyID string) (Head, error)
	// Node returns the RRsets at a relative owner name, ordered by type, and
	// whether the name exists: it has records or a name below it has.
	Node(account string, owner rr.Name) (sets []rr.Set, exists bool, err error)
	// Sets yields the RRsets at and below a relative owner name, a parent
	// before its children; the empty name yields the whole account.
	Sets(account string, under rr.Name) iter.Seq2[rr.Set, error]
	// Claim returns the state of a domain's object; a domain that nobody
	// claimed has the zero Claim. The name is in lower case.
	Claim(domain rr.Name) (Claim, error)
	// Accounts yields every head, ordered by name.
	Accounts() iter.Seq2[Head, error]
	// Release ends the view.
	Release()
}

// A Store keeps accounts. Its methods may be called by many goroutines.
type Store interface {
	// View opens a view of what is committed.
	View() (View, error)
	// Commit makes one change durable, all of it or nothing, and returns its
	// position. Conflict if the account is not at c.From; ErrKeyTaken if the
	// head brings a key that any account has or had. ErrUnavailable when the store
	// does not know that it was made, and the same may succeed later; it is never
	// made twice, since then the account is not at c.From any more. A store that
	// has its accounts on this machine alone has then changed nothing. Changes that
	// wait together are written together.
	Commit(ctx context.Context, c Change) (Position, error)
	// SetClaim makes a domain's new state durable if its object is at version
	// from; the new state's Version is from+1. Conflict if it is not.
	SetClaim(ctx context.Context, domain rr.Name, from uint64, c Claim) (Position, error)
	// Feed yields every event after a position, in order, and then waits for
	// more until ctx ends; an event with neither Change nor Claim is a heartbeat
	// that names the position known to be current. ErrTooOld if it cannot
	// resume from there.
	Feed(ctx context.Context, after Position) iter.Seq2[Event, error]
	// Backup writes the whole store, as of one position, while it serves.
	Backup(ctx context.Context, w io.Writer) error
	// Restore reads a backup into an empty store, all of it or nothing, or, in a
	// store that several nodes share, so that half of it serves nobody and the same
	// backup can finish it; ErrNotEmpty, or ErrDamaged if the stream is cut off or
	// altered.
	Restore(ctx context.Context, r io.Reader) error
	// Close ends the store after the commits under way.
	Close() error
}
