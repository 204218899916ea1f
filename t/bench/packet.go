package main

import (
	"crypto/ed25519"
	"encoding/binary"
)

// This is a second implementation of version 1 of the update protocol, after
// its specification in lib/nup/doc.go: what it writes, nc-serve must take.

const (
	algorithmEd25519 = 15
	nupMagic         = "Namecast"
	nupContext       = "namecast update v1\x00"
	opAdd            = 0
	opReplace        = 3
	statusSuccess    = 0
)

// An element changes one RRset of an account.
type element struct {
	opcode uint16
	label  string // owner, "" for the account itself; one label here
	qtype  uint16
	data   []byte // of its one record
}

// keyField is the key as it travels: the algorithm and the public key.
func keyField(k ed25519.PublicKey) []byte {
	return append([]byte{algorithmEd25519}, k...)
}

// appendLabels puts a name into wire form, without the root label.
func appendLabels(b []byte, name string) []byte {
	for start, i := 0, 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '.' {
			if i > start {
				b = append(b, byte(i-start))
				b = append(b, name[start:i]...)
			}
			start = i + 1
		}
	}
	return b
}

// updatePacket signs a request of the account.
func updatePacket(k ed25519.PrivateKey, sequence uint64, elements ...element) []byte {
	be := binary.BigEndian
	signed := []byte(nupContext)
	b := append(signed, nupMagic...)
	b = be.AppendUint16(b, 1)
	field := keyField(k.Public().(ed25519.PublicKey))
	b = be.AppendUint16(b, uint16(len(field)))
	b = append(b, field...)
	service := appendLabels(nil, domain)
	b = append(b, byte(len(service)))
	b = append(b, service...)
	b = be.AppendUint64(b, sequence)
	b = be.AppendUint16(b, uint16(len(elements)))
	for _, e := range elements {
		b = be.AppendUint16(b, e.opcode)
		owner := appendLabels(nil, e.label)
		b = append(b, byte(len(owner)))
		b = append(b, owner...)
		b = be.AppendUint16(b, e.qtype)
		b = be.AppendUint32(b, recordTTL)
		b = be.AppendUint16(b, 1)
		b = be.AppendUint16(b, uint16(len(e.data)))
		b = append(b, e.data...)
	}
	b = be.AppendUint16(b, 0) // no options
	signature := ed25519.Sign(k, b)
	b = be.AppendUint16(b, uint16(len(signature)))
	return append(b, signature...)[len(nupContext):]
}

// An updateReply is what of a reply is looked at.
type updateReply struct {
	key      [32]byte
	sequence uint64 // of the request
	next     uint64
	status   uint16
}

// Octets of the fields of a reply to a request of version 1.
const (
	replyKey    = 8 + 2 + 2 + 1
	replyNumber = replyKey + 32
	replyStatus = replyNumber + 8 + 8 + 2
)

// parseReply reads a reply to a request of version 1; what is none is not ok.
func parseReply(b []byte) (r updateReply, ok bool) {
	be := binary.BigEndian
	if len(b) < replyStatus+2 || string(b[:8]) != nupMagic || be.Uint16(b[10:]) != 33 || b[12] != algorithmEd25519 {
		return r, false
	}
	r.key = [32]byte(b[replyKey:])
	r.sequence = be.Uint64(b[replyNumber:])
	r.next = be.Uint64(b[replyNumber+8:])
	r.status = be.Uint16(b[replyStatus:])
	return r, true
}
