package frame

import (
	"time"

	"namecast/lib/chain"
)

// encodeReading is for the messages of reading.
func encodeReading(w *writer, m chain.Message) (Type, uint64) {
	switch m := m.(type) {
	case chain.Read:
		w.octet(byte(m.Mode))
		w.int(int64(m.MaxAge))
		w.uint(m.MaxLag)
		w.lsn(m.MinLSN)
		w.uint(uint64(len(m.Keys)))
		for _, k := range m.Keys {
			w.octets(k)
		}
		return TypeRead, m.ID
	case chain.ReadReply:
		w.octet(byte(m.Status))
		w.lsn(m.LSN)
		w.uint(uint64(len(m.Values)))
		for i := range m.Values {
			w.truth(m.Values[i].Found)
			w.lsn(m.Values[i].Version)
			w.octets(m.Values[i].Data)
		}
		return TypeReadReply, m.ID
	}
	return 0, 0
}

// decodeReading reads the messages that encodeReading writes.
func decodeReading(d *decoder, t Type, id uint64) chain.Message {
	switch t {
	case TypeRead:
		return chain.Read{ID: id, Mode: chain.Mode(d.octet()), MaxAge: time.Duration(d.int()),
			MaxLag: d.uint(), MinLSN: d.lsn(), Keys: d.keys()}
	case TypeReadReply:
		return chain.ReadReply{ID: id, Status: chain.Status(d.octet()), LSN: d.lsn(), Values: d.values()}
	}
	return nil
}

func (d *decoder) keys() [][]byte {
	list := room[[]byte](d, leastKey)
	for i := range list {
		list[i] = d.octets()
	}
	return list
}

func (d *decoder) values() []chain.Value {
	list := room[chain.Value](d, leastValue)
	for i := range list {
		list[i] = chain.Value{Found: d.truth(), Version: d.lsn(), Data: d.octets()}
	}
	return list
}
