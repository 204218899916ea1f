package craq

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"namecast/lib/chain"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// What keys begin with, and what follows an account's name in its own keys.
const (
	prefixAccount = "a/"
	prefixReserve = "k/"
	prefixClaim   = "o/"
	accountKey    = "\x00k/"
	accountSet    = "\x00r/"
	keyRestore    = "m/restore"
)

// chainOf gives the chain of an account, a key or a domain.
func chainOf(name string) chain.ID {
	sum := sha256.Sum256([]byte(name))
	return chain.ID(sum[0])
}

func headKey(account string) []byte { return []byte(prefixAccount + account + "\x00") }
func keyKey(account, keyID string) []byte {
	return []byte(prefixAccount + account + accountKey + keyID)
}
func reserveKey(keyID string) []byte { return []byte(prefixReserve + keyID) }
func claimKey(domain rr.Name) []byte { return []byte(prefixClaim + string(domain)) }

func setKey(account string, owner rr.Name, t rr.Type) []byte {
	return store.AppendSetKey([]byte(prefixAccount+account+accountSet), owner, t)
}

// appendHead appends a head's value: the spelling of what is deleted with it,
// and the head.
func appendHead(b []byte, h store.Head, deleted []store.SetKey) []byte {
	n := 0
	var spelled []byte
	for i, k := range deleted {
		if k.Owner != k.Owner.Lower() {
			n++
			spelled = binary.AppendUvarint(spelled, uint64(i))
			spelled = binary.AppendUvarint(spelled, uint64(len(k.Owner)))
			spelled = append(spelled, k.Owner...)
		}
	}
	b = append(binary.AppendUvarint(b, uint64(n)), spelled...)
	return store.AppendHead(b, h)
}

// parseHead reads a head's value, and spells the deleted owners as it says.
// Without deleted it gives the head alone.
func parseHead(b []byte, deleted []store.SetKey) (store.Head, error) {
	n, b, ok := cutNumber(b)
	for ; ok && n > 0; n-- {
		var i, size uint64
		i, b, ok = cutNumber(b)
		if ok {
			size, b, ok = cutNumber(b)
		}
		if ok = ok && size <= uint64(len(b)); !ok {
			break
		}
		owner := rr.Name(b[:size])
		b = b[size:]
		if deleted == nil {
			continue
		}
		if ok = i < uint64(len(deleted)) && owner.Lower() == deleted[i].Owner; ok {
			deleted[i].Owner = owner
		}
	}
	if !ok {
		return store.Head{}, fmt.Errorf("%w: head in an unknown form", store.ErrDamaged)
	}
	return store.ParseHead(b)
}

func cutNumber(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// changeOps gives what a change does to the keys of its account's chain.
// ErrBadChange if an RRset, or all of it, is more than a record takes.
func changeOps(c *store.Change, brings bool) ([]chain.Op, error) {
	h := &c.Head
	ops := make([]chain.Op, 0, 2+len(c.Put)+len(c.Delete))
	put := func(key, value []byte) { ops = append(ops, chain.Op{Kind: chain.Put, Key: key, Value: value}) }
	put(headKey(h.Account), appendHead(nil, *h, c.Delete))
	if brings {
		put(keyKey(h.Account, h.KeyID), nil)
	}
	for _, s := range c.Put {
		put(setKey(h.Account, s.Owner, s.Type), store.AppendRecords(nil, s))
	}
	for _, k := range c.Delete {
		ops = append(ops, chain.Op{Kind: chain.Delete, Key: setKey(h.Account, k.Owner, k.Type)})
	}
	if err := fits(ops); err != nil {
		return nil, err
	}
	return ops, nil
}

// condRoom is what the conditions of a record may take, in octets.
const condRoom = 4096

// fits reports with ErrBadChange what a record does not take.
func fits(ops []chain.Op) error {
	rec := chain.Record{Ops: ops}
	if err := chain.Check(nil, ops); err != nil || rec.Size() > chain.MaxRecord-condRoom {
		return fmt.Errorf("%w: an RRset of more than %d octets, or a change of more than %d",
			store.ErrBadChange, chain.MaxItem, chain.MaxRecord-condRoom)
	}
	return nil
}

// A reader makes of operations, or of items, what they do to the replica.
type reader struct {
	f       leveldb.Followed
	head    []byte // value of a head
	account string
	change  store.Change
	any     bool // there is something of an account
}

// readRecord gives what a record did that took effect, or ErrDamaged if it has
// what only a newer program can read.
func readRecord(id chain.ID, rec *chain.Record) (leveldb.Followed, error) {
	r := reader{f: leveldb.Followed{Chain: uint8(id), Place: place(rec.LSN, rec.Hash)}}
	for i := range rec.Ops {
		if err := r.op(&rec.Ops[i]); err != nil {
			return leveldb.Followed{}, fmt.Errorf("chain %d: LSN %d: %w", id, rec.LSN, err)
		}
	}
	if err := r.end(); err != nil {
		return leveldb.Followed{}, fmt.Errorf("chain %d: LSN %d: %w", id, rec.LSN, err)
	}
	return r.f, nil
}

func place(lsn chain.LSN, h chain.Hash) leveldb.Place {
	return leveldb.Place{LSN: uint64(lsn), Hash: h}
}

// op takes one operation in.
func (r *reader) op(op *chain.Op) error {
	key, del := string(op.Key), op.Kind == chain.Delete
	switch {
	case strings.HasPrefix(key, prefixAccount):
		return r.own(key[len(prefixAccount):], op.Value, del)
	case strings.HasPrefix(key, prefixReserve):
		return nil
	case strings.HasPrefix(key, prefixClaim) && !del:
		return r.claim(rr.Name(key[len(prefixClaim):]), op.Value)
	case key == keyRestore:
		return r.restore(op.Value, del)
	}
	return fmt.Errorf("%w: %.64q", errForm, key)
}

var errForm = fmt.Errorf("%w: a key in an unknown form", store.ErrDamaged)

// own takes what is an account's own.
func (r *reader) own(key string, value []byte, del bool) error {
	account, rest, found := strings.Cut(key, "\x00")
	if !found || account == "" || r.any && account != r.account {
		return errForm
	}
	r.account, r.any = account, true
	rest = "\x00" + rest
	switch {
	case rest == "\x00" && !del:
		r.head = value
	case strings.HasPrefix(rest, accountKey) && !del:
		r.f.Keys = append(r.f.Keys, rest[len(accountKey):])
	case strings.HasPrefix(rest, accountSet):
		owner, t, err := store.ParseSetKey(rest[len(accountSet):])
		if err != nil {
			return err
		}
		if del {
			r.change.Delete = append(r.change.Delete, store.SetKey{Owner: owner, Type: t})
			return nil
		}
		set, err := store.ParseRecords(value, owner, t)
		if err != nil {
			return err
		}
		r.change.Put = append(r.change.Put, set)
	default:
		return errForm
	}
	return nil
}

func (r *reader) claim(domain rr.Name, value []byte) error {
	c, err := store.ParseClaim(value)
	if err != nil {
		return err
	}
	if c.Version == 0 || c.Check(domain, c.Version-1) != nil {
		return fmt.Errorf("%w: claim of %q", store.ErrDamaged, string(domain))
	}
	r.f.Domain, r.f.Claim = domain, &c
	return nil
}

func (r *reader) restore(value []byte, del bool) error {
	if del {
		r.f.Notes = append(r.f.Notes, leveldb.Note{Name: noteRestore})
		return nil
	}
	m, err := parseMark(value)
	if err != nil {
		return err
	}
	r.f.Notes = append(r.f.Notes, leveldb.Note{Name: noteRestore, Value: value})
	r.f.Base = m.base()
	return nil
}

// end puts together what belongs to an account.
func (r *reader) end() error {
	if !r.any {
		return nil
	}
	c := &r.change
	c.Head.Account = r.account
	if r.head != nil {
		h, err := parseHead(r.head, c.Delete)
		if err != nil {
			return err
		}
		c.Head, c.From = h, h.Version-1
		if err := c.Check(); err != nil || h.Account != r.account {
			return fmt.Errorf("%w: change of account %q: %v", store.ErrDamaged, r.account, err)
		}
	}
	r.f.Change = c
	return nil
}
