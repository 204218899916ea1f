package coord

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// maxSilent is the most nodes of which one may say that it has no connection.
const maxSilent = 1024

// maxMembers is the most members that a row may have.
const maxMembers = 64

// A record is the value of node/NAME.
type record struct {
	Addr    string            `json:"addr,omitempty"`
	Zone    string            `json:"zone,omitempty"`
	Pin     string            `json:"pin,omitempty"`
	Inc     chain.Incarnation `json:"inc"`
	Ended   chain.Incarnation `json:"ended,omitempty"`
	Drain   bool              `json:"drain,omitempty"`
	Removed bool              `json:"removed,omitempty"` // its number is kept, as incarnations only grow
}

// A rowText is the value of chain/NNN.
type rowText struct {
	Epoch    chain.Epoch       `json:"epoch"`
	Members  []string          `json:"members"`
	Recruit  string            `json:"recruit,omitempty"`
	Restored chain.Incarnation `json:"restored,omitempty"`
}

// A heldText is the value of held/NAME.
type heldText struct {
	Inc    chain.Incarnation `json:"inc"` // that registered with it
	Chains []holdingText     `json:"chains"`
}

type holdingText struct {
	Chain chain.ID          `json:"chain"`
	Inc   chain.Incarnation `json:"inc"`
	LSN   chain.LSN         `json:"lsn"`
	Row   *rowText          `json:"row,omitempty"`
}

// A reportText is the value of report/NNN/KIND.
type reportText struct {
	Epoch  chain.Epoch `json:"epoch"`
	Member string      `json:"member"`
}

// A silentText is the value of silent/NAME.
type silentText struct {
	Inc   chain.Incarnation `json:"inc"` // that said so
	Nodes []string          `json:"nodes"`
}

// A settingsText is the value of cluster.
type settingsText struct {
	Replicas int    `json:"replicas"`
	Lease    string `json:"lease"`
}

// encode gives a value's text. The types here always have one.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("coord: " + err.Error())
	}
	return string(text)
}

func decode(value []byte, v any) error {
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("%w: %w", ErrBad, err)
	}
	return nil
}

// parseRecord reads a node's record.
func parseRecord(value []byte) (r record, err error) {
	if err = decode(value, &r); err == nil && (r.Inc == 0 || r.Ended > r.Inc) {
		err = fmt.Errorf("%w: incarnation %d, ended %d", ErrBad, r.Inc, r.Ended)
	}
	return r, err
}

// parseLive reads the incarnation that is registered.
func parseLive(value []byte) (chain.Incarnation, error) {
	return parseInc(string(value))
}

func parseInc(s string) (chain.Incarnation, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 || s[0] == '0' {
		return 0, fmt.Errorf("%w: incarnation %q", ErrBad, s)
	}
	return chain.Incarnation(n), nil
}

func textInc(inc chain.Incarnation) string { return strconv.FormatUint(uint64(inc), 10) }

// textMember is a member as values have it: its name and number, or nothing.
func textMember(m chain.Member) string {
	if m.IsZero() {
		return ""
	}
	return m.Node + "#" + textInc(m.Inc)
}

func parseMember(s string) (chain.Member, error) {
	if s == "" {
		return chain.Member{}, nil
	}
	name, number, _ := strings.Cut(s, "#")
	inc, err := parseInc(number)
	if err == nil {
		err = checkName(name)
	}
	if err != nil {
		return chain.Member{}, fmt.Errorf("member %q: %w", s, err)
	}
	return chain.Member{Node: name, Inc: inc}, nil
}

func textRow(r chain.Row) *rowText {
	t := &rowText{Epoch: r.Epoch, Recruit: textMember(r.Recruit), Restored: r.Restored, Members: []string{}}
	for _, m := range r.Members {
		t.Members = append(t.Members, textMember(m))
	}
	return t
}

// row checks what a row is believed to be everywhere: it has an epoch and members,
// and nobody is in it twice.
func (t *rowText) row(id chain.ID) (chain.Row, error) {
	r := chain.Row{Chain: id, Epoch: t.Epoch, Restored: t.Restored}
	if t.Epoch == 0 || len(t.Members) == 0 || len(t.Members) > maxMembers {
		return r, fmt.Errorf("%w: row of chain %d with epoch %d and %d members", ErrBad, id, t.Epoch, len(t.Members))
	}
	for _, s := range t.Members {
		m, err := parseMember(s)
		if err != nil {
			return r, fmt.Errorf("row of chain %d: %w", id, err)
		}
		if m.IsZero() || !r.Node(m.Node).IsZero() {
			return r, fmt.Errorf("%w: row of chain %d with member %q", ErrBad, id, s)
		}
		r.Members = append(r.Members, m)
	}
	m, err := parseMember(t.Recruit)
	if err != nil {
		return r, fmt.Errorf("row of chain %d: %w", id, err)
	}
	if !m.IsZero() && !r.Node(m.Node).IsZero() {
		return r, fmt.Errorf("%w: row of chain %d with recruit %q", ErrBad, id, t.Recruit)
	}
	r.Recruit = m
	return r, nil
}

// parseRow reads a row.
func parseRow(id chain.ID, value []byte) (chain.Row, error) {
	var t rowText
	if err := decode(value, &t); err != nil {
		return chain.Row{}, fmt.Errorf("row of chain %d: %w", id, err)
	}
	return t.row(id)
}

// checkRow returns ErrBad for a row that could not be read again.
func checkRow(r chain.Row) error {
	if r.Chain >= chain.Chains {
		return fmt.Errorf("%w: chain %d", ErrBad, r.Chain)
	}
	_, err := textRow(r).row(r.Chain)
	return err
}

func textHeld(inc chain.Incarnation, held map[chain.ID]Holding) heldText {
	t := heldText{Inc: inc, Chains: []holdingText{}}
	for id := range chain.ID(chain.Chains) {
		if h, ok := held[id]; ok {
			one := holdingText{Chain: id, Inc: h.Inc, LSN: h.LSN}
			if h.Row.Epoch != 0 {
				one.Row = textRow(h.Row)
			}
			t.Chains = append(t.Chains, one)
		}
	}
	return t
}

// parseHeld reads what a node held, and the incarnation that said so.
func parseHeld(value []byte) (chain.Incarnation, map[chain.ID]Holding, error) {
	var t heldText
	if err := decode(value, &t); err != nil {
		return 0, nil, err
	}
	held := make(map[chain.ID]Holding, len(t.Chains))
	for _, one := range t.Chains {
		h := Holding{Inc: one.Inc, LSN: one.LSN}
		if one.Chain >= chain.Chains || h.Inc == 0 {
			return 0, nil, fmt.Errorf("%w: chain %d held by incarnation %d", ErrBad, one.Chain, h.Inc)
		}
		if one.Row != nil {
			row, err := one.Row.row(one.Chain)
			if err != nil {
				return 0, nil, err
			}
			h.Row = row
		}
		held[one.Chain] = h
	}
	return t.Inc, held, nil
}

// parseSilent reads with whom a node has no connection.
func parseSilent(value []byte) (t silentText, err error) {
	if err = decode(value, &t); err != nil {
		return t, err
	}
	if t.Inc == 0 || len(t.Nodes) > maxSilent {
		return t, fmt.Errorf("%w: incarnation %d has no connection with %d nodes", ErrBad, t.Inc, len(t.Nodes))
	}
	for _, name := range t.Nodes {
		if err = checkName(name); err != nil {
			return t, err
		}
	}
	return t, nil
}

// parseReportText reads a report.
func parseReportText(value []byte) (r plan.Report, err error) {
	var t reportText
	if err = decode(value, &t); err == nil {
		r.Epoch = t.Epoch
		r.Member, err = parseMember(t.Member)
	}
	return r, err
}

func textSettings(s Settings) settingsText {
	return settingsText{Replicas: s.Replicas, Lease: s.Lease.String()}
}

// parseSettings reads the settings.
func parseSettings(value []byte) (s Settings, err error) {
	var t settingsText
	if err = decode(value, &t); err != nil {
		return s, err
	}
	s.Replicas = t.Replicas
	if s.Lease, err = time.ParseDuration(t.Lease); err != nil {
		return s, fmt.Errorf("%w: lease: %w", ErrBad, err)
	}
	return s, s.check()
}
