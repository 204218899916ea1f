package disk

import (
	"encoding/binary"

	"namecast/lib/chain"
)

// The first octet of every key says what it holds.
const (
	kindEnd     = 'e'
	kindFormat  = 'f'
	kindItem    = 'k'
	kindRecord  = 'l'
	kindMeta    = 'm'
	kindOrder   = 'o'
	kindPlace   = 'p'
	kindOutcome = 'q'
)

// Keys that stand alone.
var (
	keyFormat = []byte{kindFormat}
	keyEnd    = []byte{kindEnd}
)

// endMark is what is put under keyEnd, the last thing in every write.
var endMark = []byte{1}

// ofGeneration are the kinds of keys that belong to a generation of a chain.
var ofGeneration = [...]byte{kindItem, kindRecord, kindOrder, kindOutcome}

// prefixSize is the length of what the keys of one generation begin with.
const prefixSize = 1 + 2 + 4

// appendChain appends the key of which a chain has only one.
func appendChain(b []byte, kind byte, id chain.ID) []byte {
	return binary.BigEndian.AppendUint16(append(b, kind), uint16(id))
}

// appendPrefix appends what the keys of one kind in one generation begin with.
func appendPrefix(b []byte, kind byte, id chain.ID, gen uint32) []byte {
	return binary.BigEndian.AppendUint32(appendChain(b, kind, id), gen)
}

// appendLSN appends the key of a record, or of a remembered request by its order.
func appendLSN(b []byte, kind byte, id chain.ID, gen uint32, lsn chain.LSN) []byte {
	return binary.BigEndian.AppendUint64(appendPrefix(b, kind, id, gen), uint64(lsn))
}

// appendItem appends the key of an item.
func appendItem(b []byte, id chain.ID, gen uint32, key []byte) []byte {
	return append(appendPrefix(b, kindItem, id, gen), key...)
}

// appendRequest appends the key of a remembered request by its number.
func appendRequest(b []byte, id chain.ID, gen uint32, q chain.RequestID) []byte {
	return append(appendPrefix(b, kindOutcome, id, gen), q[:]...)
}

// lsnOf is the LSN in a key that appendLSN made.
func lsnOf(key []byte) (lsn chain.LSN, ok bool) {
	if len(key) != prefixSize+8 {
		return 0, false
	}
	return chain.LSN(binary.BigEndian.Uint64(key[prefixSize:])), true
}
