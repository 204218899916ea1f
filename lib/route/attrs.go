package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Community is one of RFC 1997: the number of an AS and a number of its own.
type Community uint32

// GracefulShutdown asks neighbours to prefer any other path (RFC 8326, section 5).
const GracefulShutdown Community = 0xffff0000

// A Large is a large community of RFC 8092: the number of an AS and two of its own.
type Large [3]uint32

// Attrs are the path attributes that a route can be given. The zero Attrs adds
// none.
type Attrs struct {
	MED         *uint32 // MULTI_EXIT_DISC; nil is none
	Prepend     int     // how many times more the AS stands in AS_PATH; up to MaxPrepend
	Communities []Community
	Large       []Large
}

// Equal tells whether a and b say the same in the same order.
func (a Attrs) Equal(b Attrs) bool {
	return (a.MED == nil) == (b.MED == nil) && (a.MED == nil || *a.MED == *b.MED) && a.Prepend == b.Prepend &&
		slices.Equal(a.Communities, b.Communities) && slices.Equal(a.Large, b.Large)
}

// Over gives a with what it does not say taken from below.
func (a Attrs) Over(below Attrs) Attrs {
	if a.MED == nil {
		a.MED = below.MED
	}
	if a.Prepend == 0 {
		a.Prepend = below.Prepend
	}
	if a.Communities == nil {
		a.Communities = below.Communities
	}
	if a.Large == nil {
		a.Large = below.Large
	}
	return a
}

// String gives the words of a, each with a space before it, or "".
func (a Attrs) String() string {
	var b strings.Builder
	if a.MED != nil {
		fmt.Fprintf(&b, " med %d", *a.MED)
	}
	if a.Prepend > 0 {
		fmt.Fprintf(&b, " prepend %d", a.Prepend)
	}
	for _, c := range a.Communities {
		b.WriteString(" community " + c.String())
	}
	for _, l := range a.Large {
		b.WriteString(" large " + l.String())
	}
	return b.String()
}

// String gives the form A:B.
func (c Community) String() string { return fmt.Sprintf("%d:%d", c>>16, c&0xffff) }

// String gives the form A:B:C.
func (l Large) String() string { return fmt.Sprintf("%d:%d:%d", l[0], l[1], l[2]) }

// parseAttrs reads pairs of a name and a value.
func parseAttrs(w []string) (Attrs, error) {
	var a Attrs
	for len(w) > 0 {
		if len(w) == 1 {
			return Attrs{}, fmt.Errorf("%w: %q has no value", ErrLine, w[0])
		}
		if err := a.Set(w[0], w[1]); err != nil {
			return Attrs{}, err
		}
		w = w[2:]
	}
	return a, nil
}

// Set adds the attribute of a name, med, prepend, community or large, from its text.
// An error wraps ErrLine.
func (a *Attrs) Set(name, value string) (err error) {
	twice := false
	switch name {
	case "med":
		var n uint64
		n, err = number(value, 1<<32-1)
		med := uint32(n)
		twice, a.MED = a.MED != nil, &med
	case "prepend":
		var n uint64
		n, err = number(value, MaxPrepend)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: prepend 0 adds nothing", ErrLine)
		}
		twice, a.Prepend = a.Prepend != 0, int(n)
	case "community":
		var c Community
		c, err = parseCommunity(value)
		twice = slices.Contains(a.Communities, c) || len(a.Communities) == MaxCommunities
		a.Communities = append(a.Communities, c)
	case "large":
		var l Large
		l, err = parseLarge(value)
		twice = slices.Contains(a.Large, l) || len(a.Large) == MaxCommunities
		a.Large = append(a.Large, l)
	default:
		return fmt.Errorf("%w: unknown attribute %q", ErrLine, name)
	}
	if err == nil && twice {
		return fmt.Errorf("%w: one %s too many: %q", ErrLine, name, value)
	}
	return err
}

func parseCommunity(text string) (Community, error) {
	n, err := numbers(text, 2, 1<<16-1)
	if err != nil {
		return 0, fmt.Errorf("%w: community %q is not A:B with numbers up to 65535", ErrLine, text)
	}
	return Community(n[0]<<16 | n[1]), nil
}

func parseLarge(text string) (Large, error) {
	n, err := numbers(text, 3, 1<<32-1)
	if err != nil {
		return Large{}, fmt.Errorf("%w: large community %q is not A:B:C with numbers up to 4294967295", ErrLine, text)
	}
	return Large{uint32(n[0]), uint32(n[1]), uint32(n[2])}, nil
}

// numbers reads so many numbers with colons between them.
func numbers(text string, count int, max uint64) ([]uint64, error) {
	parts := strings.Split(text, ":")
	if len(parts) != count {
		return nil, ErrLine
	}
	list := make([]uint64, count)
	for i, p := range parts {
		n, err := number(p, max)
		if err != nil {
			return nil, err
		}
		list[i] = n
	}
	return list, nil
}

// number reads a decimal number.
func number(text string, max uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > max {
		return 0, fmt.Errorf("%w: %q is not a number up to %d", ErrLine, text, max)
	}
	return n, nil
}
