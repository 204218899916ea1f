package trial

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"namecast/lib/chain"
)

// checkLimit is how long porcupine may think about one object.
const checkLimit = 20 * time.Second

// maxFindings is how many findings are told.
const maxFindings = 40

// A verdict is what came of checking a history.
type verdict struct {
	findings []string
	drawings []drawing
}

// A drawing is what porcupine found out about an object that is not linearizable.
type drawing struct {
	name string
	info porcupine.LinearizationInfo
}

func (v *verdict) add(format string, args ...any) {
	if len(v.findings) >= maxFindings {
		return
	}
	v.findings = append(v.findings, fmt.Sprintf(format, args...))
}

// An object is the keys that operations are about together.
type object struct {
	chain chain.ID
	name  string
}

// check finds what cannot be in a history.
func check(history []*op) *verdict {
	v := &verdict{}
	for _, o := range history {
		if o.Strange != "" {
			v.add("%s: %v", o.Strange, o)
		}
	}
	objects, chains := map[object][]*op{}, map[chain.ID][]*op{}
	for _, o := range history {
		chains[o.Chain] = append(chains[o.Chain], o)
		objects[object{o.Chain, o.Object}] = append(objects[object{o.Chain, o.Object}], o)
	}
	for _, ops := range objects {
		v.resolve(ops)
	}
	for _, ops := range chains {
		v.inTime(ops)
		v.numbers(ops)
	}
	for at, ops := range objects {
		v.states(ops)
		v.linearizable(at, ops)
		if strings.HasPrefix(at.name, counterName) {
			v.counted(ops)
		}
	}
	return v
}

// resolve makes of an unknown outcome a known one where the write was seen: a value
// is of one write alone. It may have taken effect no later than it was seen.
func (v *verdict) resolve(ops []*op) {
	type seen struct {
		key  int
		data string
	}
	by := map[seen]*op{}
	for _, o := range ops {
		if o.Write == nil {
			continue
		}
		for _, p := range o.Write.Puts {
			if p.Data != "" {
				by[seen{p.Key, p.Data}] = o
			}
		}
	}
	for _, o := range ops {
		if o.Read == nil || !o.done() {
			continue
		}
		for i, val := range o.Read.Values {
			if val.Data != "" {
				v.saw(o, by[seen{o.Read.Keys[i], val.Data}], val.Version)
			}
		}
	}
}

// saw takes in that a read has seen a write's value at a version.
func (v *verdict) saw(r, w *op, version chain.LSN) {
	switch {
	case w == nil:
		v.add("a value that nobody wrote: %v", r)
	case w.End == denied:
		v.add("a write that was denied was seen: %v\n\tby %v", w, r)
	case w.End == unknown:
		w.End = done
		w.Write.Outcome = chain.Outcome{Verdict: chain.Applied, LSN: version}
		w.Return = r.Return
	case w.Write.Outcome.Verdict != chain.Applied:
		v.add("a write without effect was seen: %v\n\tby %v", w, r)
	case w.Write.Outcome.LSN != version:
		v.add("a write was seen at another version: %v\n\tby %v", w, r)
	case w.Error != "" && w.Return > r.Return: // one that was unknown
		w.Return = r.Return
	}
	if w != nil && r.Return < w.Call {
		v.add("a write was seen before it was asked for: %v\n\tby %v", w, r)
	}
}

// inTime checks that what was answered is behind nothing that had been answered when
// the question was put, over all objects of a chain, as its log has one order. A read
// may name an older state where nothing has changed what it has read.
func (v *verdict) inTime(ops []*op) {
	told := slices.DeleteFunc(slices.Clone(ops), func(o *op) bool { return !o.done() })
	slices.SortFunc(told, func(a, b *op) int { return cmp.Compare(a.Return, b.Return) })
	newest := make([]*op, len(told)) // of those up to each
	for i, o := range told {
		newest[i] = o
		if i > 0 && newest[i-1].lsn() > o.lsn() {
			newest[i] = newest[i-1]
		}
	}
	touched := touches(told)
	for _, o := range told {
		since := o.Call
		if o.Read != nil {
			if touched.late(o, o.Read.MinLSN) {
				v.add("a read is older than what its client had seen, %d: %v", o.Read.MinLSN, o)
			}
			switch {
			case o.Read.Mode == chain.Bounded && o.Read.MaxAge > 0:
				since -= o.Read.MaxAge
			case o.Read.Mode != chain.Strong:
				continue
			}
		}
		i := sort.Search(len(told), func(i int) bool { return told[i].Return >= since })
		if i > 0 && touched.late(o, newest[i-1].lsn()) {
			v.add("an answer is older than one that came before the question: %v\n\tafter %v", o, newest[i-1])
		}
	}
}

// A spot is a key of an object, and touched is the LSNs of the writes that are known to
// have changed it, in their order.
type spot struct {
	object string
	key    int
}

type touched map[spot][]chain.LSN

func touches(ops []*op) touched {
	t := touched{}
	for _, o := range ops {
		if !o.applied() {
			continue
		}
		for _, p := range o.Write.Puts {
			at := spot{o.Object, p.Key}
			t[at] = append(t[at], o.lsn())
		}
	}
	for _, list := range t {
		slices.Sort(list)
	}
	return t
}

// late reports whether an answer misses something up to an LSN that was told before:
// a write has a higher number, and a read has all that changed its keys.
func (t touched) late(o *op, told chain.LSN) bool {
	if o.Write != nil {
		return o.lsn() <= told
	}
	for _, key := range o.Read.Keys {
		list := t[spot{o.Object, key}]
		i, _ := slices.BinarySearch(list, o.lsn()+1)
		if i < len(list) && list[i] <= told {
			return true
		}
	}
	return false
}

// numbers checks that no two writes have one LSN.
func (v *verdict) numbers(ops []*op) {
	by := map[chain.LSN]*op{}
	for _, o := range ops {
		if o.Write == nil || !o.done() {
			continue
		}
		if other := by[o.lsn()]; other != nil {
			v.add("two writes have one number: %v\n\tand %v", other, o)
		}
		by[o.lsn()] = o
	}
}

// states checks that reads show the state after the record that they name, as far as
// the writes before it are known.
func (v *verdict) states(ops []*op) {
	var writes []*op
	mayDelete := false
	for _, o := range ops {
		switch {
		case o.applied():
			writes = append(writes, o)
		case o.Write != nil && o.End == unknown:
			mayDelete = mayDelete || o.deletes()
		}
	}
	slices.SortFunc(writes, func(a, b *op) int { return cmp.Compare(a.lsn(), b.lsn()) })
	reads := slices.DeleteFunc(slices.Clone(ops), func(o *op) bool { return o.Read == nil || !o.done() })
	slices.SortFunc(reads, func(a, b *op) int { return cmp.Compare(a.lsn(), b.lsn()) })
	var s state
	var last [keys]chain.LSN // that touched the key
	for _, r := range reads {
		for len(writes) > 0 && writes[0].lsn() <= r.lsn() {
			s.apply(writes[0].Write, writes[0].lsn())
			for _, p := range writes[0].Write.Puts {
				last[p.Key] = writes[0].lsn()
			}
			writes = writes[1:]
		}
		for i, key := range r.Read.Keys {
			got := r.Read.Values[i]
			if got != s[key] && !(got.Data == "" && mayDelete) {
				v.add("key %d should be %q@%d: %v", key, s[key].Data, s[key].Version, r)
			}
			if got.Data != "" && got.Version < last[key] || got.Version > r.lsn() {
				v.add("key %d was written at %d: %v", key, last[key], r)
			}
		}
	}
}

// linearizable has porcupine look for an order. Writes that nobody knows of, and that
// nobody saw, are left out at first: they could be behind all others.
func (v *verdict) linearizable(at object, ops []*op) {
	result, info := search(ops, false)
	if result != porcupine.Ok {
		result, info = search(ops, true)
	}
	if result == porcupine.Ok {
		return
	}
	what := "not linearizable"
	if result == porcupine.Unknown {
		what = "undecided after " + checkLimit.String()
	}
	v.add("chain %d, object %s: %s (%d operations)", at.chain, at.name, what, len(ops))
	v.drawings = append(v.drawings, drawing{fmt.Sprintf("chain%d-%s", at.chain, strings.ReplaceAll(at.name, "/", "-")), info})
}

func search(ops []*op, withUnknown bool) (porcupine.CheckResult, porcupine.LinearizationInfo) {
	clients := map[string]int{}
	var list []porcupine.Operation
	for _, o := range ops {
		strong := o.Read == nil || o.Read.Mode == chain.Strong
		if !strong || !o.done() && (o.End != unknown || o.Write == nil || !withUnknown) {
			continue
		}
		end := int64(o.Return)
		if o.End == unknown {
			end = math.MaxInt64
		}
		if _, ok := clients[o.Client]; !ok {
			clients[o.Client] = len(clients)
		}
		list = append(list, porcupine.Operation{ClientId: clients[o.Client], Input: o, Call: int64(o.Call), Return: end})
	}
	return porcupine.CheckOperationsVerbose(model, list, checkLimit)
}

// counted checks that a counter stands at the number of its increments.
func (v *verdict) counted(ops []*op) {
	var increments int
	var last *op
	for _, o := range ops {
		if o.applied() {
			increments++
		}
		if o.Read != nil && o.done() && (last == nil || o.lsn() >= last.lsn()) {
			last = o
		}
	}
	if last == nil {
		return
	}
	n := 0
	if data := last.Read.Values[0].Data; data != "" {
		count, _, _ := strings.Cut(data, " ")
		n, _ = strconv.Atoi(count)
	}
	if n != increments {
		v.add("%d increments have made a counter %d: %v", increments, n, last)
	}
}
