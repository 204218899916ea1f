package anycast

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"namecast/lib/ndb"
)

// A setter takes the value of an attribute.
type setter func(value string) error

// set hands each attribute to its setter. Only those of many may come more than once.
func set(record ndb.Record, setters map[string]setter, many ...string) error {
	seen := map[string]bool{}
	for _, name := range many {
		seen[name] = false
	}
	for _, a := range record {
		f, known := setters[a.Name]
		if !known {
			return fmt.Errorf("unknown attribute %q", a.Name)
		}
		if seen[a.Name] {
			return fmt.Errorf("%s= twice", a.Name)
		}
		if err := f(a.Value); err != nil {
			return fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
		}
		if _, may := seen[a.Name]; !may {
			seen[a.Name] = true
		}
	}
	return nil
}

// text takes any value but none.
func text(to *string) setter {
	return func(v string) error {
		if v == "" {
			return errors.New("no value")
		}
		*to = v
		return nil
	}
}

// flag is an attribute without a value.
func flag(to *bool) setter {
	return func(v string) error {
		if v != "" {
			return errors.New("it takes no value")
		}
		*to = true
		return nil
	}
}

func address(to *netip.Addr) setter {
	return func(v string) (err error) {
		if *to, err = netip.ParseAddr(v); err != nil {
			return fmt.Errorf("%q is no address", v)
		}
		return nil
	}
}

func addrPort(to *netip.AddrPort) setter {
	return func(v string) (err error) {
		if *to, err = netip.ParseAddrPort(v); err != nil || to.Port() == 0 {
			return fmt.Errorf("%q is no address with a port", v)
		}
		return nil
	}
}

func duration(to *time.Duration, low, high time.Duration) setter {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < low || d > high {
			return fmt.Errorf("%q is no time within %s to %s", v, low, high)
		}
		*to = d
		return nil
	}
}

// number takes a decimal number within bounds, which *to can hold.
func number[T ~int | ~uint16 | ~uint32](to *T, low, high uint64) setter {
	return func(v string) error {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is no number within %d to %d", v, low, high)
		}
		*to = T(n)
		return nil
	}
}
