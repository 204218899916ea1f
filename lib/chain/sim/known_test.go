package sim

import (
	"bytes"
	"fmt"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// judge works out what has to come of a record, with all requests there ever
// were in mind.
func (c *checker) judge(rec *chain.Record) chain.Outcome {
	o := chain.Outcome{Verdict: chain.Applied, LSN: rec.LSN}
	if rec.LSN > rec.Base+window {
		o.Verdict = chain.Expired
		return o
	}
	if was, ok := c.requests[rec.Request]; ok {
		return chain.Outcome{Verdict: chain.Duplicate, LSN: was.LSN}
	}
	for i, cond := range rec.Conds {
		found, version, _ := c.at(cond.Key, rec.LSN-1)
		if cond.Kind == chain.AtVersion && version != cond.Version || cond.Kind == chain.Exists && !found {
			o = chain.Outcome{Verdict: chain.Conflict, LSN: rec.LSN, Cond: uint32(i), Version: version}
			c.requests[rec.Request] = o
			return o
		}
	}
	c.requests[rec.Request] = o
	for _, op := range rec.Ops {
		v := value{from: rec.LSN, found: op.Kind == chain.Put, data: op.Value}
		k := string(op.Key)
		if n := len(c.values[k]); n > 0 && c.values[k][n-1].from == rec.LSN {
			c.values[k] = c.values[k][:n-1]
		}
		c.values[k] = append(c.values[k], v)
	}
	return o
}

// at is what a key had after an LSN.
func (c *checker) at(key []byte, lsn chain.LSN) (found bool, version chain.LSN, data []byte) {
	vs := c.values[string(key)]
	for i := len(vs) - 1; i >= 0; i-- {
		if vs[i].from <= lsn {
			if !vs[i].found {
				return false, 0, nil
			}
			return true, vs[i].from, vs[i].data
		}
	}
	return false, 0, nil
}

// puts reports whether the record of an item's version took effect, and puts it.
func (c *checker) puts(it chain.Item) bool {
	if it.Version == 0 || it.Version > c.last() {
		return false
	}
	was := c.committed[it.Version-1]
	for _, op := range was.rec.Ops {
		if op.Kind == chain.Put && bytes.Equal(op.Key, it.Key) && bytes.Equal(op.Value, it.Value) {
			return was.outcome.Verdict == chain.Applied
		}
	}
	return false
}

// shows reports whether keys had these values after an LSN.
func (c *checker) shows(keys [][]byte, values []chain.Value, lsn chain.LSN) bool {
	for i, k := range keys {
		found, version, data := c.at(k, lsn)
		if v := values[i]; v.Found != found || v.Version != version || !bytes.Equal(v.Data, data) {
			return false
		}
	}
	return true
}

// raise takes in what somebody was told or shown.
func (c *checker) raise(lsn chain.LSN) {
	if lsn > c.floor {
		c.floor = lsn
		c.floors = append(c.floors, floorAt{c.w.now, lsn})
	}
}

// floorBefore is what was known at a time.
func (c *checker) floorBefore(at time.Duration) chain.LSN {
	for i := len(c.floors) - 1; i >= 0; i-- {
		if c.floors[i].at <= at {
			return c.floors[i].floor
		}
	}
	return 0
}

// sent counts the effects of a replica that tell which of its parts were at work.
func (c *checker) sent(e replica.Effect) {
	switch e := e.(type) {
	case replica.Send:
		switch m := e.Body.(type) {
		case chain.Propose, chain.VersionQuery, chain.Confirm, chain.StaleEpoch:
			c.counts[fmt.Sprintf("%T", m)]++
		case chain.SnapAck:
			if m.Done {
				c.counts["copies to recruits"]++
			}
		}
	case replica.Reply:
		switch m := e.Body.(type) {
		case chain.SnapEnd:
			c.counts["copies to subscribers"]++
		case chain.ReadReply:
			c.counts["reads "+m.Status.String()]++
		case chain.ProposeReply:
			c.counts["writes "+m.Status.String()]++
		}
	case replica.Report:
		c.counts[[...]string{1: "ready", 2: "stalled", 3: "fenced", 4: "silent"}[e.Kind]]++
	}
}
