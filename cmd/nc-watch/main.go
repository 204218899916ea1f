// Nc-watch watches a node of an anycast service, and decides whether its routes
// are announced.
//
// Usage:
//
//	nc-watch [-f FILE] [-dir DIR] [-http ADDR] -route SOCKET
//	nc-watch [-f FILE] [-dir DIR] [-http ADDR] | nc-bgp ...
//	nc-watch -status [-dir DIR]
//	nc-watch -drain [-why TEXT] | -undrain [-dir DIR]
//
// It looks at the parts of the node several times a second, as users do: names by
// DNS, with what they should say, and an update on its way through all parts. When
// a part fails it has the prefixes withdrawn that need it, within a second, and
// at once if a process ends; it restarts the part, in the order in which parts
// need each other; and it announces again when everything was seen to work after
// the last restart, and some time has gone by. It does not withdraw where that
// would leave users with nothing: see the rules below.
//
// What it decides goes as lines to nc-bgp, to its socket with -route, else to
// standard output. From there nothing comes back; a node with others is better off
// with -route, by which it knows what is really announced. All wishes are repeated
// every half second. If this process ends, its lines end, and if it hangs, they
// cease: nc-bgp then withdraws all.
//
// # Configuration
//
// The file has lines of attribute=value words; values with spaces are in single
// quotes, and # begins a comment. The first word says what a line is about. Times
// are like 250ms, 10s and 2m. Names of files are relative to the file's folder.
// Commands are run by sh -c, with this process's rights. SIGHUP has the file read
// anew; with a fault in it, or if it has none of the prefixes that are there now
// and -force is not given, the old one stays in force.
//
//	node=a nodes=nodes key=node.key
//	prefix=192.0.2.0/24 needs=dns
//	prefix=2001:db8::/48 needs=dns
//	component=store restart='systemctl restart nc-chain' pid='systemctl show -P MainPID nc-chain'
//	component=dns needs=store restart='systemctl restart nc-serve' pid='systemctl show -P MainPID nc-serve'
//	probe=command component=store run='nc-chain -status -db /var/lib/namecast/chain' level=tell
//	probe=dns component=dns at=192.0.2.53:53 name=namecast.example name=none.namecast.example rcode=NXDOMAIN
//	probe=dns component=dns at=192.0.2.53:53 tcp name=namecast.example
//	probe=update component=dns at=192.0.2.53:53 key=probe.key
//
// node=NAME is this node. nodes= is the list of all nodes, and key= the key file
// of this one in it; without them the node is alone. listen=ADDR:PORT is where it
// hears the others, if that is not its own watch= of the list. min-live=N is how many others
// have to announce a prefix and be well before this node withdraws it (1). With
// keep a node that is alone announces as drained, rather than withdraw, when
// probes fail and processes run. With absorb an overloaded node goes on announcing,
// else it announces as drained.
//
// prefix=PREFIX is one that nc-bgp has too. It needs the components of needs=, or
// all.
//
// component=NAME is a part that works or fails as a whole. needs= are components
// that have to be well before it is restarted. restart= is the command for that,
// which has limit= (1m) to end. pid= is a command that prints the number of its
// process, 0 or nothing if there is none, and pid-file= a file with it: the
// process's end counts at once. answers says that clients are answered by this
// process; without it anywhere, those that no other component needs are meant.
// respawns says that a supervisor starts the process again by itself when it ends,
// so that restart= is for one that hangs, or if no process comes within start=.
// start= is how long it may take to become well after its start (10s). busy=N says
// that it works, and only has too much to do, when its probes fail for want of an
// answer and it gives at least N answers a second by its probe=counter.
//
// probe=KIND looks at component=NAME every interval=, for at most timeout=. It
// fails after fall= bad looks in a row, and passes after rise= good ones. Its
// level= is fatal (the component fails), drain (what needs the component is
// announced as drained) or tell. label= is its name in messages. A dns probe looks
// every 250ms, falls after 2 and rises after 4; update every 5s, 2 and 1; http,
// metric every 1s, 2 and 2; command every 2s, 2 and 2. After a bad look a slow
// one looks again after a second. All are fatal unless the line says otherwise, but
// update drains, for a node that takes no updates answers yet, and bgp and counter
// tell. The kinds and their words:
//
//	dns      at=ADDR:PORT [tcp] name=NAME [type=TYPE] [rcode=RCODE] [expect=DATA]... [name=...]...
//	update   key=FILE at=ADDR:PORT [server=HOST:PORT] [service=NAME] [owner=NAME]
//	http     url=URL
//	metric   url=URL metric=NAME [min=N] [max=N] [rises]
//	counter  url=URL metric=NAME
//	command  run=COMMAND
//	bgp      [sessions=N]
//
// Of dns, what follows a name= is about it: type= is SOA, rcode= NOERROR if not
// given (NODATA is for a name without such records), and expect= is the data of
// the records, each of them. The answer has to be authoritative. Names take turns,
// three in a look; one alone never decides, if there are others, for it may be a
// bad record of one customer. update replaces a TXT record, owner= (nc-watch), of
// the account of a key file with a new text, waits until DNS at at= says it,
// deletes it, and waits for that as well. Each node has a key of its own for this;
// the key file says the service and the server unless the line does. metric is a number
// within min= and max= on a page for Prometheus; with rises it has to grow from
// look to look. bgp is whether nc-bgp, by -route, has N sessions (1).
//
// outside=dns name=... is what the other nodes are asked at their own addresses,
// every second, by the words of a dns probe; without it, all that this node's dns
// probes ask.
//
// timing changes times and numbers: verify=3s (for how long all has to pass before
// an announcement) hold=10s,2m,10m,30m (how long it then waits after one
// withdrawal, two, ...) calm=1h (after which they are forgotten) backoff=100ms
// backoff-max=30s (between restarts) restarts=5 restarts-in=10m (a component that
// needs more is given up) trust=10m settle=1s last-resort=5s repeat=500ms
// fresh=1500ms hear=1500ms busy=2s blind=10s ask=1s outside=3 vote=5s lease=30s.
//
// # The rules
//
// A node on its own withdraws when a component fails. With others, heard by
// signed heartbeats every half second at the addresses in the list of nodes:
//
//	this node fails, and others (min-live) announce and are well    withdraw
//	it fails, no other is well, the process that answers is dead    withdraw
//	it fails, no other is well or heard, its processes run          announce as drained
//	it is well, and nobody is heard                                 announce
//	it is well, and a probe fails whose level is drain              announce as drained
//	a quorum of the others says that it fails from outside          nc-bgp withdraws
//
// Drained is the community GRACEFUL_SHUTDOWN (RFC 8326): routers prefer any other
// node. So a record that makes all nodes fail leaves the service where it is.
//
// Each node asks every other from outside. One that is heard, and does not answer
// three times, gets the votes of those that see that; a majority of all nodes in the
// list makes an order, which the victim's nc-bgp obeys whatever its nc-watch says. It
// ends by itself when the votes do. (One that is not heard has no nc-watch any more,
// and so no routes, or no network.) With two nodes there is no majority without the
// victim, so this is off: add a third that only watches, from another place; its
// configuration has a node= line and an outside= line.
//
// A watcher that was itself late, by load or by a machine that stood still, throws
// away what it has just seen and looks again.
//
// # Looking after it
//
// -status shows what the running nc-watch of a folder sees and why it decided so,
// and exits with 1 unless every prefix is announced. -http has the same as a page
// for people at /, with the last events; /healthz for machines and /metrics for
// Prometheus. -drain has all prefixes announced as drained until -undrain, also
// when nc-watch is restarted meanwhile: for maintenance, drain, wait until
// no more queries come, and then stop what you want. -undrain also gives
// components that were given up another chance.
//
// The log goes to standard error, a line an event; that nobody can write or read
// it stops nothing. SIGTERM and SIGINT withdraw everything at once and end; so drain
// first. A supervisor that sets NOTIFY_SOCKET is told when the watch begins, what
// is decided, and, if it asks for that, that the deciding loop turns.
//
// The folder of -dir belongs to one process. In it is the socket for commands.
//
// Exit status: 0 ended as told, 1 refused, 2 wrong usage or configuration, 111 try
// again later (the folder is locked, an address is in use, nobody takes the route
// lines; -status: no nc-watch runs).
//
// Example:
//
//	nc-watch -f /etc/namecast/node.conf -route /run/namecast/bgp/route.sock -http 127.0.0.1:8154
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"log/slog"
	"os"
	"time"

	"namecast/lib/cli"
	"namecast/lib/control"
	"namecast/lib/health"
)

func main() { cli.Tool{Name: "nc-watch", Source: source, Run: run}.Main() }

//go:embed main.go
var source string

// logLimit is how long the last lines of the log are waited for.
const logLimit = 200 * time.Millisecond

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	var c health.Config
	fs.StringVar(&c.File, "f", "/etc/namecast/node.conf", "`file` that says what to watch")
	fs.StringVar(&c.Dir, "dir", "/run/namecast/watch", "`folder` of the socket for commands")
	fs.StringVar(&c.Route, "route", "", "`socket` of nc-bgp (default: lines go to standard output)")
	fs.StringVar(&c.HTTP, "http", "", "`address` of the status page, health check and metrics (default none)")
	fs.BoolVar(&c.Pprof, "pprof", false, "serve profiles of the process at /debug/pprof/ of the status page")
	fs.BoolVar(&c.Force, "force", false, "let SIGHUP drop all prefixes that there are")
	status := fs.Bool("status", false, "show what the running nc-watch sees, and exit")
	drain := fs.Bool("drain", false, "have the running nc-watch announce all prefixes as drained, and exit")
	undrain := fs.Bool("undrain", false, "end that, and exit")
	why := fs.String("why", "maintenance", "`reason` of -drain, for people")
	verbose := fs.Bool("v", false, "log more")
	if err := cli.Parse(fs, parse, 0); err != nil {
		return err
	}
	asked := 0
	for _, b := range []bool{*status, *drain, *undrain} {
		if b {
			asked++
		}
	}
	switch {
	case asked > 1:
		return cli.UsageError("-status, -drain and -undrain exclude each other")
	case c.Pprof && c.HTTP == "":
		return cli.UsageError("-pprof is a part of the status page: give -http as well")
	case *status:
		return verdict(health.PrintStatus(ctx, c.Dir, os.Stdout))
	case *drain:
		return verdict(health.Drain(ctx, c.Dir, *why, os.Stdout))
	case *undrain:
		return verdict(health.Undrain(ctx, c.Dir, os.Stdout))
	}
	return watch(ctx, c, *verbose)
}

// watch runs the daemon.
func watch(ctx context.Context, c health.Config, verbose bool) error {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	lines := health.NewLines(os.Stderr)
	c.Log = slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: level}))
	c.Out = os.Stdout
	err := health.Run(ctx, c)
	lines.Close(logLimit)
	return verdict(err)
}

// verdict gives an error its exit number.
func verdict(err error) error {
	switch {
	case errors.Is(err, health.ErrConfig):
		return cli.UsageError("%w", err)
	case errors.Is(err, health.ErrNotAnnounced):
		return cli.Exit(cli.Refused)
	case errors.Is(err, control.ErrNotRunning), health.Transient(err):
		return cli.RetryError(err)
	}
	return err
}
