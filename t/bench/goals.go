package main

import "fmt"

// The works that are no mix of questions.
const (
	workUpdates = "updates"
	workQuiet   = "quiet"
	workBusy    = "busy"
	workPlain   = "plain"
	workSigned  = "signed"
	workDNSPerf = "dnsperf"
	workFloor   = "floor"
)

// The rows of workFloor, in operations a second of one processor.
const (
	floorVerify = "Ed25519 verify"
	floorSign   = "P-256 sign"
	floorSync   = "fdatasync of 4 KiB"
)

// A goal is a ratio of two cells and what it should be.
type goal struct {
	what        string
	over, under cell
	limit       float64
	most        bool // limit is the most, not the least
}

func (g goal) reached(r float64) bool {
	if g.most {
		return r <= g.limit
	}
	return r >= g.limit
}

func (g goal) wanted() string {
	if g.most {
		return fmt.Sprintf("at most %.2f", g.limit)
	}
	return fmt.Sprintf("at least %.2f", g.limit)
}

// perCPU is the goal for answers in a second of processor time: the other's
// time for each over nc-serve's.
func perCPU(work, other string, limit float64) goal {
	return goal{fmt.Sprintf("%s: answers per CPU second, nc-serve / %s", work, other),
		cell{work, other, "cpu"}, cell{work, ncServe, "cpu"}, limit, false}
}

// rates is the goal for nc-serve's rate over another.
func rates(what, work string, under cell, limit float64) goal {
	return goal{what, cell{work, ncServe, "rate"}, under, limit, false}
}

// atMost is the goal that nc-serve needs no more than another.
func atMost(what, work, metric, other string, limit float64) goal {
	return goal{what, cell{work, ncServe, metric}, cell{work, other, metric}, limit, true}
}

var goals = []goal{
	// suitePlain, before any update; uniform is meant for a million accounts.
	perCPU("mixed", "nsd", 1.10),
	perCPU("mixed", "knot", 1.10),
	perCPU("mixed", "echo", 0.80),
	perCPU("uniform", "nsd", 1),
	rates("flood: rate / rate of uniform", "flood", cell{"uniform", ncServe, "rate"}, 0.9),
	// suiteSigned, where the others have a zone that was signed before; floors.
	perCPU("resolver", "nsd", 1),
	perCPU("resolver", "knot", 1),
	rates("negatives: rate / P-256 signatures of the processor", "negatives", cell{workFloor, floorSign, "rate"}, 0.7),
	// suiteUpdates: updates.most, updates.beside; floors.
	rates("updates: rate, nc-serve / bind", workUpdates, cell{workUpdates, "bind", "rate"}, 10),
	rates("updates: rate, nc-serve / knot", workUpdates, cell{workUpdates, "knot", "rate"}, 10),
	rates("updates: rate / Ed25519 verifications of the processor", workUpdates, cell{workFloor, floorVerify, "rate"}, 0.6),
	{"answers while updates run: p99 / without updates", cell{workBusy, ncServe, "p99"}, cell{workQuiet, ncServe, "p99"}, 2, true},
	// startTimed and weigh of suitePlain: start to the first right answer; memory
	// after every question was asked once.
	atMost("start: time, nc-serve / nsd", workPlain, "start", "nsd", 1),
	atMost("start: time, nc-serve / knot", workPlain, "start", "knot", 1),
	atMost("memory per record, nc-serve / knot", workPlain, "perrecord", "knot", 1),
}
