package main

import (
	"context"
	"flag"
	"os"
	"strings"

	"namecast/lib/cli"
	"namecast/lib/storage"
)

// operator is the forms of the tool that ask a running node.
type operator struct {
	status, json, recover, yes bool
	drain, undrain, remove     string
	set, accept                string
}

func (o *operator) register(fs *flag.FlagSet) {
	fs.BoolVar(&o.status, "status", false, "print what the cluster is like, and exit")
	fs.BoolVar(&o.json, "json", false, "with -status: as JSON, for programs")
	fs.StringVar(&o.drain, "drain", "", "have all chains moved away from a `node`, wait until they are, and exit")
	fs.StringVar(&o.undrain, "undrain", "", "let a `node` have chains again, and exit")
	fs.StringVar(&o.remove, "remove", "", "end the membership of a `node` that holds nothing, and exit")
	fs.StringVar(&o.set, "set", "", "change a setting of the cluster, `replicas=N`, and exit")
	fs.BoolVar(&o.recover, "recover", false, "print how to rebuild a lost chain table from the nodes, and exit")
	fs.StringVar(&o.accept, "accept", "", "with -recover: `what` is better than nothing: stale, empty, or both with a comma")
	fs.BoolVar(&o.yes, "yes", false, "with -recover: rebuild it")
}

// asked tells whether one of the forms was asked for, and refuses flags that do
// not go with it.
func (o *operator) asked(fs *flag.FlagSet) (bool, error) {
	forms := map[string]bool{"status": true, "drain": true, "undrain": true, "remove": true, "set": true, "recover": true}
	with := map[string]string{"json": "status", "yes": "recover", "accept": "recover", "db": ""}
	var form, other []string
	fs.Visit(func(f *flag.Flag) {
		if forms[f.Name] {
			form = append(form, f.Name)
		} else {
			other = append(other, f.Name)
		}
	})
	if len(form) > 1 {
		return false, cli.UsageError("-%s exclude each other", strings.Join(form, " and -"))
	}
	for _, name := range other {
		of, is := with[name]
		switch {
		case len(form) == 1 && (!is || of != "" && of != form[0]):
			return false, cli.UsageError("-%s does not go with -%s", name, form[0])
		case len(form) == 0 && of != "":
			return false, cli.UsageError("-%s is for -%s", name, of)
		}
	}
	return len(form) == 1, nil
}

func (o *operator) run(ctx context.Context, dir string) error {
	switch {
	case o.status:
		return storage.PrintStatus(ctx, dir, o.json, os.Stdout)
	case o.drain != "":
		return storage.Drain(ctx, dir, o.drain, os.Stderr)
	case o.undrain != "":
		return storage.Undrain(ctx, dir, o.undrain)
	case o.remove != "":
		return storage.Remove(ctx, dir, o.remove)
	case o.set != "":
		return storage.Set(ctx, dir, o.set)
	}
	return storage.Recover(ctx, dir, o.accept, o.yes, os.Stdout)
}
