package frame

import "namecast/lib/chain"

// encodeProving is for the messages that prove a read current, and for fences.
func encodeProving(w *writer, m chain.Message) (Type, uint64) {
	switch m := m.(type) {
	case chain.VersionQuery:
		return TypeVersionQuery, m.ID
	case chain.VersionReply:
		w.truth(m.OK)
		w.lsn(m.Commit)
		return TypeVersionReply, m.ID
	case chain.Confirm:
		return TypeConfirm, m.ID
	case chain.ConfirmReply:
		w.truth(m.Tail)
		w.lsn(m.Commit)
		return TypeConfirmReply, m.ID
	case chain.StaleEpoch:
		return TypeStaleEpoch, 0
	case chain.Fence:
		w.uint(uint64(m.Epoch))
		return TypeFence, m.ID
	case chain.FenceReply:
		w.uint(uint64(m.Epoch))
		return TypeFenceReply, m.ID
	}
	return 0, 0
}

// decodeProving reads the messages that encodeProving writes.
func decodeProving(d *decoder, t Type, id uint64) chain.Message {
	switch t {
	case TypeVersionQuery:
		return chain.VersionQuery{ID: id}
	case TypeVersionReply:
		return chain.VersionReply{ID: id, OK: d.truth(), Commit: d.lsn()}
	case TypeConfirm:
		return chain.Confirm{ID: id}
	case TypeConfirmReply:
		return chain.ConfirmReply{ID: id, Tail: d.truth(), Commit: d.lsn()}
	case TypeStaleEpoch:
		return chain.StaleEpoch{}
	case TypeFence:
		return chain.Fence{ID: id, Epoch: chain.Epoch(d.uint())}
	case TypeFenceReply:
		return chain.FenceReply{ID: id, Epoch: chain.Epoch(d.uint())}
	}
	return nil
}
