package watch

import (
	"testing"
	"time"
)

// oneWell: one other node announces and is well, and one fails.
var oneWell = map[string]Standing{"b": StandsAnnounced, "c": StandsFailing}

// table is that of the package's comment, for a node that fails.
var table = []struct {
	name    string
	peers   map[string]Standing
	minLive int
	alone   bool
	keep    bool
	dead    bool
	want    Route
	row     string
}{
	{name: "another is well", peers: oneWell, want: Withdraw, row: "others are well"},
	{name: "another is well, dead", peers: oneWell, dead: true, want: Withdraw, row: "others are well"},
	{name: "fewer are well than have to stay", peers: oneWell, minLive: 2, want: Last, row: "nobody else is well"},
	{name: "another is drained", peers: map[string]Standing{"b": StandsDrained}, want: Last, row: "nobody else is well"},
	{name: "another is held down", peers: map[string]Standing{"b": StandsWithdrawn}, want: Last, row: "nobody else is well"},
	{name: "none is well", peers: map[string]Standing{"b": StandsFailing, "c": StandsFailing}, want: Last, row: "nobody else is well"},
	{name: "none is well, dead", peers: map[string]Standing{"b": StandsFailing}, dead: true, want: Withdraw, row: "nobody answers here"},
	{name: "nobody heard", want: Last, row: "nobody heard"},
	{name: "nobody heard, dead", dead: true, want: Withdraw, row: "nobody answers here"},
	{name: "alone", alone: true, want: Withdraw, row: "alone"},
	{name: "alone, dead", alone: true, dead: true, want: Withdraw, row: "nobody answers here"},
	{name: "alone and kept", alone: true, keep: true, want: Last, row: "alone: kept"},
	{name: "alone and kept, dead", alone: true, keep: true, dead: true, want: Withdraw, row: "nobody answers here"},
}

func TestTable(t *testing.T) {
	for _, test := range table {
		t.Run(test.name, func(t *testing.T) {
			c := standard("b", "c")
			c.MinLive, c.Keep = test.minLive, test.keep
			c.Components[0].Restart = false
			if test.alone {
				c.Peers = nil
			}
			b := up(t, c)
			b.peers = test.peers
			b.run(2 * time.Second)
			b.want(Announce)
			if test.dead {
				b.do(Exited{"dns", "killed"})
			} else {
				b.look["udp"] = Fail
				b.run(time.Second)
			}
			b.want(test.want, test.row)
		})
	}
}
