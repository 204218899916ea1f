package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const source = `// Nc-try tries.
//
// Usage:
//
//	nc-try [-n N]
package main

// not the manual
`

func TestExecute(t *testing.T) {
	for _, c := range []struct {
		name           string
		args           []string
		err            error
		code           int
		stdout, stderr string
	}{
		{name: "done", code: OK},
		{name: "refused", err: errors.New("no"), code: Refused, stderr: "nc-try: no\n"},
		{name: "usage", err: UsageError("bad %s", "x"), code: Usage, stderr: "nc-try: bad x\nnc-try: see 'nc-try -h'\n"},
		{name: "retry", err: RetryError(errors.New("busy")), code: Retry, stderr: "nc-try: busy\n"},
		{name: "retry wrapped", err: fmt.Errorf("send: %w", RetryError(errors.New("busy"))), code: Retry, stderr: "nc-try: send: busy\n"},
		{name: "exit", err: Exit(7), code: 7},
		{name: "help", args: []string{"-h"}, code: OK, stdout: "Nc-try tries.\n\nUsage:\n\n\tnc-try [-n N]\n\nFlags:\n  -n times\n    \thow many times to try (default 3)\n"},
		{name: "unknown flag", args: []string{"-x"}, code: Usage, stderr: "nc-try: flag provided but not defined: -x\nnc-try: see 'nc-try -h'\n"},
		{name: "stray argument", args: []string{"a"}, code: Usage, stderr: "nc-try: unexpected argument \"a\"\nnc-try: see 'nc-try -h'\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			tool := Tool{Name: "nc-try", Source: source, Run: func(_ context.Context, fs *flag.FlagSet, parse func() error) error {
				fs.Int("n", 3, "how many `times` to try")
				if err := Parse(fs, parse, 0); err != nil {
					return err
				}
				return c.err
			}}
			code := tool.Execute(t.Context(), c.args, &stdout, &stderr)
			if code != c.code || stdout.String() != c.stdout || stderr.String() != c.stderr {
				t.Errorf("exit %d, want %d\n%s\n%s", code, c.code, cmp.Diff(c.stdout, stdout.String()), cmp.Diff(c.stderr, stderr.String()))
			}
		})
	}
}
