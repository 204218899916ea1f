package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Kind is the first word of a state.
type Kind string

// The states.
const (
	OK    Kind = "ok"
	Error Kind = "error"
	Peer  Kind = "peer"
	Route Kind = "route"
	BFD   Kind = "bfd"
	Order Kind = "order"
	Lost  Kind = "lost"
	// BeatLost is the line "beat lost".
	BeatLost Kind = "beat"
)

// A Condition is what a state says of its subject.
type Condition string

// Conditions of a session of BGP (RFC 4271, section 8.2.2), with Down for one that
// was closed for good.
const (
	Idle        Condition = "idle"
	Connect     Condition = "connect"
	Active      Condition = "active"
	OpenSent    Condition = "opensent"
	OpenConfirm Condition = "openconfirm"
	Established Condition = "established"
	Down        Condition = "down" // also of BFD
)

// Conditions of a route, of BFD, and of an order.
const (
	Announced Condition = "announced"
	Drained   Condition = "drained"
	Withdrawn Condition = "withdrawn" // also of an order
	Up        Condition = "up"
	Ended     Condition = "ended"
)

// conditions are those that each kind can have.
var conditions = map[Kind][]Condition{
	Peer:  {Idle, Connect, Active, OpenSent, OpenConfirm, Established, Down},
	Route: {Announced, Drained, Withdrawn},
	BFD:   {Up, Down},
	Order: {Withdrawn, Ended},
}

// A State is one line from who announces to who decides.
type State struct {
	Kind   Kind
	N      int          // of OK and Error: which command, from 1; of Lost: how many
	Text   string       // of OK: the command; of Error: why
	Addr   netip.Addr   // of Peer and BFD
	Prefix netip.Prefix // of Route and Order
	Is     Condition    // of Peer, Route, BFD and Order
	Out    int          // of Route: in how many sessions it is announced
	Of     int          // of Route: how many sessions are established
	Until  time.Time    // of an order for withdrawal: its end, in whole seconds
	By     []string     // of an order for withdrawal: the nodes that gave it
}

// ParseState reads a line, with or without its end. An error wraps ErrLine.
func ParseState(line string) (State, error) {
	w, err := words(line)
	if err != nil {
		return State{}, err
	}
	s := State{Kind: Kind(w[0])}
	args := w[1:]
	switch {
	case len(args) == 0:
		err = fmt.Errorf("%w: %q has no more words", ErrLine, line)
	case s.Kind == OK, s.Kind == Error:
		s.N, err = count(args[0])
		s.Text = strings.Join(args[1:], " ")
	case s.Kind == Peer, s.Kind == BFD:
		err = s.parsePeer(args)
	case s.Kind == Route:
		err = s.parseRoute(args)
	case s.Kind == Order:
		err = s.parseOrder(args)
	case s.Kind == Lost && len(args) == 1:
		s.N, err = count(args[0])
	case s.Kind == BeatLost && len(args) == 1 && args[0] == "lost":
	default:
		err = fmt.Errorf("%w: unknown state %q", ErrLine, line)
	}
	if err != nil {
		return State{}, err
	}
	return s, nil
}

func (s *State) parsePeer(args []string) error {
	var err error
	if s.Addr, err = netip.ParseAddr(args[0]); err != nil {
		return fmt.Errorf("%w: %q is no address", ErrLine, args[0])
	}
	return s.parseCondition(args, 2)
}

func (s *State) parseRoute(args []string) error {
	var err error
	if s.Prefix, err = ParsePrefix(args[0]); err != nil {
		return err
	}
	if err = s.parseCondition(args, 3); err != nil {
		return err
	}
	out, of, _ := strings.Cut(args[2], "/")
	if s.Out, err = count(out); err == nil {
		s.Of, err = count(of)
	}
	return err
}

func (s *State) parseOrder(args []string) error {
	var err error
	if s.Prefix, err = ParsePrefix(args[0]); err != nil {
		return err
	}
	if len(args) > 1 && args[1] == string(Ended) {
		return s.parseCondition(args, 2)
	}
	if err = s.parseCondition(args, 4); err != nil {
		return err
	}
	until, err := number(args[2], 1<<40)
	s.Until = time.Unix(int64(until), 0)
	s.By = strings.Split(args[3], ",")
	if err == nil && slices.Contains(s.By, "") {
		err = fmt.Errorf("%w: order by %q", ErrLine, args[3])
	}
	return err
}

// parseCondition reads the second of so many words.
func (s *State) parseCondition(args []string, want int) error {
	if len(args) != want {
		return fmt.Errorf("%w: %s with %d words, not %d", ErrLine, s.Kind, len(args), want)
	}
	s.Is = Condition(args[1])
	if !slices.Contains(conditions[s.Kind], s.Is) {
		return fmt.Errorf("%w: unknown condition of %s: %q", ErrLine, s.Kind, args[1])
	}
	return nil
}

// count reads a number of things.
func count(text string) (int, error) {
	n, err := number(text, 1<<31-1)
	return int(n), err
}

// String gives the line without its end.
func (s State) String() string {
	switch s.Kind {
	case OK, Error:
		return clip(fmt.Sprintf("%s %d %s", s.Kind, s.N, s.Text))
	case Peer, BFD:
		return fmt.Sprintf("%s %s %s", s.Kind, s.Addr, s.Is)
	case Route:
		return fmt.Sprintf("%s %s %s %d/%d", s.Kind, s.Prefix, s.Is, s.Out, s.Of)
	case Order:
		if s.Is == Ended {
			return fmt.Sprintf("%s %s %s", s.Kind, s.Prefix, s.Is)
		}
		return clip(fmt.Sprintf("%s %s %s %d %s", s.Kind, s.Prefix, s.Is, s.Until.Unix(), strings.Join(s.By, ",")))
	case Lost:
		return string(s.Kind) + " " + strconv.Itoa(s.N)
	}
	return string(s.Kind) + " lost"
}
