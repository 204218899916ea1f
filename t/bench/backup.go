package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"slices"
)

// This is a second implementation of the backup stream, after its description
// in lib/store/backup.go: what it writes, nc-serve -restore must take. A large
// data set is filled in this way, in seconds instead of many minutes of updates.

// manyAccounts is from how many accounts on the database is restored from a
// backup, and nc-serve is given more memory than it takes by itself.
const manyAccounts = 100_000

// A backup is a stream being written.
type backup struct {
	w       *bufio.Writer
	sum     hash.Hash // of all that was written
	entries uint64
	buf     []byte
}

func (b *backup) write(p []byte) {
	b.sum.Write(p)
	b.w.Write(p) // the error is kept until Flush
}

// entry writes one entry: tag, length, payload, CRC-32C.
func (b *backup) entry(tag byte, payload []byte) {
	b.buf = append(binary.AppendUvarint(append(b.buf[:0], tag), uint64(len(payload))), payload...)
	b.buf = binary.LittleEndian.AppendUint32(b.buf, crc32.Checksum(b.buf, crc32.MakeTable(crc32.Castagnoli)))
	b.write(b.buf)
	b.entries++
}

// writeBackup writes all accounts as they are after the first request of each.
func (d *dataset) writeBackup(w io.Writer) error {
	b := &backup{w: bufio.NewWriterSize(w, 1<<20), sum: sha256.New()}
	b.write([]byte("namecast backup 1\n"))
	b.entry('p', binary.AppendUvarint(nil, uint64(len(d.accounts))))
	order := make([]int, len(d.accounts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(d.accounts[i], d.accounts[j]) })
	var p []byte
	for _, i := range order {
		p = d.appendHead(p[:0], i)
		b.entry('a', p)
		for _, o := range owners {
			p = appendSet(p[:0], o.label, o.qtype, address(i, 0, o.qtype))
			b.entry('r', p)
		}
	}
	b.entry('z', b.sum.Sum(binary.AppendUvarint(nil, b.entries)))
	return b.w.Flush()
}

// appendCounted appends octets with their number before them.
func appendCounted(b, p []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(p))), p...)
}

// appendHead appends all of an account but its records.
func (d *dataset) appendHead(b []byte, i int) []byte {
	const version, nextSequence, domains = 1, 1, 0
	b = appendCounted(b, []byte(d.accounts[i]))
	b = binary.AppendUvarint(b, version)
	b = binary.AppendVarint(b, 0) // the time when it was made
	b = append(b, 0)              // the key has the account's name
	b = appendCounted(b, keyField(d.keys[i][:]))
	b = binary.AppendVarint(b, nextSequence)
	b = append(b, make([]byte, sha256.Size)...) // of its last request
	b = binary.AppendUvarint(b, domains)
	size := 0
	for _, o := range owners {
		const fixed = 10 // octets of a record beside its name and data, as a quota counts them
		size += len(appendLabels(nil, o.label)) + fixed + len(address(i, 0, o.qtype))
	}
	b = binary.AppendUvarint(b, perUser)
	return binary.AppendUvarint(b, uint64(size))
}

// appendSet appends an RRset of one record.
func appendSet(b []byte, label string, qtype uint16, data []byte) []byte {
	b = appendCounted(b, appendLabels(nil, label))
	b = binary.AppendUvarint(b, uint64(qtype))
	b = binary.AppendUvarint(b, recordTTL)
	b = binary.AppendUvarint(b, 1)
	return appendCounted(b, data)
}

// restore fills a database of nc-serve with the data set.
func (d *dataset) restore(program, dir string) error {
	cmd := exec.Command(program, "-restore", "-db", dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	err = d.writeBackup(in)
	in.Close()
	if ended := cmd.Wait(); ended != nil {
		return fmt.Errorf("restore: %w", ended)
	}
	return err
}
