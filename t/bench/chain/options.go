package main

import (
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	short     bool
	out       string
	name      string
	rows      string
	rounds    int
	measure   time.Duration
	kills     int
	recruitMB int
	sets      int
	percent   int
	tools     string
	dir       string
	serverCPU int
	loadCPU   int
	limit     time.Duration

	echo, identity string // of the echo, which is this program
}

const allRows = "1,2,3,4,5,6,7,8,9,10,11,12,13,14"

// parse reads the command line; problem tells what is wrong with it.
func parse() (o *options, problem string) {
	o = &options{}
	flag.BoolVar(&o.short, "short", false, "few short rounds, all within two minutes")
	flag.StringVar(&o.out, "o", "", "`folder` of the tables (default t/bench/chain/results)")
	flag.StringVar(&o.name, "name", "", "`name` of the tables' files (default full, short)")
	flag.StringVar(&o.rows, "rows", "", "`numbers` of rows, with commas (default all, short all but 14)")
	flag.IntVar(&o.rounds, "rounds", 0, "`number` of rounds (default 7, short 3)")
	flag.DurationVar(&o.measure, "time", 0, "`time` for each measurement of a round (default 3s, short 500ms)")
	flag.IntVar(&o.kills, "kills", 0, "`number` of nodes that are killed, and as many that are frozen (default 12, short 1)")
	flag.IntVar(&o.recruitMB, "recruit", 0, "`MiB` that a recruit copies (default 1024, short 64)")
	flag.IntVar(&o.sets, "sets", 3000000, "`number` of RRsets whose memory is measured")
	flag.IntVar(&o.percent, "percent", 10, "`percent` of a processor that a node has in rows 1, 2 and 6")
	flag.StringVar(&o.tools, "tools", "", "`folder` of nc-chain, nc-keygen, nc-serve and etcd (default built from this tree)")
	flag.StringVar(&o.dir, "dir", "", "`folder` for databases, on the disk to measure (default a temporary one)")
	flag.IntVar(&o.serverCPU, "server-cpu", 0, "`processor` of the nodes and of etcd")
	flag.IntVar(&o.loadCPU, "load-cpu", min(1, runtime.NumCPU()-1), "`processor` of the load")
	flag.DurationVar(&o.limit, "limit", 0, "give up after this `time` (default 2h, short 10m)")
	flag.StringVar(&o.echo, "echo", "", "answer frames on this `address`, and do nothing else")
	flag.StringVar(&o.identity, "identity", "", "`file` of who the echo is")
	flag.Parse()
	return o, o.complete(flag.Args())
}

// complete fills in what the command line does not say, and tells what is wrong.
func (o *options) complete(args []string) string {
	usual := options{name: "full", rows: allRows, rounds: 7, measure: 3 * time.Second, kills: 12, recruitMB: 1024, limit: 2 * time.Hour}
	if o.short {
		usual = options{name: "short", rows: strings.TrimSuffix(allRows, ",14"), rounds: 3, measure: 500 * time.Millisecond, kills: 1, recruitMB: 64, limit: 10 * time.Minute}
	}
	set(&o.name, usual.name)
	set(&o.rows, usual.rows)
	set(&o.rounds, usual.rounds)
	set(&o.measure, usual.measure)
	set(&o.kills, usual.kills)
	set(&o.recruitMB, usual.recruitMB)
	set(&o.limit, usual.limit)
	for word := range strings.SplitSeq(o.rows, ",") {
		if !has(allRows, word) {
			return fmt.Sprintf("no row %q", word)
		}
	}
	switch {
	case len(args) > 0:
		return fmt.Sprintf("unexpected argument %q", args[0])
	case o.rounds < 1 || o.kills < 1 || o.recruitMB < 1 || o.recruitMB > 16384 || o.sets < 1 || o.sets > 20000000:
		return "a number is out of range"
	case o.percent < 5 || o.percent > 100:
		return fmt.Sprintf("-percent %d: not within 5 to 100", o.percent)
	case o.serverCPU < 0 || o.serverCPU >= runtime.NumCPU() || o.loadCPU < 0 || o.loadCPU >= runtime.NumCPU():
		return fmt.Sprintf("there are processors 0 to %d", runtime.NumCPU()-1)
	case o.echo != "" && o.identity == "":
		return "-echo needs -identity"
	}
	return ""
}

// wanted tells whether a row was asked for.
func (o *options) wanted(row int) bool { return has(o.rows, strconv.Itoa(row)) }

// warm is how long a load runs before it counts.
func (o *options) warm() time.Duration { return max(o.measure/4, 150*time.Millisecond) }

func set[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// has tells whether a list has a word.
func has(list, word string) bool { return strings.Contains(","+list+",", ","+word+",") }
