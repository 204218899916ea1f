// Package cli is the frame of a tool: flags, usage, diagnostics, exit numbers
// and what a supervisor expects of a daemon.
//
// A tool's main is one line; its work is a run function that returns an error.
// The error's kind gives the exit number, which is an interface: scripts and
// units act on it.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit numbers.
const (
	OK      = 0   // done
	Refused = 1   // refused; the same again will be refused again
	Usage   = 2   // the command line is wrong
	Retry   = 111 // try again later
)

// A Tool is one command.
type Tool struct {
	Name string
	// Source is the text of main.go, whose package comment is the manual that
	// -h prints; a main embeds itself, so that the two cannot differ.
	Source string
	// Run does the work. Flags are registered on fs before fs is parsed, which
	// Run does by calling parse.
	Run func(ctx context.Context, fs *flag.FlagSet, parse func() error) error
}

// Main runs the tool with the program's arguments and exits. The context ends
// at SIGINT or SIGTERM; a second one ends the program as it ends any other.
func (t Tool) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := t.Execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Execute runs the tool and returns the exit number.
func (t Tool) Execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet(t.Name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	err := t.Run(ctx, fs, func() error { return fs.Parse(args) })
	switch {
	case err == nil:
		return OK
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, t.help(fs))
		return OK
	}
	code := exitCode(err)
	if msg := err.Error(); msg != "" {
		fmt.Fprintf(stderr, "%s: %s\n", t.Name, msg)
	}
	if code == Usage {
		fmt.Fprintf(stderr, "%s: see '%s -h'\n", t.Name, t.Name)
	}
	return code
}

// help is the manual followed by the flags with their defaults.
func (t Tool) help(fs *flag.FlagSet) string {
	var b strings.Builder
	b.WriteString(manual(t.Source))
	first := true
	fs.VisitAll(func(f *flag.Flag) {
		if first {
			b.WriteString("\nFlags:\n")
			first = false
		}
		arg, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %s\n    \t%s", strings.TrimSpace("-"+f.Name+" "+arg), strings.ReplaceAll(usage, "\n", "\n    \t"))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		b.WriteString("\n")
	})
	return b.String()
}

// manual is the package comment of a source text.
func manual(source string) string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		text, ok := strings.CutPrefix(line, "//")
		if !ok {
			break
		}
		b.WriteString(strings.TrimPrefix(text, " "))
	}
	return b.String()
}

// An exitError carries an exit number with its cause.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

// UsageError makes an error that exits with 2.
func UsageError(format string, a ...any) error { return exitError{Usage, fmt.Errorf(format, a...)} }

// RetryError marks an error as one that may not happen later: exit 111.
func RetryError(err error) error { return exitError{Retry, err} }

// Exit ends the tool with a number and no message of the frame's own; the tool
// has said what there is to say.
func Exit(code int) error { return exitError{code, errors.New("")} }

// exitCode finds the exit number of an error. What the flag package refuses is
// wrong usage; all else without a mark is a refusal.
func exitCode(err error) int {
	var e exitError
	if errors.As(err, &e) {
		return e.code
	}
	return Refused
}

// Parse wraps the frame's parse: a flag error becomes wrong usage, and at most
// max arguments may follow the flags.
func Parse(fs *flag.FlagSet, parse func() error, max int) error {
	if err := parse(); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return exitError{Usage, err}
	}
	if fs.NArg() > max {
		return UsageError("unexpected argument %q", fs.Arg(max))
	}
	return nil
}
