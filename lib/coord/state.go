package coord

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
)

// A state is what the watch makes pictures of. It is for one goroutine.
type state struct {
	rev      int64
	settings Settings
	nodes    map[string]*known
	rows     map[chain.ID]rowAt
	reports  map[chain.ID]Reports
	made     bool // the table is there
	ctl      cell
	last     time.Duration // when something was told last
	since    time.Duration // since when there was no lull

	// What has changed since the last view.
	rowsNew, reportsNew, other bool
}

// known is what there is about one node.
type known struct {
	record  *record // nil if there is none
	heldBy  chain.Incarnation
	held    map[chain.ID]Holding
	live    cell
	inc     chain.Incarnation // that live has
	renewed time.Duration
	silent  silentText
}

type rowAt struct {
	row chain.Row
	rev int64
}

func newState() *state {
	return &state{
		nodes: map[string]*known{}, rows: map[chain.ID]rowAt{}, reports: map[chain.ID]Reports{},
		rowsNew: true, reportsNew: true, other: true,
	}
}

func (s *state) node(name string) *known {
	n := s.nodes[name]
	if n == nil {
		n = &known{}
		s.nodes[name] = n
	}
	return n
}

// apply takes one key's new value, or that it is gone, which is revision 0. now is
// a reading of the clock after it was told. ErrBad if the value cannot be read;
// what was known stays then.
func (s *state) apply(key string, v cell, now time.Duration) error {
	value := []byte(v.value)
	name, kind := key, ""
	for _, p := range []string{preNode, preHeld, preLive, preSilent, preChain, preReport} {
		if rest, ok := strings.CutPrefix(key, p); ok {
			name, kind = rest, p
		}
	}
	var err error
	switch {
	case kind == preLive:
		return s.applyLive(name, v, now) // a renewal is no other change
	case kind == preNode:
		err = s.applyRecord(name, v, now)
	case kind == preHeld:
		err = s.applyHeld(name, v)
	case kind == preSilent:
		err = s.applySilent(name, v)
	case kind == preChain:
		err = s.applyRow(name, v)
	case kind == preReport:
		err = s.applyReport(name, v)
	case key == keyCluster && v.rev != 0:
		var t Settings
		if t, err = parseSettings(value); err == nil {
			s.settings = t
		}
	case key == keyTable:
		s.made, s.rowsNew = v.value == tableMade, true
	case key == keyCtl:
		s.ctl = v
	default:
		return nil // a token, or something newer than this program
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	s.other = true
	return nil
}

func (s *state) applyLive(name string, v cell, now time.Duration) error {
	if err := checkName(name); err != nil {
		return err
	}
	n := s.node(name)
	if v.rev == 0 {
		n.live, n.inc, s.other = cell{}, 0, true
		return nil
	}
	inc, err := parseLive([]byte(v.value))
	if err != nil {
		return fmt.Errorf("%s%s: %w", preLive, name, err)
	}
	s.other = s.other || inc != n.inc
	n.live, n.inc, n.renewed = v, inc, now
	return nil
}

func (s *state) applyRecord(name string, v cell, now time.Duration) error {
	if err := checkName(name); err != nil {
		return err
	}
	n := s.node(name)
	if v.rev == 0 {
		n.record = nil
		return nil
	}
	r, err := parseRecord([]byte(v.value))
	if err != nil {
		return err
	}
	if n.record == nil || n.record.Inc != r.Inc {
		n.renewed = now // to register is to renew
	}
	n.record = &r
	return nil
}

func (s *state) applyHeld(name string, v cell) error {
	if err := checkName(name); err != nil {
		return err
	}
	n := s.node(name)
	if v.rev == 0 {
		n.heldBy, n.held = 0, nil
		return nil
	}
	by, held, err := parseHeld([]byte(v.value))
	if err == nil {
		n.heldBy, n.held = by, held
	}
	return err
}

func (s *state) applySilent(name string, v cell) error {
	if err := checkName(name); err != nil {
		return err
	}
	n := s.node(name)
	if v.rev == 0 {
		n.silent = silentText{}
		return nil
	}
	t, err := parseSilent([]byte(v.value))
	if err == nil {
		n.silent = t
	}
	return err
}

func (s *state) applyRow(name string, v cell) error {
	id, err := parseChain(name)
	if err != nil {
		return err
	}
	if v.rev == 0 {
		delete(s.rows, id)
		s.rowsNew = true
		return nil
	}
	row, err := parseRow(id, []byte(v.value))
	if err != nil {
		return err
	}
	// A table that is being made is nobody's yet, and may be begun anew.
	if old := s.rows[id].row; s.made && row.Epoch <= old.Epoch {
		return fmt.Errorf("%w: epoch %d after %d", ErrBad, row.Epoch, old.Epoch)
	}
	s.rows[id], s.rowsNew = rowAt{row, v.rev}, true
	return nil
}

func (s *state) applyReport(name string, v cell) error {
	id, kind, err := parseReport(name)
	if err != nil {
		return err
	}
	var r plan.Report
	if v.rev != 0 {
		if r, err = parseReportText([]byte(v.value)); err != nil {
			return err
		}
	}
	if !s.reportsNew {
		s.reports, s.reportsNew = maps.Clone(s.reports), true
	}
	all := s.reports[id]
	switch kind {
	case replica.Ready:
		all.Ready = r
	case replica.Stalled:
		all.Stalled = r
	case replica.Fenced:
		all.Fenced = r
	case replica.Silent:
		all.Silent = r
	}
	s.reports[id] = all
	return nil
}

// told takes down that the watch told something.
func (s *state) told(now time.Duration) {
	if now > s.last+lull {
		s.since = now
	}
	s.last = now
}

// view makes a view, of which what has not changed is shared with the last.
func (s *state) view(last *view) *view {
	v := &view{ctl: s.ctl, since: s.since, live: make(map[string]cell, len(s.nodes)), rows: last.rows}
	v.Picture = Picture{Revision: s.rev, Settings: s.settings, Rows: last.Rows, Reports: s.reports, Controller: s.ctl.value}
	for _, name := range slices.Sorted(maps.Keys(s.nodes)) {
		n := s.nodes[name]
		if n.live.rev != 0 {
			v.live[name] = n.live
		}
		if n.record != nil && !n.record.Removed {
			v.Nodes = append(v.Nodes, s.show(name, n))
		}
	}
	if s.rowsNew {
		v.Rows = nil
		for id := range chain.ID(chain.Chains) {
			at := s.rows[id]
			v.rows[id] = at.rev
			if s.made && len(s.rows) == chain.Chains {
				v.Rows = append(v.Rows, at.row)
			}
		}
	}
	s.rowsNew, s.reportsNew, s.other = false, false, false
	return v
}

// show is a node as pictures have it.
func (s *state) show(name string, n *known) Node {
	r := n.record
	one := Node{
		Name: name, Addr: r.Addr, Zone: r.Zone, Pin: r.Pin, Inc: r.Inc, Ended: r.Ended, Drain: r.Drain,
		Renewed: n.renewed,
	}
	if n.inc == r.Inc {
		one.Live, one.Renewal = true, n.live.rev
		if n.silent.Inc == r.Inc {
			one.Silent = n.silent.Nodes
		}
	}
	if n.heldBy == r.Inc {
		one.Held = n.held
	}
	return one
}

// inherit takes over when renewals were seen, where there has surely been none since.
func (s *state) inherit(old *state) {
	s.last, s.since = old.last, old.since
	for name, n := range s.nodes {
		if o := old.nodes[name]; o != nil && n.live.rev != 0 && n.live.rev == o.live.rev {
			n.renewed = o.renewed
		}
	}
}
