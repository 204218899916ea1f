package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"

	"namecast/lib/cli"
	"namecast/lib/peer/packet"
	"namecast/lib/private"
)

// groupForms are the forms of the tool that are about the key of a group of nc-peer.
type groupForms struct {
	name  string
	given bool // -group, though perhaps without a name
	next  bool // that of -dnssec
}

func (f *groupForms) register(fs *flag.FlagSet) {
	fs.Func("group", "make the key of the group with this `name`, for nc-peer", func(name string) error {
		f.name, f.given = name, true
		return nil
	})
}

// check refuses flags that do not go together.
func (f groupForms) check(o options, d dnssecForms, c caForms, args []string) error {
	o.out, d.next = "", false
	switch {
	case o != options{} || d.asked() || c.asked():
		return cli.UsageError("-group goes with no flag of other keys")
	case len(args) > 0:
		return cli.UsageError("unexpected argument %q", args[0])
	}
	return nil
}

// run makes a key, or adds one to the keys on standard input.
func (f groupForms) run(o options) error {
	if !f.next {
		text, err := packet.NewKey(f.name, rand.Reader)
		if err != nil {
			return cli.UsageError("%w", err)
		}
		return savePrivate(string(text), o.out)
	}
	k, err := readGroup(os.Stdin)
	if err != nil {
		return fmt.Errorf("read group key on standard input: %w", err)
	}
	if k.Name() != f.name {
		return cli.UsageError("-group %s: the key on standard input is of the group %s", f.name, k.Name())
	}
	if k, err = k.Next(rand.Reader); err != nil {
		return err
	}
	return savePrivate(string(k.Text()), o.out)
}

// readGroup reads the keys of a group from an open file.
func readGroup(file *os.File) (*packet.Keys, error) {
	text, err := private.Read(file)
	if err != nil {
		return nil, err
	}
	return packet.ParseKeys(text)
}
