package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"namecast/t/bench/load"
)

// What there is to choose from.
const (
	allServers = "echo,nc-serve,nsd,knot,bind,pdns,pdns-mysql"
	allWorks   = "mixed,uniform,flood,resolver,negatives,updates,dnsperf"
)

// options are what the command line says.
type options struct {
	short       bool
	check       string
	plot        string
	profile     string
	out         string
	name        string
	accounts    int
	rounds      int
	measure     time.Duration
	servers     string
	works       string
	ncServe     string
	dir         string
	serverCPU   int
	loadCPU     int
	outstanding int
	pace        int
	limit       time.Duration
}

func parse() *options {
	o := &options{}
	echo := flag.String("echo", "", "send packets to this `address` back, and do nothing else")
	flag.BoolVar(&o.short, "short", false, "three short rounds with NSD and Knot only")
	flag.StringVar(&o.check, "check", "", "compare with this `file`, and write none")
	flag.StringVar(&o.plot, "plot", "", "draw the charts of this `file` beside it, and measure nothing")
	flag.StringVar(&o.profile, "profile", "", "leave profiles of nc-serve in this `folder`, and write no table")
	flag.StringVar(&o.out, "o", "", "`folder` of the tables (default t/bench/results)")
	flag.StringVar(&o.name, "name", "", "`name` of the tables' files (default full, short)")
	flag.IntVar(&o.accounts, "accounts", 0, "`number` of accounts of 4 records (default 25000, short 2500)")
	flag.IntVar(&o.rounds, "rounds", 0, "`number` of rounds (default 5, short 3)")
	flag.DurationVar(&o.measure, "time", 0, "`time` for each server, work and round (default 3s, short 1s)")
	flag.StringVar(&o.servers, "servers", "", "`names` of servers, with commas (default all, short echo,nc-serve,nsd,knot)")
	flag.StringVar(&o.works, "works", "", "`names` of works, with commas: "+strings.ReplaceAll(allWorks, ",", ", ")+" (default all)")
	flag.StringVar(&o.ncServe, "nc-serve", "", "`program` to measure (default built from this tree)")
	flag.StringVar(&o.dir, "dir", "", "`folder` for databases and zones, on the disk to measure (default a temporary one)")
	flag.IntVar(&o.serverCPU, "server-cpu", 0, "`processor` of the servers")
	flag.IntVar(&o.loadCPU, "load-cpu", min(1, runtime.NumCPU()-1), "`processor` of the load")
	flag.IntVar(&o.outstanding, "outstanding", 64, "`number` of updates on the way, a multiple of 4")
	flag.IntVar(&o.pace, "pace", 5000, "questions a `second` while updates run")
	flag.DurationVar(&o.limit, "limit", 0, "give up after this `time` (default 45m, short 5m)")
	flag.Parse()
	if *echo != "" {
		addr, err := netip.ParseAddrPort(*echo)
		if err == nil {
			err = load.Echo(addr)
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if problem := o.complete(flag.Args()); problem != "" {
		fmt.Fprintln(os.Stderr, "bench:", problem)
		os.Exit(2)
	}
	return o
}

// usual is what is done where the command line does not say.
func (o *options) usual() options {
	u := options{name: "full", accounts: 25000, rounds: 5, measure: 3 * time.Second, servers: allServers, works: allWorks, limit: 45 * time.Minute}
	if o.short {
		u = options{name: "short", accounts: 2500, rounds: 3, measure: time.Second, servers: "echo,nc-serve,nsd,knot",
			works: "mixed,uniform,flood,resolver,negatives,updates", limit: 5 * time.Minute}
	}
	switch {
	case o.check != "": // more rounds, as only their ratios count
		u.rounds, u.measure, u.limit = 7, 500*time.Millisecond, 5*time.Minute
		u.servers, u.works = "nc-serve,nsd,knot", "mixed,resolver,updates"
	case o.profile != "":
		u.accounts, u.measure, u.limit = 10000, 8*time.Second, 5*time.Minute
		u.servers, u.works = ncServe, "mixed,resolver,updates"
	}
	return u
}

// complete fills in what the command line does not say, and tells what is wrong.
func (o *options) complete(args []string) string {
	u := o.usual()
	set(&o.name, u.name)
	set(&o.accounts, u.accounts)
	set(&o.rounds, u.rounds)
	set(&o.measure, u.measure)
	set(&o.servers, u.servers)
	set(&o.works, u.works)
	set(&o.limit, u.limit)
	switch {
	case len(args) > 0:
		return fmt.Sprintf("unexpected argument %q", args[0])
	case o.accounts < 1 || o.accounts > 1<<24 || o.rounds < 1 || o.outstanding < sockets || o.outstanding%sockets != 0 || o.outstanding > maxSlots || o.pace < 1:
		return "a number is out of range"
	case has(o.works, workUpdates) && o.accounts < 4*o.outstanding:
		return fmt.Sprintf("updates with %d outstanding need %d accounts", o.outstanding, 4*o.outstanding)
	case unknown(o.servers, allServers) != "":
		return fmt.Sprintf("no server %q", unknown(o.servers, allServers))
	case unknown(o.works, allWorks) != "":
		return fmt.Sprintf("no work %q", unknown(o.works, allWorks))
	case o.profile != "" && (o.servers != ncServe || has(o.works, workDNSPerf)):
		return "profiles are of nc-serve alone, and not of dnsperf"
	case o.profile != "" && o.check != "":
		return "-profile and -check exclude each other"
	}
	return ""
}

func set[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// unknown is the first word of a list that is not in another.
func unknown(list, known string) string {
	for word := range strings.SplitSeq(list, ",") {
		if !has(known, word) {
			return word
		}
	}
	return ""
}

// has tells whether a list has a word.
func has(list, word string) bool { return strings.Contains(","+list+",", ","+word+",") }
