package frame

import "namecast/lib/chain"

// encodeCopying is for the messages of snapshots.
func encodeCopying(w *writer, m chain.Message) (Type, uint64) {
	switch m := m.(type) {
	case chain.SnapBegin:
		w.lsn(m.LSN)
		w.fixed(m.Hash[:])
		return TypeSnapBegin, m.ID
	case chain.SnapChunk:
		w.uint(m.Seq)
		w.items(m.Items)
		w.remembered(m.Requests)
		return TypeSnapChunk, m.ID
	case chain.SnapEnd:
		w.uint(m.Chunks)
		return TypeSnapEnd, m.ID
	case chain.SnapAck:
		w.uint(m.Next)
		w.truth(m.Done)
		return TypeSnapAck, m.ID
	}
	return 0, 0
}

// decodeCopying reads the messages that encodeCopying writes.
func decodeCopying(d *decoder, t Type, id uint64) chain.Message {
	switch t {
	case TypeSnapBegin:
		return chain.SnapBegin{ID: id, LSN: d.lsn(), Hash: d.hash()}
	case TypeSnapChunk:
		return chain.SnapChunk{ID: id, Seq: d.uint(), Items: d.items(), Requests: d.remembered()}
	case TypeSnapEnd:
		return chain.SnapEnd{ID: id, Chunks: d.uint()}
	case TypeSnapAck:
		return chain.SnapAck{ID: id, Next: d.uint(), Done: d.truth()}
	}
	return nil
}

func (w *writer) items(list []chain.Item) {
	w.uint(uint64(len(list)))
	for i := range list {
		w.octets(list[i].Key)
		w.octets(list[i].Value)
		w.lsn(list[i].Version)
	}
}

func (d *decoder) items() []chain.Item {
	list := room[chain.Item](d, leastItem)
	for i := range list {
		list[i] = chain.Item{Key: d.octets(), Value: d.octets(), Version: d.lsn()}
	}
	return list
}

func (w *writer) remembered(list []chain.Remembered) {
	w.uint(uint64(len(list)))
	for i := range list {
		w.fixed(list[i].Request[:])
		w.outcome(&list[i].Outcome)
	}
}

func (d *decoder) remembered() []chain.Remembered {
	list := room[chain.Remembered](d, leastRemembered)
	for i := range list {
		list[i] = chain.Remembered{Request: d.request(), Outcome: d.outcome()}
	}
	return list
}
