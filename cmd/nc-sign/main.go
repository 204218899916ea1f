// Nc-sign signs updates of the records that a DNS hosting service holds.
//
// Usage:
//
//	nc-sign [-k key] [-s server] [-t duration] [-seq n] [-token t] [-work bits] < update.txt > packets
//
// The update comes on standard input, one element a line; "#" and ";" start a
// comment. Names are relative to the account's suffix, and "@" is its apex.
// What follows the first word may be pasted from a zone file, but names in data
// are absolute there with or without a dot at their end. Without a TTL it is
// 3600; TTLs may have units, as in 1h30m.
//
//	add     www 300 A 192.0.2.1
//	add     @ 3600 MX 10 mail.example.net.
//	delete  old
//	delete  www A
//	delete  www A 192.0.2.1
//	replace home 60 A 203.0.113.7
//	require exists www A 192.0.2.1
//	require absent lock
//	validate example.com hostmaster@example.com 3600
//	rekey   new.key
//	send
//
// Types are those of RFC 3597 and after, and ALIAS, which gives a name the
// addresses of another name that the service holds.
//
// A replace puts the records of the name and type that its lines give in the
// place of those that are there; the lines of one such set follow one another.
// A require makes the rest depend on what exists: a name, a type at a name, or
// exactly the records given. A validate claims a domain, with the e-mail address
// of its technical contact and the TTL of its SOA record. A rekey moves the
// account to the secret key in a file and is the last that the old key can say.
//
// Everything up to send or the end is one request, of which all or nothing takes
// effect; it becomes one packet. Nothing is written unless all of them are good.
//
// The key is that of -k, $NAMECAST_KEY, or ~/.namecast/key; others must not be
// able to read it. With a DSA key the packets have version 0 of the protocol,
// which knows only add, delete and validate, and A, AAAA, CNAME, MX, NS and TXT.
// The server is that of -s, $NAMECAST_SERVER, or the key file, written
// [service@]host[:port]. It is asked for the sequence number of the first packet
// and, for a new account, for the proof of work that it wants; with -seq it is
// not asked, and need not be reachable.
//
// Exit status: 0 done, 1 the update, the key or the server is no good, 2 wrong
// usage, 111 the server does not answer or is busy: try again.
//
// Examples:
//
//	nc-sign < update.txt | nc-send
//	echo 'replace home 60 A 203.0.113.7' | nc-sign | nc-send
//	nc-sign -s namecast.example@192.0.2.53 -seq 0 < update.txt > packets
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"

	"namecast/lib/cli"
	"namecast/lib/client"
	"namecast/lib/nup"
)

func main() { cli.Tool{Name: "nc-sign", Source: source, Run: run}.Main() }

//go:embed main.go
var source string // its package comment is the manual

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	s := signer{seq: -1}
	path := fs.String("k", "", "`file` of the key")
	spec := fs.String("s", "", "`server` the packets are for: [service@]host[:port]")
	fs.DurationVar(&s.limit, "t", client.DefaultLimit, "`time` after which a server that does not answer is given up")
	fs.Func("seq", "sequence `number` of the first packet; the server is not asked", s.setSeq)
	fs.StringVar(&s.token, "token", "", "admission `token` for a new account")
	fs.IntVar(&s.bits, "work", 0, "solve a proof of work of so many `bits` for a new account")
	if err := cli.Parse(fs, parse, 0); err != nil {
		return err
	}
	if s.limit <= 0 {
		return cli.UsageError("-t %v: not a time to wait", s.limit)
	}
	if err := s.load(*path, *spec); err != nil {
		return err
	}
	// A read from a terminal does not end with the context.
	stop := context.AfterFunc(ctx, func() { os.Exit(cli.Refused) })
	update, err := nup.ParseText(os.Stdin, s.version(), s.newKey)
	stop()
	if err != nil {
		return err
	}
	for _, w := range update.Warnings {
		say("line %d: warning: %s", w.Line, w.Text)
	}
	if len(update.Groups) == 0 {
		return errors.New("update is empty")
	}
	packets, err := s.sign(ctx, update.Groups)
	if err != nil {
		return err
	}
	if _, err = os.Stdout.Write(bytes.Join(packets, nil)); err != nil {
		return fmt.Errorf("write packets: %w", err)
	}
	return nil
}

func (s *signer) setSeq(text string) error {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return fmt.Errorf("want a number from 0 to %d", int64(math.MaxInt64))
	}
	s.seq = int64(n)
	return nil
}

// say prints one line for people.
func say(format string, a ...any) { fmt.Fprintf(os.Stderr, "nc-sign: "+format+"\n", a...) }
