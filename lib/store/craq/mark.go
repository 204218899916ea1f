package craq

import (
	"encoding/binary"
	"fmt"

	"namecast/lib/chain"
	"namecast/lib/store"
)

// chainRestore is the chain that a restore's mark is on.
const chainRestore chain.ID = 0

// A mark says that a backup is being restored, or was: its SHA-256, and the base
// of positions once it was.
type mark struct {
	backup [32]byte
	done   bool
	start  uint64
}

// base is what the mark makes the base of positions; 0 if it does not yet.
func (m mark) base() uint64 {
	if !m.done {
		return 0
	}
	return m.start
}

func (m mark) append(b []byte) []byte {
	b = append(b, m.backup[:]...)
	if !m.done {
		return append(b, 0)
	}
	return binary.AppendUvarint(append(b, 1), m.start)
}

func parseMark(b []byte) (m mark, err error) {
	if len(b) > len(m.backup) {
		copy(m.backup[:], b)
		done, rest := b[len(m.backup)], b[len(m.backup)+1:]
		if done == 0 && len(rest) == 0 {
			return m, nil
		}
		start, rest, ok := cutNumber(rest)
		if m.done, m.start = true, start; done == 1 && ok && len(rest) == 0 {
			return m, nil
		}
	}
	return mark{}, fmt.Errorf("%w: mark of a restore in an unknown form", store.ErrDamaged)
}

// loadMark looks at what the replica has of a restore.
func (s *Store) loadMark() error {
	value, err := s.DB.Note(noteRestore)
	if err != nil {
		return err
	}
	var m mark
	if value != nil {
		if m, err = parseMark(value); err != nil {
			return err
		}
	}
	s.Suspend(value != nil && !m.done)
	return nil
}
