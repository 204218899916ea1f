// Bench measures nc-serve beside NSD, Knot DNS, BIND and PowerDNS, in one run
// on this machine, and writes tables. It is no part of Namecast.
//
// Usage:
//
//	go run ./t/bench [-short] [-check file] [-o folder] [flags]
//
// Every server has the same data and one processor, the load has another; the
// servers are loaded one at a time, in turn, in several rounds. For each kind of
// work the table has the rate, the server's processor time for each operation,
// and the time until the reply; a server that only sends packets back shows what
// of that is the kernel's. Times of different runs say little: compare ratios.
//
// The work is: questions of several mixes, updates that are on the disk before
// they are acknowledged (signed requests for nc-serve, TSIG for Knot and BIND,
// the same number on the way), questions while such updates run, start, memory.
// Every answer is checked. dnsperf loads the same servers once, as a cross-check.
//
// The data set may be larger: -accounts 1000000 -works mixed,uniform -limit 2h
// -servers echo,nc-serve,nsd,knot -name million needs some 10 GB of memory.
//
// The tables are full.tsv and full.md, or with -short short.tsv and short.md, in
// the folder t/bench/results. With -check nothing is written but to standard
// output: nc-serve's ratio to NSD beside that of the file. A ratio below 0.9 of
// the recorded one is a warning, one below 0.6 a failure.
//
// As root, it installs what is missing from the distribution's packages; servers
// that are not installed are left out, and it says so. Nothing but 127.0.0.1 is
// talked to.
//
// Exit status: 0 done, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"namecast/t/bench/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := parse()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	short       bool
	check       string
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
	flag.StringVar(&o.out, "o", "", "`folder` of the tables (default t/bench/results)")
	flag.StringVar(&o.name, "name", "", "`name` of the tables' files (default full, short)")
	flag.IntVar(&o.accounts, "accounts", 0, "`number` of accounts of 4 records (default 25000, short 2500)")
	flag.IntVar(&o.rounds, "rounds", 0, "`number` of rounds (default 5, short 3)")
	flag.DurationVar(&o.measure, "time", 0, "`time` for each server, work and round (default 3s, short 1s)")
	flag.StringVar(&o.servers, "servers", "", "`names` of servers, with commas (default all, short echo,nc-serve,nsd,knot)")
	flag.StringVar(&o.works, "works", "", "`names` of works, with commas: mixed, uniform, flood, resolver, negatives, updates, dnsperf (default all)")
	flag.StringVar(&o.ncServe, "nc-serve", "", "`program` to measure (default built from this tree)")
	flag.StringVar(&o.dir, "dir", "", "`folder` for databases and zones, on the disk to measure (default a temporary one)")
	flag.IntVar(&o.serverCPU, "server-cpu", 0, "`processor` of the servers")
	flag.IntVar(&o.loadCPU, "load-cpu", min(1, runtime.NumCPU()-1), "`processor` of the load")
	flag.IntVar(&o.outstanding, "outstanding", 64, "`number` of updates on the way, a multiple of 4")
	flag.IntVar(&o.pace, "pace", 5000, "questions a `second` while updates run")
	flag.DurationVar(&o.limit, "limit", 0, "give up after this `time` (default 30m, short 5m)")
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

// complete fills in what depends on -short, and tells what is wrong.
func (o *options) complete(args []string) string {
	full := options{name: "full", accounts: 25000, rounds: 5, measure: 3 * time.Second, servers: "echo,nc-serve,nsd,knot,bind,pdns",
		works: "mixed,uniform,flood,resolver,negatives,updates,dnsperf", limit: 30 * time.Minute}
	if o.short {
		full = options{name: "short", accounts: 2500, rounds: 3, measure: time.Second, servers: "echo,nc-serve,nsd,knot",
			works: "mixed,uniform,flood,resolver,negatives,updates", limit: 5 * time.Minute}
	}
	set(&o.name, full.name)
	set(&o.accounts, full.accounts)
	set(&o.rounds, full.rounds)
	set(&o.measure, full.measure)
	set(&o.servers, full.servers)
	set(&o.works, full.works)
	set(&o.limit, full.limit)
	known := options{servers: "echo,nc-serve,nsd,knot,bind,pdns", works: "mixed,uniform,flood,resolver,negatives,updates,dnsperf"}
	switch {
	case len(args) > 0:
		return fmt.Sprintf("unexpected argument %q", args[0])
	case o.accounts < 1 || o.accounts > 1<<24 || o.rounds < 1 || o.outstanding < sockets || o.outstanding%sockets != 0 || o.outstanding > maxSlots || o.pace < 1:
		return "a number is out of range"
	case has(o.works, workUpdates) && o.accounts < 4*o.outstanding:
		return fmt.Sprintf("updates with %d outstanding need %d accounts", o.outstanding, 4*o.outstanding)
	case unknown(o.servers, known.servers) != "":
		return fmt.Sprintf("no server %q", unknown(o.servers, known.servers))
	case unknown(o.works, known.works) != "":
		return fmt.Sprintf("no work %q", unknown(o.works, known.works))
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
