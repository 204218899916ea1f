package route

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// MaxLine is the longest line of either direction in octets, without its end.
const MaxLine = 2048

// Limits of what a command says.
const (
	MaxPrepend     = 16                     // times that the AS is prepended
	MaxCommunities = 16                     // communities, and as many large ones
	MinBeat        = 100 * time.Millisecond // shortest silence that can be lost
	MaxBeat        = 10 * time.Minute
)

// ErrLine: a line is none of the language.
var ErrLine = errors.New("bad line")

// A Verb is the first word of a command.
type Verb string

// The commands.
const (
	Announce Verb = "announce"
	Drain    Verb = "drain"
	Withdraw Verb = "withdraw"
	Beat     Verb = "beat"
	Status   Verb = "status"
	Quit     Verb = "quit"
)

// A Command is one line from who decides to who announces.
type Command struct {
	Verb   Verb
	Prefix netip.Prefix  // of Announce, Drain and Withdraw
	Attrs  Attrs         // of Announce; of Drain only Prepend
	Why    string        // of Withdraw: for a person, may be empty
	Beat   time.Duration // of Beat: whole milliseconds, MinBeat to MaxBeat
}

// ParseCommand reads a line, with or without its end. An error wraps ErrLine.
func ParseCommand(line string) (Command, error) {
	w, err := words(line)
	if err != nil {
		return Command{}, err
	}
	c := Command{Verb: Verb(w[0])}
	args := w[1:]
	switch c.Verb {
	case Announce, Drain, Withdraw:
		err = c.parseRoute(args)
	case Beat:
		c.Beat, err = parseBeat(args)
	case Status, Quit:
		if len(args) > 0 {
			err = fmt.Errorf("%w: %s takes no %q", ErrLine, c.Verb, args[0])
		}
	default:
		err = fmt.Errorf("%w: unknown command %q", ErrLine, w[0])
	}
	if err != nil {
		return Command{}, err
	}
	return c, nil
}

// parseRoute reads what follows the verb of a command about a prefix.
func (c *Command) parseRoute(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: %s needs a prefix", ErrLine, c.Verb)
	}
	var err error
	if c.Prefix, err = ParsePrefix(args[0]); err != nil {
		return err
	}
	if c.Verb == Withdraw {
		c.Why = strings.Join(args[1:], " ")
		return nil
	}
	if c.Attrs, err = parseAttrs(args[1:]); err != nil {
		return err
	}
	if c.Verb == Drain && !c.Attrs.Equal(Attrs{Prepend: c.Attrs.Prepend}) {
		return fmt.Errorf("%w: drain takes no attribute but prepend", ErrLine)
	}
	return nil
}

func parseBeat(args []string) (time.Duration, error) {
	if len(args) != 1 {
		return 0, fmt.Errorf("%w: beat needs one number of milliseconds", ErrLine)
	}
	ms, err := number(args[0], uint64(MaxBeat/time.Millisecond))
	beat := time.Duration(ms) * time.Millisecond
	if err != nil || beat < MinBeat {
		return 0, fmt.Errorf("%w: beat %q is not within %d to %d ms", ErrLine, args[0], MinBeat.Milliseconds(), MaxBeat.Milliseconds())
	}
	return beat, nil
}

// ParsePrefix reads a prefix whose address has no bits beyond its length. An IPv4
// prefix in the clothes of IPv6 is refused: it is not what anybody announces.
func ParsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%w: %q is no prefix", ErrLine, text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%w: prefix %q is IPv4 within IPv6", ErrLine, text)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%w: prefix %q has bits beyond its length: %s has not", ErrLine, text, p.Masked())
	}
	return p, nil
}

// String gives the line without its end.
func (c Command) String() string {
	switch c.Verb {
	case Announce:
		return string(c.Verb) + " " + c.Prefix.String() + c.Attrs.String()
	case Drain:
		return string(c.Verb) + " " + c.Prefix.String() + Attrs{Prepend: c.Attrs.Prepend}.String()
	case Withdraw:
		return clip(string(c.Verb) + " " + c.Prefix.String() + " " + c.Why)
	case Beat:
		return string(c.Verb) + " " + strconv.FormatInt(c.Beat.Milliseconds(), 10)
	}
	return string(c.Verb)
}
