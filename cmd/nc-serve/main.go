// Nc-serve is a node of a DNS hosting service: it answers DNS and takes updates.
//
// Usage:
//
//	nc-serve -domain D -ns NAME=ADDR,... [-dns ADDR] [-nup ADDR] [-db DIR] [flags]
//	nc-serve -store chain://HOST:PORT,... -identity FILE [-db DIR] ...
//	nc-serve -store mysql://USER@HOST/DATABASE -store-password FILE [-db DIR] ...
//	nc-serve -migrate -store mysql://USER@HOST/DATABASE -domain D
//	nc-serve -backup [-db DIR] > file
//	nc-serve -restore [-db DIR] [-store ...] < file
//
// A public key is an account. The first signed update that a key sends makes
// it, and its records are served below ACCOUNT.D, where ACCOUNT is what
// 'nc-keygen -hash' prints, and below every domain that the account owns. See
// nc-keygen, nc-sign and nc-send for the user's side.
//
// The node answers authoritatively, over UDP and TCP, for D, for every account
// and for every owned domain; SOA and NS records are made from the flags. The
// name servers are given as name=address; one with several addresses stands in
// the list several times, and one outside D needs no address. Addresses to
// listen on are host:port, several with commas; port 0 takes a free one, and
// the log's "ready" line tells which.
//
// A request that is accepted is on the disk before its reply leaves. The
// database belongs to one process. -backup writes a backup to standard output,
// also while the node runs, which then makes it; -restore reads one into a
// database that has no account yet.
//
// Without -store the database has everything, and the node is the only one of its
// service. With -store, several nodes have their accounts in storage that they
// share: on one or more nc-chain, or in a database that speaks MySQL, see below. Of
// nc-chain the addresses are of some nodes, to begin
// with; -identity is the file of who the node is there ('nc-keygen -ca -issue'),
// another for each node; its certificate is renewed. DIR then holds a replica of all
// that the storage has, which is kept current, and all questions are answered from
// it: none waits for the network. A change that any node takes is in all replicas some milliseconds
// later, and in that node's before its reply leaves. While the storage cannot be
// reached, questions are answered from the replica, for as long as -max-stale says
// (then with a server's failure), and updates are put off. A new replica is first
// filled; the node is ready when it is whole. -zone names the part of the network,
// as with nc-chain, so that near nodes are asked. Give all nodes the same files of
// -dnssec and -cookie. -backup then writes what the replica has; -restore fills
// storage that is empty, needs a DIR that no process uses, and if it was broken off
// has to be run again with the same backup.
//
// With -store mysql://USER@HOST[:PORT],.../DATABASE the accounts are in a database
// of MariaDB, Galera, or another that speaks MySQL's protocol: nodes that name the same
// database are one service, and what was said of replicas holds. -migrate makes the
// tables, and has to be run again with a newer program that says so; the user needs
// all rights in the database for it, and afterwards SELECT, INSERT, UPDATE and DELETE.
// The password is the one line of the -store-password file, or in
// $NAMECAST_STORE_PASSWORD. Of several hosts one is used, and the next when that fails
// or takes no changes: members of a Galera cluster, or the server that is written and
// its read replicas. While only those are there, updates are told to try again. Behind '?' may stand, with '&' between them: socket=PATH instead
// of hosts; tls=on or off (on, except for this machine); ca=FILE, of whom the server's
// certificate has to be; cert=FILE and key=FILE, the node's own. The tables are also
// those of PowerDNS's generic MySQL backend: a PowerDNS over the same database answers
// as the node does, and zones in it that are not Namecast's are left alone.
//
// -mem says how much memory the node may take for what it keeps at hand of
// records and answers; the program itself takes some more. The database may be
// many times as large: what is asked for often is in memory, the rest is read
// from the disk.
//
// Rates are written 10/s, 600/min, 50/h or none. New accounts are open to
// everybody, within the rates, unless one of -admit-list (a file of lines
// account=NAME), -admit-token (a secret for 'nc-keygen -admit') or -admit-work
// is given; one of those that are given has to hold.
//
// Zones are signed (DNSSEC) with keys made from one secret file, which is the
// same on all nodes. Without -dnssec it is DIR/dnssec.secret, and is made on the
// first start: back it up, the database's backup does not hold it. 'nc-keygen
// -ds ZONE < FILE' prints the DS record that makes a zone secure; -next adds keys
// to the file, which take over by themselves. '-dnssec none' signs nothing; take
// the DS records from the parent zones first.
//
// Responses over UDP that are alike are limited for each network of clients, so
// that forged queries do not make the node a weapon; one in -rrl-slip of those
// over the rate is truncated, and a client that is real asks again over TCP.
// Clients with a DNS cookie (RFC 7873) are real and have no limit. Nodes that
// share an address share the -cookie file: one or two lines of 32 hexadecimal
// digits, the same as BIND's and Knot's secrets. The first line makes cookies,
// those of both are taken. -dot answers DNS over TLS (RFC 7858) as well, mostly
// on port 853.
//
// To own a domain, an account sends 'validate' and proves it with a CNAME
// record at validate-ACCOUNT.DOMAIN that points to D. The node looks for it at
// the name servers that the parent zone names now. A domain in the -grant file
// (lines domain=NAME account=NAME) needs no proof.
//
// -http shows the node to its operator: a page for people at /, a health check at
// /healthz, metrics for Prometheus at /metrics. With -pprof it also takes profiles
// of the running process, as 'go tool pprof' reads them, at /debug/pprof/; whoever
// reaches the address may then start them, and they cost the node time.
//
// The log goes to standard error, a line an event. SIGHUP reads the files of
// -grant, -admit-list, -admit-token, -dnssec, -cookie, -tls-cert and
// -tls-key anew. SIGTERM and SIGINT end the node
// after the requests it has. A supervisor that sets NOTIFY_SOCKET is told when
// every socket is bound, and if it has a watchdog, that questions are answered.
//
// Exit status: 0 ended as told, 1 refused (the database is damaged or is not
// empty), 2 wrong usage, 111 try again later (the database is locked, an
// address is in use, the disk is full).
//
// Example:
//
//	nc-serve -domain namecast.example -ns ns1.namecast.example=192.0.2.1 -db /var/lib/namecast
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
	"namecast/lib/limit"
	"namecast/lib/node"
)

func main() { cli.Tool{Name: "nc-serve", Source: source, Run: run}.Main() }

//go:embed main.go
var source string

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	c := node.Config{}
	c.Budgets.Source = limit.Rate{N: 200, Per: time.Second}
	c.Budgets.Account = limit.Rate{N: 20, Per: time.Second}
	c.Budgets.NewAccounts = limit.Rate{N: 100, Per: time.Second}
	c.Budgets.NewPerSource = limit.Rate{N: 100, Per: time.Hour}
	c.Budgets.Verify = limit.Rate{N: 20000, Per: time.Second}
	c.RRL = limit.Rate{N: 200, Per: time.Second}
	c.SignRate = limit.Rate{N: 10000, Per: time.Second}
	backup := fs.Bool("backup", false, "write a backup of the database to standard output and exit")
	migrate := fs.Bool("migrate", false, "make the tables in the database that -store names, or bring them up to date, and exit")
	restore := fs.Bool("restore", false, "fill an empty database from a backup on standard input and exit")
	verbose := fs.Bool("v", false, "log every update")
	service(fs, &c)
	wire(fs, &c)
	limits(fs, &c)
	if err := cli.Parse(fs, parse, 0); err != nil {
		return err
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	switch {
	case *backup && *restore || *backup && *migrate || *restore && *migrate:
		return cli.UsageError("-backup, -restore and -migrate exclude each other")
	case *migrate:
		return verdict(node.Migrate(ctx, c))
	case *backup:
		return verdict(node.Backup(ctx, c, os.Stdout))
	case *restore:
		return verdict(node.Restore(ctx, c, os.Stdin))
	case c.Pprof && c.HTTP == "":
		return cli.UsageError("-pprof is a part of the status page: give -http as well")
	case c.Store == "" && (c.Identity != "" || c.Zone != "" || c.MaxStale != 0 || c.StorePassword != ""):
		return cli.UsageError("-identity, -zone, -max-stale and -store-password go with -store")
	case c.MaxStale < 0:
		return cli.UsageError("-max-stale %v: not a time", c.MaxStale)
	}
	return verdict(node.Run(ctx, c))
}

// verdict gives an error its exit number.
func verdict(err error) error {
	switch {
	case errors.Is(err, node.ErrConfig):
		return cli.UsageError("%w", err)
	case node.Transient(err):
		return cli.RetryError(err)
	}
	return err
}
