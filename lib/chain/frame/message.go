package frame

import (
	"errors"
	"fmt"
	"slices"

	"namecast/lib/chain"
)

// Types of messages, eight numbers to each group.
const (
	TypePropose       Type = 16
	TypeProposeReply  Type = 17
	TypeHello         Type = 18
	TypeAppend        Type = 19
	TypeAck           Type = 20
	TypeVersionQuery  Type = 24
	TypeVersionReply  Type = 25
	TypeConfirm       Type = 26
	TypeConfirmReply  Type = 27
	TypeStaleEpoch    Type = 28
	TypeFence         Type = 29
	TypeFenceReply    Type = 30
	TypeSnapBegin     Type = 32
	TypeSnapChunk     Type = 33
	TypeSnapEnd       Type = 34
	TypeSnapAck       Type = 35
	TypeSubscribe     Type = 40
	TypeFeedBatch     Type = 41
	TypeFeedAck       Type = 42
	TypeFeedPing      Type = 43
	TypeFeedHeartbeat Type = 44
	TypeFeedEnd       Type = 45
	TypeRead          Type = 48
	TypeReadReply     Type = 49
	TypeTableQuery    Type = 56
	TypeTable         Type = 57
	TypeSyncQuery     Type = 58
	TypeSyncReply     Type = 59
	TypeAsk           Type = 60
	TypeTold          Type = 61
)

// Reasons why a frame is no message, or a message no frame.
var (
	// ErrType: no message is of the type.
	ErrType = errors.New("frame of an unknown type")
	// ErrMessage: the body, or the header with it, is not the encoding of a message.
	ErrMessage = errors.New("malformed message")
)

// AppendMessage appends a message as a whole frame. The sender is not in it: it is
// who the connection proves it to be. ErrSize if it is longer than a frame may be,
// ErrType if no encoding is known; b is then as it was.
//
// A record takes at most as many octets as its Size, an outcome at most 26, and
// what is around them in Append and FeedBatch at most 64.
func AppendMessage(b []byte, e chain.Envelope) ([]byte, error) {
	start := len(b)
	w := writer{Begin(b, Header{Chain: uint16(e.Chain), Epoch: uint64(e.Epoch)})}
	t, id := encode(&w, e.Body)
	if t == 0 {
		return b, fmt.Errorf("%w: of a %T", ErrType, e.Body)
	}
	w.b[start+typeAt] = byte(t)
	be.PutUint64(w.b[start+streamAt:], id)
	return Finish(w.b, start)
}

// encode appends a message's body and tells its type and its ID; type 0 if it has
// no encoding. The calls are direct, so that the writer needs no memory.
func encode(w *writer, m chain.Message) (t Type, id uint64) {
	if t, id = encodeWriting(w, m); t != 0 {
		return t, id
	}
	if t, id = encodeProving(w, m); t != 0 {
		return t, id
	}
	if t, id = encodeCopying(w, m); t != 0 {
		return t, id
	}
	if t, id = encodeFeed(w, m); t != 0 {
		return t, id
	}
	if t, id = encodeReading(w, m); t != 0 {
		return t, id
	}
	return encodeCluster(w, m)
}

// ParseMessage reads the message of a frame that a member, or as the zero Member
// a client, has sent. Nothing of the frame's memory is part of it: the octet
// strings of a message share one copy of the body. ErrType or ErrMessage if it is
// none.
func ParseMessage(f Frame, from chain.Member) (chain.Envelope, error) {
	if f.Chain >= chain.Chains || f.Stream != 0 && !numbered(f.Type) {
		return chain.Envelope{}, fmt.Errorf("%w: of type %d, chain %d, stream %d", ErrMessage, f.Type, f.Chain, f.Stream)
	}
	d := decoder{b: f.Body}
	if shares(f.Type) {
		d.b = slices.Clone(f.Body)
	}
	m := decode(&d, f.Type, f.Stream)
	switch {
	case m == nil:
		return chain.Envelope{}, fmt.Errorf("%w: %d", ErrType, f.Type)
	case d.bad || len(d.b) > 0:
		return chain.Envelope{}, fmt.Errorf("%w: of type %d with %d octets", ErrMessage, f.Type, len(f.Body))
	}
	return chain.Envelope{Chain: chain.ID(f.Chain), Epoch: chain.Epoch(f.Epoch), From: from, Body: m}, nil
}

// numbered tells types of messages that have an ID.
func numbered(t Type) bool {
	return t != TypeHello && t != TypeAppend && t != TypeAck && t != TypeStaleEpoch
}

// shares tells types of messages that octets of the body become part of.
func shares(t Type) bool {
	switch t {
	case TypePropose, TypeAppend, TypeSnapChunk, TypeFeedBatch, TypeRead, TypeReadReply, TypeTold:
		return true
	}
	return false
}

// decode reads a body, whose frame has the stream id; nil if no message is of the
// type.
func decode(d *decoder, t Type, id uint64) chain.Message {
	switch {
	case t < TypeVersionQuery:
		return decodeWriting(d, t, id)
	case t < TypeSnapBegin:
		return decodeProving(d, t, id)
	case t < TypeSubscribe:
		return decodeCopying(d, t, id)
	case t < TypeRead:
		return decodeFeed(d, t, id)
	case t < TypeTableQuery:
		return decodeReading(d, t, id)
	}
	return decodeCluster(d, t, id)
}
