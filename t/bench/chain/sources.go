package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"

	"namecast/lib/chain"
)

// valueSize is how many octets every value has that is written here; the CRAQ
// paper has as many.
const valueSize = 500

// newValue makes a value that does not compress.
func newValue() []byte {
	v := make([]byte, valueSize)
	for i := 0; i < len(v); i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], rand.Uint64())
		copy(v[i:], word[:])
	}
	return v
}

// newRequest draws a request's name.
func newRequest() (q chain.RequestID) {
	binary.LittleEndian.PutUint64(q[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(q[8:], rand.Uint64())
	return q
}

// A reader reads one key, again and again.
type reader struct {
	chain chain.ID
	key   []byte
}

func (r reader) next(_ int, id uint64) chain.Envelope {
	return chain.Envelope{Chain: r.chain, Body: chain.Read{ID: id, Mode: chain.Strong, Keys: [][]byte{r.key}}}
}

func (r reader) judge(_ int, m chain.Message) bool {
	a, ok := m.(chain.ReadReply)
	return ok && a.Status == chain.Done && len(a.Values) == 1 && a.Values[0].Found && len(a.Values[0].Data) == valueSize
}

// A writer replaces the values of keys, each slot its own, in chains by turns.
type writer struct {
	chains []chain.ID
	bases  map[chain.ID]chain.LSN // committed, by chain
	key    []byte                 // of all slots; nil gives each its own
	cond   bool                   // each write is on the condition that the key is as the slot has left it

	value []byte
	slots []written
}

// written is what a slot of a writer has under way.
type written struct {
	chain   chain.ID
	turn    int
	version map[chain.ID]chain.LSN
}

func newWriter(window int, bases map[chain.ID]chain.LSN, chains ...chain.ID) *writer {
	w := &writer{chains: chains, bases: bases, value: newValue(), slots: make([]written, window)}
	for i := range w.slots {
		w.slots[i] = written{turn: i, version: map[chain.ID]chain.LSN{}}
	}
	return w
}

func (w *writer) next(i int, id uint64) chain.Envelope {
	s := &w.slots[i]
	s.turn++
	s.chain = w.chains[s.turn%len(w.chains)]
	key := w.key
	if key == nil {
		key = append([]byte("bench/w"), byte(i>>8), byte(i))
	}
	m := chain.Propose{ID: id, Request: newRequest(), Base: w.bases[s.chain], Ops: []chain.Op{{Kind: chain.Put, Key: key, Value: w.value}}}
	if version, ok := s.version[s.chain]; w.cond && ok {
		m.Conds = []chain.Cond{{Kind: chain.AtVersion, Key: key, Version: version}}
	}
	return chain.Envelope{Chain: s.chain, Body: m}
}

func (w *writer) judge(i int, m chain.Message) bool {
	a, ok := m.(chain.ProposeReply)
	if !ok || a.Status != chain.Done || a.Outcome.Verdict != chain.Applied {
		return false
	}
	s := &w.slots[i]
	s.version[s.chain] = a.Outcome.LSN
	w.bases[s.chain] = max(w.bases[s.chain], a.Outcome.LSN)
	return true
}

// readKey is the key that readers read.
var readKey = bytes.Clone([]byte("bench/read"))
