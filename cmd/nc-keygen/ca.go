package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"namecast/lib/ca"
	"namecast/lib/cli"
	"namecast/lib/private"
)

// caForms are the forms of the tool that are about the authority of a cluster.
type caForms struct {
	ca, roots, issue, join bool
	next                   bool // that of -dnssec
	hosts                  string
	life                   time.Duration
}

func (f *caForms) register(fs *flag.FlagSet) {
	fs.BoolVar(&f.ca, "ca", false, "make the authority of a cluster")
	fs.BoolVar(&f.roots, "roots", false, "with -ca: print the certificates of the authority")
	fs.BoolVar(&f.issue, "issue", false, "with -ca: make a member's key and certificate")
	fs.BoolVar(&f.join, "join", false, "with -ca: make a token that lets a member join")
	fs.StringVar(&f.hosts, "host", "", "with -issue, -join: `list` of host names and addresses of the member, with commas")
	fs.Func("for", "with -issue, -join: for what `time` it is good (default 720h, 1h)", func(s string) (err error) {
		f.life, err = time.ParseDuration(s)
		return err
	})
}

func (f caForms) asked() bool {
	f.next = false
	return f != caForms{}
}

// check refuses flags that do not go together.
func (f caForms) check(o options, d dnssecForms, args []string) error {
	o.out, d.next = "", false
	forms := 0
	for _, given := range []bool{f.next, f.roots, f.issue, f.join} {
		if given {
			forms++
		}
	}
	named := forms == 0 || f.issue || f.join // takes an argument
	switch {
	case !f.ca:
		return cli.UsageError("-roots, -issue, -join, -host and -for are for -ca")
	case o != options{} || d.asked():
		return cli.UsageError("-ca goes with no flag of other keys")
	case forms > 1:
		return cli.UsageError("-next, -roots, -issue and -join exclude each other")
	case !f.issue && !f.join && (f.hosts != "" || f.life != 0):
		return cli.UsageError("-host and -for are for -issue and -join")
	case f.life < 0:
		return cli.UsageError("-for %s: less than nothing", f.life)
	case named && len(args) == 0:
		return cli.UsageError("no name: write that of the cluster, or node/ID or client/ID")
	case !named && len(args) > 0:
		return cli.UsageError("unexpected argument %q", args[0])
	case len(args) > 1:
		return cli.UsageError("unexpected argument %q", args[1])
	}
	return nil
}

// run makes an authority, or reads one and makes what is asked for from it.
func (f caForms) run(o options, d dnssecForms, args []string) error {
	if err := f.check(o, d, args); err != nil {
		return err
	}
	now := time.Now()
	if !f.next && !f.roots && !f.issue && !f.join {
		a, err := ca.New(args[0], now)
		if err != nil {
			return badName(err)
		}
		return savePrivate(a.Text(), o.out)
	}
	a, err := ca.ReadAuthority(os.Stdin)
	if err != nil {
		return fmt.Errorf("read authority on standard input: %w", err)
	}
	switch {
	case f.roots:
		return show(strings.TrimSuffix(a.RootsText(), "\n"))
	case f.next:
		if a, err = a.Next(now); err != nil {
			return err
		}
		return savePrivate(a.Text(), o.out)
	}
	text, err := f.member(a, args[0], now)
	if err != nil {
		return badName(err)
	}
	return savePrivate(text, o.out)
}

// member makes a member's file or token.
func (f caForms) member(a *ca.Authority, arg string, now time.Time) (text string, err error) {
	name, err := ca.ParseName("nc://" + a.Cluster() + "/" + arg)
	if err != nil {
		return "", err
	}
	var hosts []string
	if f.hosts != "" {
		hosts = strings.Split(f.hosts, ",")
	}
	if f.join {
		t, err := a.NewToken(name, hosts, f.life, now)
		return t.Text() + "\n", err
	}
	id, err := a.NewIdentity(ca.Request{Name: name, Hosts: hosts, Life: f.life}, now)
	if err != nil {
		return "", err
	}
	return id.Text(), nil
}

// badName makes wrong usage of what the command line has named.
func badName(err error) error {
	if errors.Is(err, ca.ErrName) || errors.Is(err, ca.ErrHost) || errors.Is(err, ca.ErrToken) {
		return cli.UsageError("%w", err)
	}
	return err
}

// savePrivate writes to a new file, or to standard output unless people read it.
func savePrivate(text, path string) error {
	switch {
	case path != "":
		if err := private.Save(path, text); err != nil {
			return failure(fmt.Errorf("make file %q: %w", path, err))
		}
		return nil
	case isTerminal(os.Stdout):
		return cli.UsageError("standard output is a terminal: write > file or -o file")
	}
	if err := private.Fill(os.Stdout, text); err != nil {
		return failure(fmt.Errorf("write to standard output: %w", err))
	}
	return nil
}
