// Chain measures nc-chain beside etcd, beside an echo over the same links, and
// beside itself, in one run on this machine, and writes tables. It is no part of
// Namecast.
//
// Usage:
//
//	go run ./t/bench/chain [-short] [-rows 1,2,...] [-o folder] [flags]
//
// The nodes, and those of etcd, are processes on one processor, in rows 10, 11 and 14
// on all; the load has another. What is compared takes turns, in several rounds. The
// rows are
//
//	1   strong clean reads of one chain: any of three nodes, and the tail alone
//	2   the same with chains of three, five and seven nodes
//	3   strong reads of a key with and without 250 writes of it a second, on the disk
//	    and in memory
//	4   the time of a clean read, a dirty read and a write, one at a time, on the
//	    disk and in memory, where fsync has nothing to do
//	5   writes on the condition that the key is unchanged, and plain writes
//	6   writes with chains of three, five and seven nodes
//	7   durable writes of 64 clients, and puts of etcd on the same disk
//	8   strong reads of 64 clients, and linearizable and serializable gets of etcd
//	9   strong reads at one node, and an echo of frames as long
//	10  the longest time without an acknowledged write, a read or an answer of DNS
//	    after a node is killed or frozen
//	11  how long a node that has lost its data takes to get it again, and what
//	    writes do meanwhile
//	12  from an update to its being in the DNS of another nc-serve
//	13  updates of nc-serve on chains, and on a database of its own
//	14  memory of nc-serve for each RRset of its replica
//
// In rows 1, 2 and 6 each node has a control group with a tenth of a processor
// (-percent): so the number of nodes is what bounds the rate, as if each had a
// machine. Where no control groups can be made these rows are left out.
//
// The first three nodes of a cluster run etcd's members inside, as on a small site.
// Every value has 500 octets. Every answer is checked, and what is lost ends the
// measurement: the table then says so, and has the other rows. Times of different
// runs say little: compare ratios.
//
// The tables are full.tsv and full.md, or with -short short.tsv and short.md, in the
// folder t/bench/chain/results. Nothing but 127.0.0.1 is talked to.
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
	o, problem := parse()
	if problem != "" {
		fmt.Fprintln(os.Stderr, "bench-chain:", problem)
		os.Exit(2)
	}
	do := o.run
	if o.echo != "" {
		do = func(ctx context.Context) error { return echo(ctx, o.identity, o.echo) }
	}
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-chain:", err)
		stop()
		os.Exit(1)
	}
}
