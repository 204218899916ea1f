package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"iter"
	"strings"

	"namecast/lib/rr"
)

// A Backup is a backup stream being read.
type Backup struct {
	r        *bufio.Reader
	sum      hash.Hash
	read     int64 // octets taken so far
	start    int64 // where the entry under way begins
	entries  uint64
	position Position
	account  string // of the last head
	payload  bytes.Buffer
}

// An Item is one thing in a backup; exactly one of Head, Set, Key and Claim is
// set.
type Item struct {
	Head    *Head
	Set     *rr.Set
	Account string // whose Set it is
	Key     *AccountKey
	Claim   *DomainClaim
}

// OpenBackup reads the beginning of a backup stream. ErrDamaged if it is none,
// ErrFormat if a newer program wrote it.
func OpenBackup(r io.Reader) (*Backup, error) {
	b := &Backup{r: bufio.NewReaderSize(r, 1<<16), sum: sha256.New()}
	if err := b.magic(); err != nil {
		return nil, err
	}
	tag, p, err := b.entry()
	if err != nil {
		return nil, err
	}
	d := decoder{s: string(p)}
	b.position = Position(d.uint())
	if tag != tagPosition || d.end("position") != nil {
		return nil, b.damaged("no position at the beginning")
	}
	return b, nil
}

func (b *Backup) magic() error {
	line, err := b.r.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && strings.HasPrefix(backupMagic+backupVersion, string(line)):
		return b.damaged("cut off")
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull):
		return fmt.Errorf("read backup: %w", err)
	}
	version, ok := strings.CutPrefix(string(line), backupMagic)
	if !ok {
		return b.damaged(fmt.Sprintf("it does not begin with %q", backupMagic))
	}
	if version != backupVersion {
		return fmt.Errorf("read backup: %w: it has format %.20q, this program reads %q",
			ErrFormat, strings.TrimSpace(version), strings.TrimSpace(backupVersion))
	}
	b.took(line)
	return nil
}

// Position is that of the last change the backup holds.
func (b *Backup) Position() Position { return b.position }

// Items yields what the backup holds, each head before its RRsets. It ends
// without an error only when the stream was whole: until then nothing that it
// gave may be relied upon. ErrDamaged says where the stream is cut off or
// altered. It can be gone through once.
func (b *Backup) Items() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for {
			entries, sum := b.entries, b.sum.Sum(nil)
			tag, p, err := b.entry()
			if err == nil && tag == tagEnd {
				if err = b.end(p, entries, sum); err == nil {
					return
				}
			}
			var item Item
			if err == nil {
				item, err = b.item(tag, p)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

func (b *Backup) damaged(what string) error {
	return fmt.Errorf("read backup: %w: entry %d at octet %d: %s", ErrDamaged, b.entries+1, b.start, what)
}

// took accounts for octets of the stream.
func (b *Backup) took(p []byte) {
	b.sum.Write(p)
	b.read += int64(len(p))
}

// entry reads one entry. The payload is good until the next.
func (b *Backup) entry() (tag byte, payload []byte, err error) {
	b.start = b.read
	head, n, err := b.entryHead()
	if err != nil {
		return 0, nil, err
	}
	b.payload.Reset()
	if _, err := io.CopyN(&b.payload, b.r, int64(n)+4); err != nil {
		return 0, nil, b.cut(err)
	}
	p := b.payload.Bytes()
	b.took(head)
	b.took(p)
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, p[:n])
	if sum != binary.LittleEndian.Uint32(p[n:]) {
		return 0, nil, b.damaged("wrong checksum")
	}
	b.entries++
	return head[0], p[:n], nil
}

// entryHead reads tag and length.
func (b *Backup) entryHead() (head []byte, n uint64, err error) {
	for len(head) < 1+binary.MaxVarintLen64 {
		c, err := b.r.ReadByte()
		if err != nil {
			return nil, 0, b.cut(err)
		}
		if head = append(head, c); len(head) > 1 && c < 0x80 {
			break
		}
	}
	d := decoder{s: string(head[1:])}
	if n = d.limited(maxEntry); d.end("length") != nil {
		return nil, 0, b.damaged("impossible length")
	}
	return head, n, nil
}

// cut tells an early end from a stream that cannot be read.
func (b *Backup) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return b.damaged("cut off")
	}
	return fmt.Errorf("read backup: %w", err)
}

func (b *Backup) end(p []byte, entries uint64, sum []byte) error {
	if !bytes.Equal(p, append(binary.AppendUvarint(nil, entries), sum...)) {
		return b.damaged("the stream does not have the checksum at its end")
	}
	if _, err := b.r.ReadByte(); err == nil {
		return b.damaged("more octets after the end")
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read backup: %w", err)
	}
	return nil
}

// item reads what an entry's payload holds.
func (b *Backup) item(tag byte, p []byte) (item Item, err error) {
	d := decoder{s: string(p)}
	switch tag {
	case tagHead:
		h := d.head()
		item.Head = &h
		c := Change{Head: h, From: h.Version - 1}
		if h.Version == 0 || c.Check() != nil || h.Account <= b.account {
			d.bad = true
		}
		b.account = h.Account
	case tagSet:
		s := d.set()
		item.Set, item.Account = &s, b.account
		d.bad = d.bad || b.account == "" || checkSet(s) != nil
	case tagKey:
		k := AccountKey{Account: d.text(), KeyID: d.text()}
		item.Key = &k
		d.bad = d.bad || !label(k.Account) || !label(k.KeyID)
	case tagClaim:
		c := DomainClaim{Domain: d.name(), Claim: d.claim()}
		item.Claim = &c
		d.bad = d.bad || c.Claim.Version == 0 || c.Claim.Check(c.Domain, c.Claim.Version-1) != nil
	default:
		d.bad = true
	}
	if d.end("entry") != nil {
		return Item{}, b.damaged(fmt.Sprintf("contents of %q in an unknown form", tag))
	}
	return item, nil
}
