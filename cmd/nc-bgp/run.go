package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"namecast/lib/anycast"
	"namecast/lib/cli"
)

func run(ctx context.Context, fs *flag.FlagSet, parse func() error) error {
	c := anycast.Config{In: os.Stdin, Out: os.Stdout}
	fs.StringVar(&c.File, "f", "/etc/namecast/bgp.conf", "`file` of the configuration")
	fs.StringVar(&c.Listen, "listen", "", "`path` of a socket to take commands at (default standard input)")
	owner := fs.String("owner", "", "with -listen: `user`, by name or number, who may command besides root (default the own one)")
	verbose := fs.Bool("v", false, "log more, also what the BGP library says")
	if err := cli.Parse(fs, parse, 0); err != nil {
		return err
	}
	var err error
	if c.Owner, err = uid(*owner); err != nil {
		return cli.UsageError("-owner %q: %w", *owner, err)
	}
	if *owner != "" && c.Listen == "" {
		return cli.UsageError("-owner needs -listen")
	}
	// A reader of states that goes is no reason to end.
	signal.Ignore(syscall.SIGPIPE)
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	out := anycast.NewLines(os.Stderr, func(n int) string { return fmt.Sprintf("level=WARN msg=\"log lines dropped\" lines=%d", n) })
	defer out.Close(100 * time.Millisecond)
	c.Log = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	return verdict(anycast.Run(ctx, c))
}

// uid is the number of a user, by default of the process's own.
func uid(name string) (int, error) {
	if name == "" {
		return os.Getuid(), nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, errors.New("no such user")
	}
	return strconv.Atoi(u.Uid)
}

// verdict gives an error its exit number.
func verdict(err error) error {
	switch {
	case errors.Is(err, anycast.ErrConfig):
		return cli.UsageError("%w", err)
	case anycast.Transient(err):
		return cli.RetryError(err)
	}
	return err
}
