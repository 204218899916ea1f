package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"namecast/lib/cli"
	"namecast/lib/dnssec"
	"namecast/lib/rr"
)

// dnssecForms are the forms of the tool that are about an operator's secret of
// DNSSEC keys and not about an account's key.
type dnssecForms struct{ secret, next, ds bool }

func (f *dnssecForms) register(fs *flag.FlagSet) {
	fs.BoolVar(&f.secret, "dnssec", false, "make a secret of DNSSEC keys")
	fs.BoolVar(&f.next, "next", false, "with -dnssec, -ca, -group: add keys to the secret on standard input")
	fs.BoolVar(&f.ds, "ds", false, "print DS records of zones from the secret on standard input")
}

func (f dnssecForms) asked() bool { return f.secret || f.next || f.ds }

// check refuses flags that do not go together.
func (f dnssecForms) check(o options, zones []string) error {
	o.out = ""
	switch {
	case o != options{}:
		return cli.UsageError("-dnssec and -ds go with no flag of account keys")
	case f.ds && (f.secret || f.next):
		return cli.UsageError("-dnssec and -ds exclude each other")
	case f.next && !f.secret:
		return cli.UsageError("-next is for -dnssec, -ca and -group")
	case f.ds && len(zones) == 0:
		return cli.UsageError("no zone: write its name after -ds")
	case !f.ds && len(zones) > 0:
		return cli.UsageError("unexpected argument %q", zones[0])
	}
	return nil
}

// run makes a secret, or adds an epoch to one, or prints zones' DS records.
func (f dnssecForms) run(o options, zones []string) error {
	if err := f.check(o, zones); err != nil {
		return err
	}
	now := time.Now()
	if f.secret && !f.next {
		s, err := dnssec.NewSecret(rand.Reader, now)
		if err != nil {
			return err
		}
		return saveSecret(s, o.out)
	}
	s, err := dnssec.Read(os.Stdin)
	if err != nil {
		return fmt.Errorf("read dnssec secret on standard input: %w", err)
	}
	if f.ds {
		return printDS(s, zones, now)
	}
	if s, err = s.Next(rand.Reader, now); err != nil {
		return err
	}
	return saveSecret(s, o.out)
}

// saveSecret writes to a new file, or to standard output unless people read it.
func saveSecret(s dnssec.Secret, path string) error {
	switch {
	case path != "":
		return failure(s.Save(path))
	case isTerminal(os.Stdout):
		return cli.UsageError("standard output is a terminal: write > file or -o file")
	}
	if err := s.Fill(os.Stdout); err != nil {
		return failure(fmt.Errorf("write dnssec secret to standard output: %w", err))
	}
	return nil
}

// printDS prints what the parents of the zones need; nothing unless all names
// are good.
func printDS(s dnssec.Secret, zones []string, now time.Time) error {
	var b strings.Builder
	for _, text := range zones {
		zone, err := rr.ParseName(text)
		if err == nil && (zone == "" || strings.ContainsFunc(text, func(r rune) bool { return r > '~' })) {
			err = errors.New("not a domain name in ASCII")
		}
		if err != nil {
			return cli.UsageError("zone %q: %w", text, err)
		}
		lines, err := s.Report(zone, now)
		if err != nil {
			return err
		}
		b.WriteString(lines)
	}
	return show(strings.TrimSuffix(b.String(), "\n"))
}
