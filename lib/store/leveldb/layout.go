package leveldb

import (
	"encoding/binary"
	"fmt"
	"strings"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// The first two octets of every key say what it holds.
const (
	prefixHead  = "a/"
	prefixKey   = "k/"
	prefixClaim = "o/"
	prefixSet   = "r/"
	prefixLog   = "l/"
)

// Keys that stand alone.
var (
	keyFormat    = []byte("m/format")
	keyState     = []byte("m/state")
	keyRestoring = []byte("m/restoring")
)

var errKey = fmt.Errorf("%w: key in an unknown form", store.ErrDamaged)

// endOctet ends an account's name in the keys of its RRsets, and what
// store.AppendSetKey puts into them.
const endOctet = 0x00

func joinKey(prefix, name string) []byte {
	return append(append(make([]byte, 0, len(prefix)+len(name)), prefix...), name...)
}

func logKey(p store.Position) []byte { return appendLogKey(nil, p) }

func appendLogKey(b []byte, p store.Position) []byte {
	return binary.BigEndian.AppendUint64(append(b, prefixLog...), uint64(p))
}

// appendNode appends the part of the key that all RRsets at and below the owner
// name share.
func appendNode(b []byte, account string, owner rr.Name) []byte {
	return store.AppendNode(appendAccount(b, account), owner)
}

func appendAccount(b []byte, account string) []byte {
	b = append(b, prefixSet...)
	b = append(b, account...)
	return append(b, endOctet)
}

func appendSetKey(b []byte, account string, owner rr.Name, t rr.Type) []byte {
	return store.AppendSetKey(appendAccount(b, account), owner, t)
}

// parseSetKey takes the key of an RRset apart; the owner is in lower case.
func parseSetKey(key []byte) (account string, owner rr.Name, t rr.Type, err error) {
	rest, ok := strings.CutPrefix(string(key), prefixSet)
	account, rest, found := strings.Cut(rest, string(rune(endOctet)))
	if !ok || !found || account == "" {
		return "", "", 0, errKey
	}
	owner, t, err = store.ParseSetKey(rest)
	return account, owner, t, err
}

// after gives the first key that is above every key with the prefix; the
// prefix's last octet must be below 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}
