package chain

import "fmt"

// String is the beginning of the hash, for logs.
func (h Hash) String() string { return fmt.Sprintf("%x", h[:4]) }

// String is the request in hexadecimal digits.
func (q RequestID) String() string { return fmt.Sprintf("%x", q[:]) }

func (o Op) String() string {
	if o.Kind == Delete {
		return fmt.Sprintf("delete %q", o.Key)
	}
	return fmt.Sprintf("put %q=%q", o.Key, o.Value)
}

func (c Cond) String() string {
	if c.Kind == Exists {
		return fmt.Sprintf("exists %q", c.Key)
	}
	return fmt.Sprintf("%q at %d", c.Key, c.Version)
}

func (it Item) String() string { return fmt.Sprintf("%q=%q at %d", it.Key, it.Value, it.Version) }

func (v Value) String() string {
	if !v.Found {
		return "nothing"
	}
	return fmt.Sprintf("%q at %d", v.Data, v.Version)
}

func (v Verdict) String() string {
	names := [...]string{"none", "applied", "conflict", "expired", "duplicate"}
	if int(v) >= len(names) {
		return fmt.Sprintf("verdict %d", uint8(v))
	}
	return names[v]
}

func (s Status) String() string {
	names := [...]string{
		"none", "done", "not the head", "busy", "too few members", "not serving",
		"unknown", "bad request", "unconfirmed",
	}
	if int(s) >= len(names) {
		return fmt.Sprintf("status %d", uint8(s))
	}
	return names[s]
}
