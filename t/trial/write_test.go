package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
)

// A sent is a request that was answered.
type sent struct {
	at      chain.ID
	m       chain.Propose
	outcome chain.Outcome
}

// mark, in place of data, is for the operation's number to take.
const mark = "?"

// puts chooses what to write to an object: one key or several, seldom a delete.
func (w *worker) puts(name string) (list []put) {
	for k := range size(name) {
		if size(name) == 1 || w.rand.IntN(2) == 0 {
			p := put{Key: k, Data: mark}
			if w.rand.IntN(12) == 0 {
				p.Data = ""
			}
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		list = []put{{0, mark}}
	}
	return list
}

// conds chooses conditions on an object that was just read: most name the versions
// that were seen.
func (w *worker) conds(name string) (list []cond) {
	for k := range size(name) {
		switch w.rand.IntN(4) {
		case 0:
			list = append(list, cond{Key: k, Exists: true})
		case 1, 2:
			list = append(list, cond{Key: k, Version: w.versions[k]})
		}
	}
	return list
}

// increment adds one to a counter, if nobody else does so at the same time.
func (w *worker) increment(at chain.ID) {
	o, ok := w.read(at, counterName, chain.Strong)
	if !ok {
		return
	}
	n := 0
	if data := o.Read.Values[0].Data; data != "" {
		count, _, _ := strings.Cut(data, " ")
		n, _ = strconv.Atoi(count)
	}
	w.write(at, counterName, []put{{0, fmt.Sprintf("%d %s", n+1, mark)}}, []cond{{Version: o.Read.Values[0].Version}})
}

// write does a write, seldom through two clients at once.
func (w *worker) write(at chain.ID, name string, puts []put, conds []cond) {
	ctx, cancel := context.WithTimeout(context.Background(), w.limit())
	defer cancel()
	o := w.begin(w, at, name)
	for i := range puts {
		puts[i].Data = strings.Replace(puts[i].Data, mark, strconv.Itoa(o.ID)+"."+strconv.Itoa(puts[i].Key), 1)
	}
	o.Write = &write{Conds: conds, Puts: puts}
	m := w.propose(o)
	var err error
	if w.rand.IntN(10) == 0 {
		m.Base, err = w.client.Base(ctx, at)
	}
	switch {
	case err != nil:
	case m.Base != 0: // with 0, each client would choose one for itself
		err = w.double(ctx, o, m)
	default:
		o.Write.Outcome, err = w.client.Propose(ctx, at, m)
	}
	w.finish(o, err)
	w.remember(o, m)
}

// propose makes the request of a write.
func (w *worker) propose(o *op) chain.Propose {
	m := chain.Propose{Request: client.NewRequest()}
	for _, c := range o.Write.Conds {
		kind := chain.AtVersion
		if c.Exists {
			kind = chain.Exists
		}
		m.Conds = append(m.Conds, chain.Cond{Kind: kind, Key: w.key(o.Object, c.Key), Version: c.Version})
	}
	for _, p := range o.Write.Puts {
		kind := chain.Put
		if p.Data == "" {
			kind = chain.Delete
		}
		m.Ops = append(m.Ops, chain.Op{Kind: kind, Key: w.key(o.Object, p.Key), Value: []byte(p.Data)})
	}
	return m
}

// double sends the same request through two clients at once: it has one outcome.
func (w *worker) double(ctx context.Context, o *op, m chain.Propose) error {
	type answer struct {
		outcome chain.Outcome
		err     error
	}
	other := make(chan answer, 1)
	go func() {
		outcome, err := w.twin.Propose(ctx, o.Chain, m)
		other <- answer{outcome, err}
	}()
	outcome, err := w.client.Propose(ctx, o.Chain, m)
	second := <-other
	switch {
	case err == nil && second.err == nil && outcome != second.outcome:
		o.Strange = fmt.Sprintf("the same request has another outcome, %+v", second.outcome)
	case err != nil && second.err == nil:
		outcome, err = second.outcome, nil
	case err != nil && !errors.Is(err, client.ErrUnknown):
		err = second.err // that one may have taken effect
	}
	o.Write.Outcome = outcome
	return err
}

// remember keeps a request that was answered, with a Base, so that it can be repeated.
func (w *worker) remember(o *op, m chain.Propose) {
	if !o.done() {
		return
	}
	w.seen[o.Chain] = max(w.seen[o.Chain], o.lsn())
	if m.Base != 0 {
		w.last = &sent{o.Chain, m, o.Write.Outcome}
	}
}

// repeat sends a request again that was answered: nothing comes of it but the same
// answer.
func (w *worker) repeat() {
	ctx, cancel := context.WithTimeout(context.Background(), w.limit())
	defer cancel()
	s := w.last
	w.last = nil
	outcome, err := w.client.Propose(ctx, s.at, s.m)
	if err == nil && outcome != s.outcome {
		o := w.begin(w, s.at, "repeated")
		o.Write = &write{Outcome: outcome}
		o.Strange = fmt.Sprintf("a request has another outcome the second time, at first %+v", s.outcome)
		o.End = denied
		w.mu.Lock()
		w.ops = append(w.ops, o)
		w.mu.Unlock()
	}
}
