// Nc-keygen makes the key of an account.
//
// Usage:
//
//	nc-keygen [-dsa bits] [-server server] [-o file] [> file]
//	nc-keygen -import [-server server] [-o file] < key [> file]
//	nc-keygen -hash < key
//	nc-keygen -pub [-server server] < key
//	nc-keygen -admit file [-server server] < key
//	nc-keygen -dnssec [-next] [-o file] [< secret] [> file]
//	nc-keygen -ds zone... < secret
//	nc-keygen -group name [-next] [-o file] [< old] [> file]
//	nc-keygen -ca [-o file] cluster [> file]
//	nc-keygen -ca -next [-o file] < authority [> file]
//	nc-keygen -ca -roots < authority
//	nc-keygen -ca -issue [-host list] [-for time] [-o file] name < authority [> file]
//	nc-keygen -ca -join [-host list] [-for time] [-o file] name < authority [> file]
//
// A key is an account: whoever has the key changes the account's records, and
// nobody has to be asked for one. A new key is Ed25519, or with -dsa DSA of
// 1024, 2048 or 3072 bits, which takes seconds and is for servers that know only
// version 0 of the protocol. The key file is one line of text below comments.
// The service and the server that -server or $NAMECAST_SERVER names, written
// [service@]host[:port], go into it, so that the other tools find them.
//
// A key overwrites nothing. With -o it goes to a new file. Without, it goes to
// standard output; where that is a file it must be empty and gets mode 0600
// before the key is in it. But the shell empties a file after ">" before
// nc-keygen runs: "set -C" forbids the shell to do so, and -o never does it.
// Where standard output is a terminal the key becomes the default key file,
// $NAMECAST_KEY or ~/.namecast/key. Standard error tells the account's name.
//
// The other forms read one key on standard input: a key file as above, or PEM
// or DER of OpenSSL and Java (PKCS#8, "DSA PRIVATE KEY", "PUBLIC KEY"), not
// encrypted. With -hash the account's name is printed, the first label of its
// own domain name: a hash of the public key, or what account= says where the
// key took over an older key's account. With -pub the public key is printed: the
// line without the secret attributes, which are those that start with "!". With
// -import the secret key is written as a key file, in the same way as a new one.
//
// With -admit an operator makes an admission token, which lets the account of
// the key, a public one is enough, into a closed service. The file holds the
// secret that nc-serve has too, at least 16 octets. The user adds the token to
// the line of the key file as !token=TOKEN.
//
// With -dnssec an operator makes the secret that all DNSSEC keys of a service are
// made from, for 'nc-serve -dnssec'. With -next the secret on standard input is
// written with new keys added, which nodes publish at once and sign with a day
// later. With -ds the DS record of each zone is printed, for its registrar. Keys
// that do not sign yet or no more stand there as comments; those of a retired
// epoch go away when its line is deleted from the file, which is safe once no
// parent has its DS and its signatures are gone from caches: a week later.
//
// With -ca an operator makes the authority by which the members of a cluster of
// nc-chain know each other; keep it on the nodes that issue certificates, or on
// none. With -issue it makes the file of a member, "node/ID" or "client/ID", with a
// new key. With -join it makes a token that the member, or who steals it, can turn
// into such a file once, at a node that issues. With -next the authority is written
// with a new certificate added, which members learn of when they renew and which
// signs a day later; when all have renewed, the two blocks of the old one can be
// deleted from the file. With -roots the certificates alone are printed.
//
// With -group the key of a group of machines that run nc-peer is made: 1 to 63 of a-z,
// 0-9 and inner hyphens name it. The file is the same on all of them, and makes who has
// it a member. With -next the keys on standard input are written with a new one in
// front, which is used from then on, while the up to three behind it still open what
// others send. When all machines have the new file, delete the old lines.
//
// Exit status: 0 done, 1 the key is refused or something would be overwritten,
// 2 wrong usage, 111 no room on the disk: try again.
//
// Examples:
//
//	nc-keygen -server namecast.example
//	nc-keygen > me.key
//	nc-keygen -hash < me.key
//	openssl genpkey -algorithm ed25519 | nc-keygen -import -o me.key
//	nc-keygen -ds example.com < dnssec.secret
//	nc-keygen -pub < me.key | nc-keygen -admit token.secret -server namecast.example
//	nc-keygen -group lab -o lab.key
//	nc-keygen -ca -o ca.key c1
//	nc-keygen -ca -issue -host n1.example.net,192.0.2.1 -o n1.pem node/n1 < ca.key
//	nc-keygen -ca -join -o n2.token node/n2 < ca.key
package main

import (
	"context"
	_ "embed"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"namecast/lib/cli"
)

func main() { cli.Tool{Name: "nc-keygen", Source: source, Run: run}.Main() }

//go:embed main.go
var source string // its package comment is the manual

// maxZones is how many zones one command line may have.
const maxZones = 100000

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	var o options
	var d dnssecForms
	var c caForms
	var g groupForms
	o.register(fs)
	d.register(fs)
	c.register(fs)
	g.register(fs)
	if err := cli.Parse(fs, parse, maxZones); err != nil {
		return err
	}
	if g.given {
		if err := g.check(o, d, c, fs.Args()); err != nil {
			return err
		}
		g.next = d.next
		return g.run(o)
	}
	if c.asked() {
		c.next = d.next
		return c.run(o, d, fs.Args())
	}
	if d.asked() {
		return d.run(o, fs.Args())
	}
	if fs.NArg() > 0 {
		return cli.UsageError("unexpected argument %q", fs.Arg(0))
	}
	// Nothing here needs an orderly end, and making a DSA key may take long.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	reading, err := o.check()
	if err != nil {
		return err
	}
	f, err := o.obtain(reading)
	if err != nil {
		return err
	}
	if !o.hash {
		if err := o.place(&f); err != nil {
			return err
		}
	}
	return o.write(f)
}
