package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// A Record is one write in the log of a chain: all of it takes effect, or none.
type Record struct {
	LSN     LSN
	Epoch   Epoch // in which the head numbered it
	Request RequestID
	// Base is an LSN that the client knew to be committed when it made the
	// request. A record takes effect only if its LSN is at most Base+[Window].
	Base  LSN
	Conds []Cond
	Ops   []Op
	Hash  Hash // of the record before it and of this one's other fields
}

// Window is how many records a chain remembers requests for. A request comes
// to nothing when it gets a higher LSN than Base+Window, so a retry is found
// among what is remembered or takes no effect.
const Window = 65536

// A Cond is a condition on one key of the chain, evaluated when the record is
// applied.
type Cond struct {
	Kind    CondKind
	Key     []byte
	Version LSN // with AtVersion
}

// A CondKind says what a condition asks of its key.
type CondKind uint8

// The kinds of conditions. The version of a key is the LSN of the record that
// put it; that of a key that is not there is 0.
const (
	AtVersion CondKind = 1 // the key's version is Version
	Exists    CondKind = 2 // the key is there, at any version
)

// An Op puts or deletes one key.
type Op struct {
	Kind  OpKind
	Key   []byte
	Value []byte // with Put
}

// An OpKind says what an operation does.
type OpKind uint8

// The kinds of operations.
const (
	Put    OpKind = 1
	Delete OpKind = 2
)

// An Outcome is what came of a record when it was applied. It is the same at
// every member.
type Outcome struct {
	Verdict Verdict
	// LSN is that of the record; with Duplicate, of the one that counts.
	LSN LSN
	// Cond is the first condition that did not hold, counted from 0, and Version
	// its key's version then; with Conflict.
	Cond    uint32
	Version LSN
}

// A Verdict says whether a record took effect.
type Verdict uint8

// The verdicts.
const (
	Applied   Verdict = 1 // it took effect
	Conflict  Verdict = 2 // a condition did not hold
	Expired   Verdict = 3 // it came more than Window records after its Base
	Duplicate Verdict = 4 // its request is in the log already; that one counts
)

// An Item is a key, its value and its version, as snapshots carry them.
type Item struct {
	Key     []byte
	Value   []byte
	Version LSN
}

// A Remembered request is one that snapshots carry, so that a retry is known
// at every member.
type Remembered struct {
	Request RequestID
	Outcome Outcome
}

// Size is what a record counts for in limits, octets.
func (r *Record) Size() int {
	n := 64
	for i := range r.Conds {
		n += 16 + len(r.Conds[i].Key)
	}
	for i := range r.Ops {
		n += 16 + len(r.Ops[i].Key) + len(r.Ops[i].Value)
	}
	return n
}

// Check reports with ErrRecord what no chain can take: no operation, an unknown
// kind, or more than the limits.
func Check(conds []Cond, ops []Op) error {
	if len(ops) == 0 || len(conds)+len(ops) > MaxParts {
		return fmt.Errorf("%w: %d conditions and %d operations", ErrRecord, len(conds), len(ops))
	}
	for i, c := range conds {
		if c.Kind != AtVersion && c.Kind != Exists || len(c.Key) > MaxKey {
			return fmt.Errorf("%w: condition %d", ErrRecord, i)
		}
	}
	for i, o := range ops {
		if o.Kind != Put && o.Kind != Delete || len(o.Key) > MaxKey || len(o.Key)+len(o.Value) > MaxItem {
			return fmt.Errorf("%w: operation %d", ErrRecord, i)
		}
	}
	if r := (Record{Conds: conds, Ops: ops}); r.Size() > MaxRecord {
		return fmt.Errorf("%w: %d octets", ErrRecord, r.Size())
	}
	return nil
}

// Sum is the hash that the record has after a log that ends in prev: that of
// prev and of the record's fields, each with its length before it where that
// varies.
func (r *Record) Sum(prev Hash) Hash {
	b := make([]byte, 0, r.Size()+64)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.LSN))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Epoch))
	b = append(b, r.Request[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Base))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Conds)))
	for i := range r.Conds {
		c := &r.Conds[i]
		b = append(b, byte(c.Kind))
		b = appendOctets(b, c.Key)
		b = binary.BigEndian.AppendUint64(b, uint64(c.Version))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Ops)))
	for i := range r.Ops {
		o := &r.Ops[i]
		b = append(b, byte(o.Kind))
		b = appendOctets(b, o.Key)
		b = appendOctets(b, o.Value)
	}
	sum := sha256.Sum256(b)
	return Hash(sum[:16])
}

func appendOctets(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
