package main

import "fmt"

// A goal is a ratio of two cells, or one cell's quantile, and what it should be.
type goal struct {
	number int // of the row in the plan of the benchmark
	what   string
	over   cell
	under  cell    // the zero cell: the figure itself
	at     float64 // the quantile of the figure; 0.5 is the median
	limit  float64 // 0: none, the figure is told
	most   bool    // limit is the most, not the least
}

// value is the ratio or figure, if it was measured.
func (g goal) value(t *table) (float64, bool) {
	if g.under != (cell{}) {
		return t.paired(g.over, g.under)
	}
	return t.quantile(g.over, g.at)
}

func (g goal) wanted() string {
	switch {
	case g.limit == 0:
		return ""
	case g.most:
		return fmt.Sprintf("at most %s", figure(g.limit))
	}
	return fmt.Sprintf("at least %s", figure(g.limit))
}

func (g goal) verdict(v float64) string {
	switch {
	case g.limit == 0:
		return ""
	case g.most && v <= g.limit, !g.most && v >= g.limit:
		return "reached"
	}
	return "not reached"
}

// ratio is the goal that one rate is at least so many times another.
func ratio(number int, what, row, over, under string, limit float64) goal {
	return goal{number: number, what: what, over: cell{row, over, "rate"}, under: cell{row, under, "rate"}, limit: limit}
}

// perCPU tells the other's processor time for each operation over that of the first.
func perCPU(number int, what, row, over, under string) goal {
	return goal{number: number, what: what + ", per processor time", over: cell{row, under, "cpu"}, under: cell{row, over, "cpu"}}
}

// atMost is the goal that a quantile of a figure is at most so much.
func atMost(number int, what string, c cell, at, limit float64) goal {
	return goal{number: number, what: what, over: c, at: at, limit: limit, most: true}
}

// goals are the rows of the plan. Those of rates are of medians of the rounds.
func goals() []goal {
	list := []goal{
		ratio(1, "strong clean reads, any of 3 nodes / tail only", rowShare, reads3, readsTail, 2.7),
		perCPU(1, "strong clean reads, any of 3 nodes / tail only", rowShare, reads3, readsTail),
		ratio(2, "strong clean reads, 5 nodes / 3 nodes", rowShare, reads5, reads3, 0.95*5/3),
		ratio(2, "strong clean reads, 7 nodes / 3 nodes", rowShare, reads7, reads3, 0.95*7/3),
	}
	for _, d := range []string{onDisk, inMemory} {
		list = append(list, ratio(3, "strong reads of a key with 250 writes/s / without, "+d, rowBusy, readsBusy+", "+d, readsQuiet+", "+d, 0.85))
	}
	for _, d := range []string{onDisk, inMemory} {
		clean := cell{rowLatency, "clean read, " + d, "p50"}
		dirty, write := 0.0, 0.0
		if d == inMemory { // the anchors are of a store in memory
			dirty, write = 2.2, 4
		}
		list = append(list,
			goal{4, "time of a dirty read / clean read, " + d, cell{rowLatency, "dirty read, " + d, "p50"}, clean, 0, dirty, true},
			goal{4, "time of a write / clean read, " + d, cell{rowLatency, "write, " + d, "p50"}, clean, 0, write, true})
	}
	list = append(list,
		ratio(5, "conditional writes / plain writes", rowCond, writesCond, writesPlain, 0.9),
		ratio(6, "writes, 5 nodes / 3 nodes", rowShareWrites, reads5, reads3, 0.91),
		ratio(6, "writes, 7 nodes / 3 nodes", rowShareWrites, reads7, reads3, 0.82),
		ratio(7, "durable writes of 64 clients / puts of etcd", rowWrites, ncChain, etcdPuts, 3),
		perCPU(7, "durable writes of 64 clients / puts of etcd", rowWrites, ncChain, etcdPuts),
		ratio(7, "the same over bare links", rowWrites, ncLinks, etcdPuts, 3),
		ratio(8, "strong reads of 64 clients / linearizable gets of etcd", rowReads, ncChain, etcdStrong, 10),
		ratio(8, "the same over bare links", rowReads, ncLinks, etcdStrong, 10),
		perCPU(8, "strong reads / linearizable gets of etcd", rowReads, ncChain, etcdStrong),
		ratio(8, "strong reads of 64 clients / serializable gets of etcd", rowReads, ncChain, etcdStale, 5),
		ratio(8, "the same over bare links", rowReads, ncLinks, etcdStale, 5),
		perCPU(8, "strong reads / serializable gets of etcd", rowReads, ncChain, etcdStale),
		ratio(9, "strong reads at one member / echo of the same frames", rowEcho, oneMember, echoName, 0.5),
		perCPU(9, "strong reads at one member / echo of the same frames", rowEcho, oneMember, echoName),
	)
	return append(list, goalsOfFaults()...)
}

// goalsOfFaults are those of what happens when nodes come, go and are followed.
func goalsOfFaults() (list []goal) {
	for _, place := range places {
		c := cell{rowGap, "writes, the " + place + " is killed", "gap"}
		list = append(list, atMost(10, "gap of writes, ms, the "+place+" is killed, p50", c, 0.5, 2000), atMost(10, "the same, p99", c, 0.99, 4000))
	}
	c := cell{rowGap, "writes, the tail is frozen", "gap"}
	return append(list,
		atMost(10, "gap of writes, ms, the tail is frozen, p99", c, 0.99, 4000),
		atMost(10, "gap of clean reads, ms, a node is killed, p50", cell{rowGap, "strong reads, a node is killed", "gap"}, 0.5, 0),
		atMost(10, "gap of DNS answers, ms, a node is killed, p99", cell{rowGap, "DNS answers, a node is killed", "gap"}, 0.99, 0),
		ratio(11, "writes while a node is copied to / before", rowRecruit, recruitDuring, recruitBefore, 0.7),
		ratio(11, "writes while a node is copied to / on two nodes without", rowRecruit, recruitDuring, recruitTwo, 0.7),
		goal{number: 11, what: "speed of the copy / of writing the disk", over: cell{rowRecruit, recruitCopy, "speed"}, under: cell{rowRecruit, diskSpeed, "speed"}, limit: 0.5},
		atMost(12, "update until it is in another node's DNS, us, p50", cell{rowVisible, otherNode, "p50"}, 0.5, 10000),
		atMost(12, "the same, p99", cell{rowVisible, otherNode, "p99"}, 0.5, 100000),
		ratio(13, "updates of nc-serve on chains / on a database of its own", rowUpdates, onChains, onDatabase, 0.5),
		atMost(14, "memory for each RRset, octets", cell{rowMemory, "nc-serve", "record"}, 0.5, 100),
		atMost(14, "longest pause of the garbage collector, us", cell{rowMemory, "nc-serve", "pause"}, 0.5, 1000),
	)
}
