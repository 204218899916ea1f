package frame

import "namecast/lib/chain"

// encodeWriting is for the messages of writing.
func encodeWriting(w *writer, m chain.Message) (Type, uint64) {
	switch m := m.(type) {
	case chain.Propose:
		w.fixed(m.Request[:])
		w.lsn(m.Base)
		w.conds(m.Conds)
		w.ops(m.Ops)
		w.truth(m.Forwarded)
		return TypePropose, m.ID
	case chain.ProposeReply:
		w.octet(byte(m.Status))
		w.outcome(&m.Outcome)
		w.member(m.Head)
		return TypeProposeReply, m.ID
	case chain.Hello:
		w.lsn(m.Last)
		w.lsn(m.Commit)
		return TypeHello, 0
	case chain.Append:
		w.lsn(m.Prev)
		w.fixed(m.PrevHash[:])
		w.records(m.Records)
		w.lsn(m.Commit)
		return TypeAppend, 0
	case chain.Ack:
		w.lsn(m.Last)
		w.fixed(m.LastHash[:])
		w.lsn(m.Durable)
		w.lsn(m.Commit)
		return TypeAck, 0
	}
	return 0, 0
}

// decodeWriting reads the messages that encodeWriting writes.
func decodeWriting(d *decoder, t Type, id uint64) chain.Message {
	switch t {
	case TypePropose:
		return chain.Propose{ID: id, Request: d.request(), Base: d.lsn(),
			Conds: d.conds(), Ops: d.ops(), Forwarded: d.truth()}
	case TypeProposeReply:
		return chain.ProposeReply{ID: id, Status: chain.Status(d.octet()), Outcome: d.outcome(), Head: d.member()}
	case TypeHello:
		return chain.Hello{Last: d.lsn(), Commit: d.lsn()}
	case TypeAppend:
		return chain.Append{Prev: d.lsn(), PrevHash: d.hash(), Records: d.records(), Commit: d.lsn()}
	case TypeAck:
		return chain.Ack{Last: d.lsn(), LastHash: d.hash(), Durable: d.lsn(), Commit: d.lsn()}
	}
	return nil
}

// The least octets that elements of lists take.
const (
	leastRecord     = 1 + 1 + 16 + 1 + 1 + 1 + 16
	leastCond       = 3
	leastOp         = 3
	leastOutcome    = 4
	leastItem       = 3
	leastRemembered = 16 + leastOutcome
	leastValue      = 3
	leastKey        = 1
	leastSite       = 4
	leastMember     = 2
	leastRow        = 3 + leastMember + 1
	leastSubscriber = 3
)

func (w *writer) records(list []chain.Record) {
	w.uint(uint64(len(list)))
	for i := range list {
		r := &list[i]
		w.lsn(r.LSN)
		w.uint(uint64(r.Epoch))
		w.fixed(r.Request[:])
		w.lsn(r.Base)
		w.conds(r.Conds)
		w.ops(r.Ops)
		w.fixed(r.Hash[:])
	}
}

func (d *decoder) records() []chain.Record {
	list := room[chain.Record](d, leastRecord)
	for i := range list {
		list[i] = chain.Record{LSN: d.lsn(), Epoch: chain.Epoch(d.uint()), Request: d.request(), Base: d.lsn(),
			Conds: d.conds(), Ops: d.ops(), Hash: d.hash()}
	}
	return list
}

func (w *writer) conds(list []chain.Cond) {
	w.uint(uint64(len(list)))
	for i := range list {
		w.octet(byte(list[i].Kind))
		w.octets(list[i].Key)
		w.lsn(list[i].Version)
	}
}

func (d *decoder) conds() []chain.Cond {
	list := room[chain.Cond](d, leastCond)
	for i := range list {
		list[i] = chain.Cond{Kind: chain.CondKind(d.octet()), Key: d.octets(), Version: d.lsn()}
	}
	return list
}

func (w *writer) ops(list []chain.Op) {
	w.uint(uint64(len(list)))
	for i := range list {
		w.octet(byte(list[i].Kind))
		w.octets(list[i].Key)
		w.octets(list[i].Value)
	}
}

func (d *decoder) ops() []chain.Op {
	list := room[chain.Op](d, leastOp)
	for i := range list {
		list[i] = chain.Op{Kind: chain.OpKind(d.octet()), Key: d.octets(), Value: d.octets()}
	}
	return list
}

func (w *writer) outcome(o *chain.Outcome) {
	w.octet(byte(o.Verdict))
	w.lsn(o.LSN)
	w.uint(uint64(o.Cond))
	w.lsn(o.Version)
}

func (d *decoder) outcome() chain.Outcome {
	return chain.Outcome{Verdict: chain.Verdict(d.octet()), LSN: d.lsn(), Cond: d.uint32(), Version: d.lsn()}
}
