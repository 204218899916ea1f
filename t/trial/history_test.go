package trial

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"namecast/lib/chain"
)

// The ends that an operation can have.
const (
	done    = "done"    // there was an answer
	unknown = "unknown" // of a write: it may have taken effect, or may yet
	denied  = "denied"  // it has had no effect and will have none
)

// An op is one operation of a client, from its call to its return, by the driver's
// boot clock.
type op struct {
	ID      int    `json:"id"`
	Client  string `json:"client"`
	Chain   chain.ID
	Object  string
	Call    time.Duration
	Return  time.Duration
	End     string
	Error   string `json:",omitempty"`
	Write   *write `json:",omitempty"`
	Read    *read  `json:",omitempty"`
	Strange string `json:",omitempty"` // what the driver itself found wrong
}

// A write puts or deletes some keys of an object if conditions hold. Keys are
// numbers, from 0.
type write struct {
	Conds   []cond `json:",omitempty"`
	Puts    []put
	Outcome chain.Outcome // if it is done
}

type cond struct {
	Key     int
	Exists  bool      `json:",omitempty"`
	Version chain.LSN `json:",omitempty"`
}

// A put has the value that a key gets, or "" to delete it.
type put struct {
	Key  int
	Data string
}

// A read is of some keys of an object, all as of one LSN.
type read struct {
	Mode   chain.Mode
	MaxAge time.Duration `json:",omitempty"`
	MinLSN chain.LSN     `json:",omitempty"`
	Keys   []int
	LSN    chain.LSN // and the values, if it is done
	Values []value   `json:",omitempty"`
}

// A value is what a key had: no data and version 0 if it was not there.
type value struct {
	Version chain.LSN
	Data    string
}

// done reports whether the operation was answered.
func (o *op) done() bool { return o.End == done }

// applied reports whether it is a write that is known to have taken effect.
func (o *op) applied() bool {
	return o.Write != nil && o.done() && o.Write.Outcome.Verdict == chain.Applied
}

// lsn is the LSN that the answer tells.
func (o *op) lsn() chain.LSN {
	if o.Write != nil {
		return o.Write.Outcome.LSN
	}
	return o.Read.LSN
}

// deletes reports whether a write deletes something.
func (o *op) deletes() bool {
	for _, p := range o.Write.Puts {
		if p.Data == "" {
			return true
		}
	}
	return false
}

func (o *op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s chain %d %s ", o.ID, o.Client, o.Chain, o.Object)
	if w := o.Write; w != nil {
		b.WriteString("write")
		for _, c := range w.Conds {
			if c.Exists {
				fmt.Fprintf(&b, " if %d is there", c.Key)
			} else {
				fmt.Fprintf(&b, " if %d@%d", c.Key, c.Version)
			}
		}
		for _, p := range w.Puts {
			fmt.Fprintf(&b, " %d=%q", p.Key, p.Data)
		}
		if o.done() {
			fmt.Fprintf(&b, " -> %v at %d", w.Outcome.Verdict, w.Outcome.LSN)
			if w.Outcome.Verdict == chain.Conflict {
				fmt.Fprintf(&b, " (condition %d, version %d)", w.Outcome.Cond, w.Outcome.Version)
			}
		}
	} else {
		o.Read.describe(&b)
	}
	if !o.done() {
		fmt.Fprintf(&b, " -> %s: %s", o.End, o.Error)
	}
	fmt.Fprintf(&b, " [%.6f, %.6f]", o.Call.Seconds(), o.Return.Seconds())
	return b.String()
}

func (r *read) describe(b *strings.Builder) {
	fmt.Fprintf(b, "read %s %v", map[chain.Mode]string{chain.Strong: "strong", chain.Bounded: "bounded", chain.Eventual: "eventual"}[r.Mode], r.Keys)
	if r.MaxAge != 0 {
		fmt.Fprintf(b, " of %v", r.MaxAge)
	}
	if r.Values == nil {
		return
	}
	fmt.Fprintf(b, " -> at %d", r.LSN)
	for _, v := range r.Values {
		fmt.Fprintf(b, " %q@%d", v.Data, v.Version)
	}
}

// writeHistory writes operations to a file, one on each line.
func writeHistory(path string, ops []*op) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	e := json.NewEncoder(w)
	for _, o := range ops {
		if err := e.Encode(o); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

// readHistory reads what writeHistory wrote.
func readHistory(path string) (ops []*op, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReader(f))
	for {
		o := new(op)
		if err := d.Decode(o); errors.Is(err, io.EOF) {
			return ops, nil
		} else if err != nil {
			return nil, fmt.Errorf("history %s: %w", path, err)
		}
		ops = append(ops, o)
	}
}
