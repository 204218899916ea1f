package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"iter"

	"namecast/lib/rr"
)

// A backup is a stream that any store can write and any can restore:
//
//	namecast backup 1\n
//	entry*
//
// and an entry is
//
//	tag, 1 octet | length, varint | payload | CRC-32C of all before it, 4 octets, low octet first
//
// with the tags
//
//	p  position, varint              the first entry
//	a  head (AppendHead)             ordered by account name
//	r  RRset (AppendSet)             of the head before it
//	k  account, key name             a key that a rekey brought; two texts
//	o  domain (a text), claim (AppendClaim)
//	z  number of entries, varint; SHA-256 of the stream up to this entry
//
// The end entry is the last thing in the stream.
const (
	backupMagic   = "namecast backup "
	backupVersion = "1\n"
	maxEntry      = 64 << 20 // octets in a payload
)

const (
	tagPosition = 'p'
	tagHead     = 'a'
	tagSet      = 'r'
	tagKey      = 'k'
	tagClaim    = 'o'
	tagEnd      = 'z'
)

// RestoreGap is how far beyond the backup's position a restored store begins.
// What was committed after the backup is gone, but its positions were seen: as
// zone serials, and by readers of the feed. They are not given out again unless
// there were more than these.
const RestoreGap = 1 << 24

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Contents is a view that can also list what no head leads to.
type Contents interface {
	View
	// Claims yields every domain that was ever claimed, ordered by name.
	Claims() iter.Seq2[DomainClaim, error]
	// Keys yields every key that a rekey brought, ordered by name.
	Keys() iter.Seq2[AccountKey, error]
}

// A DomainClaim is a domain with its state.
type DomainClaim struct {
	Domain rr.Name
	Claim  Claim
}

// An AccountKey is the name of a key that a rekey brought, and its account.
type AccountKey struct{ KeyID, Account string }

// WriteBackup writes what the view holds. It stops when ctx ends.
func WriteBackup(ctx context.Context, v Contents, w io.Writer) error {
	b := &backupWriter{ctx: ctx, sum: sha256.New()}
	b.w = bufio.NewWriterSize(w, 1<<16)
	b.raw([]byte(backupMagic + backupVersion))
	b.entry(tagPosition, binary.AppendUvarint(nil, uint64(v.Position())))
	for h, err := range v.Accounts() {
		b.fail(err)
		b.account(v, h)
		if b.err != nil {
			break
		}
	}
	for k, err := range v.Keys() {
		b.fail(err)
		b.entry(tagKey, appendText(appendText(b.buf[:0], k.Account), k.KeyID))
		if b.err != nil {
			break
		}
	}
	for c, err := range v.Claims() {
		b.fail(err)
		b.entry(tagClaim, AppendClaim(appendText(b.buf[:0], c.Domain), c.Claim))
		if b.err != nil {
			break
		}
	}
	b.entry(tagEnd, b.sum.Sum(binary.AppendUvarint(nil, b.entries)))
	if b.err == nil {
		b.err = b.w.Flush()
	}
	if b.err != nil {
		return fmt.Errorf("write backup: %w", b.err)
	}
	return nil
}

type backupWriter struct {
	ctx     context.Context
	w       *bufio.Writer
	sum     hash.Hash
	buf     []byte // for payloads
	entries uint64
	err     error
}

func (b *backupWriter) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *backupWriter) account(v View, h Head) {
	b.buf = AppendHead(b.buf[:0], h)
	b.entry(tagHead, b.buf)
	if b.err != nil {
		return
	}
	for s, err := range v.Sets(h.Account, "") {
		b.fail(err)
		b.buf = AppendSet(b.buf[:0], s)
		b.entry(tagSet, b.buf)
		if b.err != nil {
			return
		}
	}
}

func (b *backupWriter) entry(tag byte, payload []byte) {
	if b.err == nil {
		b.err = b.ctx.Err()
	}
	head := binary.AppendUvarint([]byte{tag}, uint64(len(payload)))
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, payload)
	b.raw(head)
	b.raw(payload)
	b.raw(binary.LittleEndian.AppendUint32(nil, sum))
	b.entries++
}

func (b *backupWriter) raw(p []byte) {
	if b.err == nil {
		b.sum.Write(p)
		_, b.err = b.w.Write(p)
	}
}
