package frame

import (
	"time"

	"namecast/lib/chain"
)

// encodeCluster is for the questions of clients and operators.
func encodeCluster(w *writer, m chain.Message) (Type, uint64) {
	switch m := m.(type) {
	case chain.TableQuery:
		w.uint(m.Have)
		return TypeTableQuery, m.ID
	case chain.Table:
		w.uint(m.Revision)
		w.uint(uint64(len(m.Sites)))
		for i := range m.Sites {
			w.site(&m.Sites[i])
		}
		w.uint(uint64(len(m.Rows)))
		for i := range m.Rows {
			w.row(&m.Rows[i])
		}
		return TypeTable, m.ID
	case chain.SyncQuery:
		return TypeSyncQuery, m.ID
	case chain.SyncReply:
		w.uint(uint64(len(m.Subscribers)))
		for i := range m.Subscribers {
			s := &m.Subscribers[i]
			w.text(s.Name)
			w.lsn(s.LSN)
			w.int(int64(s.Gone))
		}
		return TypeSyncReply, m.ID
	case chain.Ask:
		w.text(m.What)
		return TypeAsk, m.ID
	case chain.Told:
		w.truth(m.OK)
		w.octets(m.Text)
		return TypeTold, m.ID
	}
	return 0, 0
}

// decodeCluster reads the messages that encodeCluster writes.
func decodeCluster(d *decoder, t Type, id uint64) chain.Message {
	switch t {
	case TypeTableQuery:
		return chain.TableQuery{ID: id, Have: d.uint()}
	case TypeTable:
		return chain.Table{ID: id, Revision: d.uint(), Sites: d.sites(), Rows: d.rows()}
	case TypeSyncQuery:
		return chain.SyncQuery{ID: id}
	case TypeSyncReply:
		return chain.SyncReply{ID: id, Subscribers: d.subscribers()}
	case TypeAsk:
		return chain.Ask{ID: id, What: d.text()}
	case TypeTold:
		return chain.Told{ID: id, OK: d.truth(), Text: d.octets()}
	}
	return nil
}

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (d *decoder) text() string { return string(d.octets()) }

func (w *writer) site(s *chain.Site) {
	w.text(s.Node)
	w.text(s.Addr)
	w.text(s.Zone)
	w.truth(s.Live)
}

func (d *decoder) sites() []chain.Site {
	list := room[chain.Site](d, leastSite)
	for i := range list {
		list[i] = chain.Site{Node: d.text(), Addr: d.text(), Zone: d.text(), Live: d.truth()}
	}
	return list
}

func (w *writer) row(r *chain.Row) {
	w.uint(uint64(r.Chain))
	w.uint(uint64(r.Epoch))
	w.uint(uint64(len(r.Members)))
	for _, m := range r.Members {
		w.member(m)
	}
	w.member(r.Recruit)
	w.uint(uint64(r.Restored))
}

func (d *decoder) rows() []chain.Row {
	list := room[chain.Row](d, leastRow)
	for i := range list {
		list[i] = d.row()
	}
	return list
}

// row reads a row; its chain must be one that can be.
func (d *decoder) row() chain.Row {
	id := d.uint()
	if id >= chain.Chains {
		d.fail()
	}
	r := chain.Row{Chain: chain.ID(id), Epoch: chain.Epoch(d.uint()), Members: room[chain.Member](d, leastMember)}
	for i := range r.Members {
		r.Members[i] = d.member()
	}
	r.Recruit, r.Restored = d.member(), chain.Incarnation(d.uint())
	return r
}

func (d *decoder) subscribers() []chain.Subscriber {
	list := room[chain.Subscriber](d, leastSubscriber)
	for i := range list {
		list[i] = chain.Subscriber{Name: d.text(), LSN: d.lsn(), Gone: time.Duration(d.int())}
	}
	return list
}
