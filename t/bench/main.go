// Bench measures nc-serve beside NSD, Knot DNS, BIND and PowerDNS, in one run
// on this machine, and writes tables. It is no part of Namecast.
//
// Usage:
//
//	go run ./t/bench [-short] [-o folder] [flags]
//	go run ./t/bench [-short] -check file
//	go run ./t/bench -profile folder
//	go run ./t/bench -plot file
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
// PowerDNS has the zone in a file and once more, as pdns-mysql, in MariaDB.
// Every answer is checked. dnsperf loads the same servers once, as a cross-check.
//
// The data set may be larger: -accounts 1000000 -works mixed,uniform -limit 2h
// -servers echo,nc-serve,nsd,knot -name million needs some 10 GB of memory. From
// 100,000 accounts on, nc-serve's database is restored from a backup that is
// written here, and nc-serve may use 2 GiB of memory (-mem); smaller ones are
// filled by updates.
//
// The tables are full.tsv and full.md, or with -short short.tsv and short.md, in
// the folder t/bench/results, with charts beside them; -plot draws the charts of a
// table anew.
//
// With -check no file is written: the ratios of processor time to NSD's for
// answers and to Knot's for updates are compared with those of the file. A ratio
// below 0.9 of the recorded one is measured once more, and the better of the two
// counts: below 0.9 it is a warning, below 0.6 a failure. Without NSD or the file
// there is nothing to compare, which is said and is no failure.
//
// With -profile only nc-serve runs: for answers, answers with DNSSEC and updates
// the folder gets a profile of processor time and one of allocations for 'go tool
// pprof', and a text with the first lines of both.
//
// As root, it installs what is missing from the distribution's packages; servers
// that are not installed are left out, and it says so. Nothing but 127.0.0.1 is
// talked to.
//
// Exit status: 0 done, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := parse()
	do := o.run
	if o.plot != "" {
		do = o.redraw
	}
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}
