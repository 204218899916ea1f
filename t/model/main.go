// Model explores every state that the chain's replication protocol can get into,
// within bounds, and checks its invariants in each. It is no part of Namecast.
//
// Usage:
//
//	go run ./t/model [-nodes n] [-writes n] [-epochs n] [-crashes n] [-outage]
//	                 [-reads how] [-without safeguards] [-clients] [flags]
//
// The protocol is chain replication with reads at every member: a log for each
// chain, epochs with a row of the chain's members in a coordinator, leases, one
// recruit at a time after the tail. In the model there is one chain with one key.
// Nodes crash and start again; the controller removes any member at any time,
// rightly or not, adds recruits, drops and promotes them; messages are late, come
// twice or never; every node learns of an epoch late, and may miss some; clients
// send a write again and again, and read at every node at any time.
//
// Exploration is breadth first, so that a counter-example is a shortest one. It
// is printed a step a line, with what is broken at the end:
//
//	go run ./t/model -without hello -clients
//
// With all safeguards on, nothing may be broken. It is evidence within the
// bounds, not a proof. Where the bounds are too wide to explore everything, -walks
// makes random walks.
//
// What is checked are the invariants of the protocol, by their numbers:
//
//	stale  a strong read has all that was committed before it was begun
//	order  a write is placed after all that was seen before it was begun
//	I2     a head places one record at an LSN, and logs with it are alike before it
//	I3     in one epoch, a member's log is a prefix of its predecessor's
//	I4     what a tail commits is durable at every member
//	I5     what was committed never changes, and is at every later member
//	I6     when an epoch's first record is committed, no older member has a lease
//	I7     at most one tail is active
//	I8     a tail that gates is not ahead of its recruit, and gates to the epoch's end
//	I9     a write takes effect at most once
//
// I1 (epochs only grow) is so by construction, and I10 (feeds without gaps) is I5
// for who follows a feed. With -clients only what clients can tell is checked:
// stale, and order, I5 and I9 for what was acknowledged or read. Then a safeguard
// that is switched off shows what harm it prevents.
//
// Left out are time itself (a lease ends when the controller has waited for it),
// snapshots (a recruit copies the log), the chained hash of logs (it would turn
// some counter-examples into chains that stand still), several keys and chains.
//
// Progress is told on standard error every two seconds. A million states take
// about six seconds and 70 MB.
//
// Exit status: 0 nothing is broken, 1 something is, 2 wrong usage, 111 the limit
// of states came first.
package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

//go:embed main.go
var source string

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are what the command line says.
type options struct {
	bounds
	without string
	limit   int
	walks   int
	steps   int
	seed    uint64
}

func parse(args []string) (*options, *flag.FlagSet, error) {
	o := &options{}
	fs := flag.NewFlagSet("model", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.nodes, "nodes", 3, "`number` of members that the chain begins with")
	fs.IntVar(&o.spares, "spares", 1, fmt.Sprintf("`number` of nodes beside it, %d with the members", maxNodes))
	fs.IntVar(&o.writes, "writes", 2, fmt.Sprintf("`number` of different writes, to %d", maxWrites))
	fs.IntVar(&o.epochs, "epochs", 3, fmt.Sprintf("`number` of epochs, to %d: 1, and 1 for each step of the controller", maxEpochs))
	fs.IntVar(&o.crashes, "crashes", 1, fmt.Sprintf("`number` of crashes, to %d", maxCrashes))
	fs.BoolVar(&o.outage, "outage", false, "a chain whose members have all crashed may be restarted from one of them")
	fs.StringVar(&o.reads, "reads", readBoth, "`how` members make sure that they may answer: lease, confirm (ask the others) or both")
	fs.BoolVar(&o.clients, "clients", false, "check only what clients can tell")
	fs.StringVar(&o.without, "without", "", "`names` of safeguards to switch off, with commas")
	fs.IntVar(&o.limit, "limit", 30_000_000, "`number` of states to give up after")
	fs.IntVar(&o.walks, "walks", 0, "`number` of random walks to make instead")
	fs.IntVar(&o.steps, "steps", 120, "`number` of steps of a walk")
	fs.Uint64Var(&o.seed, "seed", 1, "`number` that gives the walks")
	if err := fs.Parse(args); err != nil {
		return nil, fs, err
	}
	var err error
	o.off, err = parseGuards(o.without)
	switch {
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.limit < 1 || o.limit > 1<<31 || o.walks < 0 || o.steps < 1:
		err = errors.New("a number is out of range")
	default:
		err = o.bounds.check()
	}
	return o, fs, err
}

func run(args []string, stdout, stderr io.Writer) int {
	o, fs, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help(stdout, fs)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "model: %v\nmodel: see 'go run ./t/model -h'\n", err)
		return 2
	}
	var r result
	if m := newModel(o.bounds); o.walks > 0 {
		r = walk(m, o.walks, o.steps, o.seed, stderr)
	} else {
		r = find(m, o.limit, stderr)
	}
	return o.print(stdout, r)
}

// print writes what was found, and gives the exit status.
func (o *options) print(w io.Writer, r result) int {
	for i, line := range r.trace {
		fmt.Fprintf(w, "%3d. %s\n", i+1, line)
	}
	effort := fmt.Sprintf("%d states, %d steps, %d deep, %.1f s", r.states, r.steps, r.depth, r.took.Seconds())
	if o.walks > 0 {
		effort = fmt.Sprintf("%d walks from seed %d, %d steps, %.1f s", r.walks, o.seed, r.steps, r.took.Seconds())
	}
	switch {
	case r.broken != "":
		fmt.Fprintf(w, "broken: %s\n%s\n", r.broken, effort)
		return 1
	case !r.complete:
		fmt.Fprintf(w, "nothing is broken so far: %s\n", effort)
		return 111
	}
	fmt.Fprintf(w, "nothing is broken: %s\n", effort)
	return 0
}

// help prints the package comment, the flags and the safeguards.
func help(w io.Writer, fs *flag.FlagSet) {
	for line := range strings.Lines(source) {
		text, ok := strings.CutPrefix(line, "//")
		if !ok {
			break
		}
		fmt.Fprint(w, strings.TrimPrefix(text, " "))
	}
	fmt.Fprint(w, "\nFlags:\n")
	fs.SetOutput(w)
	fs.PrintDefaults()
	fmt.Fprint(w, "\nSafeguards:\n")
	for _, g := range guards {
		fmt.Fprintf(w, "  %-12s %s\n", g.name, g.what)
	}
}
