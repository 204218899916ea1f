package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"

	"namecast/lib/cli"
	"namecast/lib/key"
)

// options are the flags.
type options struct {
	bits                    int    // of a DSA key; 0 makes an Ed25519 key
	server, out, admit      string // -server, -o and -admit
	importing, hash, public bool   // -import, -hash and -pub
}

func (o *options) register(fs *flag.FlagSet) {
	fs.IntVar(&o.bits, "dsa", 0, "make a DSA key of so many `bits`: 1024, 2048 or 3072")
	fs.StringVar(&o.server, "server", "", "`server` of the key: [service@]host[:port]")
	fs.StringVar(&o.out, "o", "", "write the key to this new `file`")
	fs.BoolVar(&o.importing, "import", false, "write the secret key on standard input as a key file")
	fs.BoolVar(&o.hash, "hash", false, "print the account of the key on standard input")
	fs.BoolVar(&o.public, "pub", false, "print the public key of the key on standard input")
	fs.StringVar(&o.admit, "admit", "", "print an admission token made with the secret in this `file`")
}

// check refuses flags that do not go together, and tells whether the key is
// read and not made.
func (o options) check() (reading bool, err error) {
	forms := 0
	for _, given := range []bool{o.importing, o.hash, o.public, o.admit != ""} {
		if given {
			forms++
		}
	}
	switch {
	case forms > 1:
		return false, cli.UsageError("-import, -hash, -pub and -admit exclude each other")
	case o.bits != 0 && forms > 0:
		return false, cli.UsageError("-dsa is for new keys")
	case o.out != "" && forms > 0 && !o.importing:
		return false, cli.UsageError("-o is for secret keys")
	case o.server != "" && o.hash:
		return false, cli.UsageError("-server changes nothing about a hash")
	case o.bits != 0 && o.bits != 1024 && o.bits != 2048 && o.bits != 3072:
		return false, cli.UsageError("-dsa %d: not 1024, 2048 or 3072", o.bits)
	}
	return forms > 0, nil
}

// obtain reads the key, or makes one.
func (o options) obtain(reading bool) (key.File, error) {
	if reading {
		f, err := key.Read(os.Stdin)
		if err != nil {
			return f, fmt.Errorf("read key on standard input: %w", err)
		}
		if o.importing && f.Secret == nil {
			return f, errors.New("read key on standard input: a public key, and -import takes secret ones")
		}
		return f, nil
	}
	generate := func() (*key.Secret, error) { return key.Generate(rand.Reader) }
	if o.bits != 0 {
		generate = func() (*key.Secret, error) { return key.GenerateDSA(rand.Reader, o.bits) }
	}
	s, err := generate()
	if err != nil {
		return key.File{}, err
	}
	return key.File{Secret: s, Public: s.Public(), Account: s.Public().Account()}, nil
}

// place gives the key the server of -server. A key that has neither server nor
// service, and is not just printed, gets that of $NAMECAST_SERVER.
func (o options) place(f *key.File) error {
	from, spec := "-server", o.server
	if spec == "" && f.Server == "" && f.Service == "" && !o.public {
		from, spec = "$NAMECAST_SERVER", os.Getenv("NAMECAST_SERVER")
	}
	if spec == "" {
		return nil
	}
	service, server, err := key.ParseServer(spec)
	if err != nil {
		return cli.UsageError("%s: %w", from, err)
	}
	f.Service, f.Server = cmp.Or(service, f.Service), server
	return nil
}

// write writes what was asked for.
func (o options) write(f key.File) error {
	switch {
	case o.hash:
		return show(f.Account)
	case o.public:
		return show(f.PublicLine())
	case o.admit == "":
		return save(f, o.out)
	case f.Service == "":
		return cli.UsageError("no service: write -server service@host")
	}
	secret, err := key.LoadTokenSecret(o.admit)
	if err != nil {
		return err
	}
	return show(key.Token(secret, f.Service, f.Account))
}
