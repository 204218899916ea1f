package frame

import "namecast/lib/chain"

// encodeFeed is for the messages of the change feed.
func encodeFeed(w *writer, m chain.Message) (Type, uint64) {
	switch m := m.(type) {
	case chain.Subscribe:
		w.lsn(m.After)
		w.fixed(m.Hash[:])
		return TypeSubscribe, m.ID
	case chain.FeedBatch:
		w.records(m.Records)
		w.uint(uint64(len(m.Outcomes)))
		for i := range m.Outcomes {
			w.outcome(&m.Outcomes[i])
		}
		return TypeFeedBatch, m.ID
	case chain.FeedAck:
		w.lsn(m.LSN)
		return TypeFeedAck, m.ID
	case chain.FeedPing:
		w.uint(m.Ping)
		return TypeFeedPing, m.ID
	case chain.FeedHeartbeat:
		w.uint(m.Ping)
		w.lsn(m.LSN)
		return TypeFeedHeartbeat, m.ID
	case chain.FeedEnd:
		return TypeFeedEnd, m.ID
	}
	return 0, 0
}

// decodeFeed reads the messages that encodeFeed writes. A batch whose records have
// not an outcome each is malformed.
func decodeFeed(d *decoder, t Type, id uint64) chain.Message {
	switch t {
	case TypeSubscribe:
		return chain.Subscribe{ID: id, After: d.lsn(), Hash: d.hash()}
	case TypeFeedBatch:
		m := chain.FeedBatch{ID: id, Records: d.records(), Outcomes: d.outcomes()}
		if len(m.Records) != len(m.Outcomes) {
			d.fail()
		}
		return m
	case TypeFeedAck:
		return chain.FeedAck{ID: id, LSN: d.lsn()}
	case TypeFeedPing:
		return chain.FeedPing{ID: id, Ping: d.uint()}
	case TypeFeedHeartbeat:
		return chain.FeedHeartbeat{ID: id, Ping: d.uint(), LSN: d.lsn()}
	case TypeFeedEnd:
		return chain.FeedEnd{ID: id}
	}
	return nil
}

func (d *decoder) outcomes() []chain.Outcome {
	list := room[chain.Outcome](d, leastOutcome)
	for i := range list {
		list[i] = d.outcome()
	}
	return list
}
