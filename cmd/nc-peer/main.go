// Nc-peer keeps a local network resolving names when its DNS server is dead.
//
// Usage:
//
//	nc-peer [-key FILE] [-listen ADDR]... [-upstream SPEC]... [-mode MODE] [...]
//	nc-peer -status [-db DIR] [WORD...]
//	nc-peer -install | -retake | -uninstall [-listen ADDR] [-dry-run]
//
// It is a caching stub that the programs of one machine ask, over UDP and TCP, and a
// member of a group of such machines on the same links. While the name servers answer
// it says what they say, octet for octet, and gives each answer to two other members,
// which all members find by its name. When the servers are silent, or slow, or dead,
// it answers from what it has kept, from what those members have, by a member whose
// servers still answer, and with -iterate from the root of the DNS on, and tells by
// extended errors (RFC 8914) from whom an answer is and how old.
//
// # Servers
//
// -upstream SPEC names a name server, and may stand more than once:
//
//	192.0.2.1    192.0.2.1:5353    [2001:db8::1]:53     UDP, and TCP where that is not enough
//	192.0.2.1#dns.example    tls://192.0.2.1#dns.example    DNS over TLS, port 853
//	https://192.0.2.1/dns-query#dns.example                 DNS over HTTPS
//	auto                                                    those that the machine was given
//
// auto, the default, takes what NetworkManager, systemd-resolved or resolvconf have from
// the network, and follows it when that changes. Domains that these give to servers of
// their own, as VPNs do, are asked there; what is learned of them stays in the memory of
// this machine, and nobody is told, not that there are such names either. NetworkManager
// alone, without systemd-resolved, tells of no such domains: -secret has to name them. A
// server whose questions come back to this stub is not asked any more, nor is one that is
// the stub of another member: what that says would be the group's word, not a server's.
//
// A server is healthy, or suspect when it was silent once and is asked again, or down, or
// on probation when it has just come back. In a network where a portal may stand before
// the servers they are called captive until it was passed.
//
// # Lookups
//
// What is known and in time is answered at once. Else the servers are asked; when they
// take longer than they usually do, the members that have copies of the name are asked
// beside them. An answer that is past its time is given when no server has answered for
// half a second (-patience), or at once while they are known to be down, and never while
// they answer in time. It has at most -stale (168h) been past its time, and while any server lives no
// more than a day, is given a TTL of 30 seconds, and is replaced as soon as the servers
// are back. What nobody knows fails within milliseconds, rather than after the ten
// seconds of a C library that waits.
//
// # Groups
//
// Members have the same -key FILE, which nc-keygen -group makes; without it there are no
// peers, and not one packet. They find each other by multicast on the links of the
// machine, -if NAME,... or all that look like a network of neighbours, by broadcast where
// a switch eats multicast, at addresses remembered from earlier, and at those of -static
// ADDR[:PORT]. All they say is encrypted, on UDP port 5390 (-port), and nothing that
// came through a router is answered. SIGHUP reads the key file anew.
//
// -mode guard, the default, asks the own servers first and members only for want of an
// answer. -mode share asks the members that own a name first, so that servers have less
// to do. -mode solo has no peers. Each name is owned by -owners N members, two unless it
// says else, who keep it for all. -weight N, 0 to 16, is this machine's share of the
// names, as against 8 of others; 0 owns none.
//
// Names below local., home.arpa., internal. and the like, those of one label, addresses
// of private networks and those of -secret DOMAIN,... are never told to members.
//
// # Whom to believe
//
// A member is believed for answers that it has itself had from its servers, for the name
// that was asked, for half a minute, and never against what the own servers say. With
// -agree 2 two members must say the same. With -dnssec this machine validates all that
// it answers, by the root's keys or those of -anchors FILE; signed names can then not be
// forged by anybody, and answers have the AD bit for programs that ask for it. A name
// server that gives no signatures is then not asked, and -status upstream says so. As long
// as the machine's clock is not set (it says that it is before 2026, or before the cache
// was last saved) the times of signatures are not regarded and no answer has the AD bit.
//
// Of what members said some is asked for again when the servers answer: who was often
// wrong is not asked for hours, and the page calls him not believed. In a network just
// joined nothing is kept or told until a portal that may stand before it has been passed.
//
// The root's keys that are built in are those of 2017 and 2024. While the root changes from
// one to the other either is good, and nothing has to be done. A key that comes after these
// is known to a program that follows the root's keys by RFC 5011, as unbound-anchor and
// unbound do, or to the distribution: -anchors names the file that it keeps, as
// /var/lib/unbound/root.key or /usr/share/dns/root.key. The file is read anew every hour,
// and at SIGHUP; of keys that unbound has not come to trust yet none is used. What cannot
// be read leaves those in force that were read before.
//
// -iterate asks from the root of the DNS on when the servers are dead but the Internet
// is not, each name by one member; -hints FILE names other servers of the root. When not
// even these answer it is left alone, and tried again within ten seconds.
//
// # Installing
//
// Programs ask the stub when it is the machine's resolver. -install makes it that: it
// tells systemd-resolved, NetworkManager or resolvconf, or writes /etc/resolv.conf, and
// prints first what it is going to do; with -dry-run it does nothing else. -uninstall
// takes it back. The stub should be the only server there, since the C library takes its
// quick failure as a reason to wait for the next one.
//
// Where nothing manages /etc/resolv.conf others may write over it, as DHCP clients do. The
// daemon, which has no right to change that, says in its log that programs do not ask it
// any more, and -retake takes the file again; the servers that the others wrote there are
// the network's from then on. With systemd nc-peer-resolver.service does all of this while
// nc-peer runs: it installs, takes again what is overwritten, and gives back at the end.
//
// A module for the name service switch (NSS) is not needed, and there is none. Such a
// module serves only programs that use the C library's functions, in which its faults are
// theirs; browsers with a resolver of their own, containers and static programs pass it
// by. All of them ask the server in resolv.conf, which is the stub.
//
// The stub listens at 127.0.0.35, port 53, unless -listen ADDR:PORT says else, more than
// once perhaps. Whoever can reach it may ask, so it should be an address of this machine.
// Sockets that a supervisor has opened (LISTEN_FDS, as systemd does by nc-peer.socket) are
// used as they are, and of -listen what is missing among them is opened; what is asked
// while nc-peer is started again waits in them, and is answered.
//
// # Looking after it
//
// -status asks the daemon of a folder; without a word it shows how things are, and exits
// with 1 if no server answers. The words:
//
//	peers           the members: who, where, how they are
//	cache           what is kept
//	stats           counters, a line each
//	upstream        the name servers
//	events [-w]     what has happened lately; with -w, and then what does
//	why NAME [TYPE] who has the name, and how it would be answered (TYPE: A)
//	flush NAME      forget a name and all below it
//	pause, resume   stop all talk with members, and begin it again
//
// -http ADDR serves the picture of the group as a page, which shows names only with
// -show-names. -events FILE writes what happens to a file, a line of JSON each, that the
// page can replay.
//
// The folder of -db belongs to one process. In it are this machine's identity, which
// must not be copied to other machines (a copy makes itself a new one), what was kept, so
// that a machine that starts during an outage can answer, and the socket for commands.
//
// The log goes to standard error. A supervisor that sets NOTIFY_SOCKET is told when the
// stub answers and, if it asks for that, that its loop turns. The daemon needs no
// privilege but that to bind port 53.
//
// Exit status: 0 ended as told, 1 refused, 2 wrong usage, 111 try again later (the folder
// is locked, an address is in use; -status: no daemon runs).
//
// Example:
//
//	nc-keygen -group lab -o /etc/namecast/peer/key
//	nc-peer -key /etc/namecast/peer/key -db /var/lib/namecast/peer -http 127.0.0.1:8056
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"namecast/lib/cli"
	"namecast/lib/control"
	"namecast/lib/peer/host"
	"namecast/lib/private"
)

func main() { cli.Tool{Name: "nc-peer", Source: source, Run: run}.Main() }

//go:embed main.go
var source string

// defaultListen is where the stub listens: 127.0.0.53 and .54 are systemd-resolved's.
const defaultListen = "127.0.0.35:53"

// maxWords is how many words -status takes at most.
const maxWords = 3

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	c := host.Config{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags(fs, &c)
	status := fs.Bool("status", false, "ask the running daemon, by the words that follow")
	install := fs.Bool("install", false, "make the stub this machine's resolver")
	retake := fs.Bool("retake", false, "do so again, if others have undone it")
	uninstall := fs.Bool("uninstall", false, "take that back")
	dry := fs.Bool("dry-run", false, "only print what -install, -retake or -uninstall would do")
	if err := cli.Parse(fs, parse, maxWords); err != nil {
		return err
	}
	if len(c.Listen) == 0 {
		c.Listen = []string{defaultListen}
	}
	switch {
	case several(*status, *install, *retake, *uninstall):
		return cli.UsageError("-status, -install, -retake and -uninstall exclude each other")
	case *status:
		return verdict(host.Ask(ctx, c.Dir, fs.Args(), os.Stdout))
	case fs.NArg() > 0:
		return cli.UsageError("%q: only -status has words", fs.Arg(0))
	case *install:
		return verdict(host.Install(c.Listen[0], *dry, os.Stdout))
	case *retake:
		return verdict(host.Retake(*dry, os.Stdout))
	case *uninstall:
		return verdict(host.Uninstall(*dry, os.Stdout))
	case *dry:
		return cli.UsageError("-dry-run belongs to -install, -retake and -uninstall")
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// One processor answers 50,000 questions a second. At a machine's own pace, more of
		// them only wake each other for each datagram: it takes a fifth more time.
		runtime.GOMAXPROCS(1)
	}
	return verdict(host.Run(ctx, c))
}

// several tells whether more than one is true.
func several(flags ...bool) bool {
	n := 0
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n > 1
}

// flags registers what the daemon is told.
func flags(fs *flag.FlagSet, c *host.Config) {
	fs.StringVar(&c.Dir, "db", "/var/lib/namecast/peer", "`folder` of the state and of the socket for commands")
	fs.StringVar(&c.Key, "key", "", "`file` with the group's keys (default none: no peers)")
	fs.Var((*list)(&c.Listen), "listen", "`address` and port of the stub; may stand more than once (default "+defaultListen+")")
	fs.Var((*list)(&c.Upstream), "upstream", "a name `server`, or auto; may stand more than once (default auto)")
	fs.Var((*commas)(&c.Links), "if", "`names` of links on which peers are, with commas between them (default all that may have some)")
	fs.StringVar(&c.Mode, "mode", host.Guard, "`mode`: guard, share or solo")
	fs.IntVar(&c.Owners, "owners", 2, "what `number` of members have a copy of each name, 1 to 3")
	fs.DurationVar(&c.MaxStale, "stale", 168*time.Hour, "for what `time` an answer is kept that is past its own, at most 168h; while a server lives, no more than 24h")
	fs.DurationVar(&c.Stale, "patience", 500*time.Millisecond, "after which `time` without a server's answer a stale one is given")
	fs.IntVar(&c.Agree, "agree", 1, "what `number` of members must say the same of an unsigned name, 1 or 2")
	fs.BoolVar(&c.DNSSEC, "dnssec", false, "validate all answers")
	fs.StringVar(&c.Anchors, "anchors", "", "`file` with trust anchors (default the root's)")
	fs.BoolVar(&c.Iterate, "iterate", false, "ask from the root on when the servers are dead")
	fs.StringVar(&c.Hints, "hints", "", "`file` with the root's servers (default those of the Internet)")
	fs.Var((*commas)(&c.Secret), "secret", "`domains` of which members are never told, with commas between them")
	fs.IntVar(&c.Port, "port", host.DefaultPort, "UDP `port` of the members")
	fs.IntVar(&c.Weight, "weight", 8, "this machine's `share` of the names, 0 to 16")
	fs.Var((*list)(&c.Static), "static", "`address` of a member; may stand more than once")
	fs.StringVar(&c.HTTP, "http", "", "`address` of the page (default none)")
	fs.BoolVar(&c.Names, "show-names", false, "the page and the events show which names were asked for")
	fs.StringVar(&c.Events, "events", "", "`file` that events are written to")
}

// A list is a flag that may stand more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set adds a value.
func (l *list) Set(s string) error {
	if s == "" {
		return errors.New("empty")
	}
	*l = append(*l, s)
	return nil
}

// Commas is a flag of several values with commas between them.
type commas []string

func (c *commas) String() string { return strings.Join(*c, ",") }

// Set takes the values.
func (c *commas) Set(s string) error {
	*c = strings.Split(s, ",")
	return nil
}

// verdict gives an error its exit number.
func verdict(err error) error {
	switch {
	case errors.Is(err, host.ErrConfig):
		return cli.UsageError("%w", err)
	case errors.Is(err, host.ErrDown):
		return cli.Exit(cli.Refused)
	case errors.Is(err, control.ErrNotRunning), errors.Is(err, private.ErrLocked), errors.Is(err, syscall.EADDRINUSE):
		return cli.RetryError(err)
	}
	return err
}
