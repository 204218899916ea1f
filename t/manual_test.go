package t

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/t/tools"
)

// TestManuals checks that what a tool prints for -h begins with its package
// comment, word for word, that the flags follow it, and that the README
// names the tool.
func TestManuals(t *testing.T) {
	bin := tools.Build(t, "nc-chain", "nc-bgp", "nc-watch", "nc-peer")
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	mains, err := filepath.Glob("../cmd/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no tools: %v", err)
	}
	for _, file := range mains {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			help, err := exec.Command(filepath.Join(bin, name), "-h").Output()
			if err != nil {
				t.Fatal(err)
			}
			manual, flags, ok := strings.Cut(string(help), "\nFlags:\n")
			if !ok {
				t.Error("-h lists no flags")
			}
			if diff := cmp.Diff(words(f.Doc.Text()), words(manual)); diff != "" {
				t.Errorf("package comment (-), -h (+):\n%s", diff)
			}
			if !strings.HasPrefix(flags, "  -") {
				t.Errorf("-h has flags without their names: %q", flags)
			}
			if !strings.Contains(string(readme), "`"+name+"`") {
				t.Errorf("README.md does not name %s", name)
			}
		})
	}
}

// words makes two texts comparable whatever their line breaks, a line a word
// group so that a difference is easy to see.
func words(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if f := strings.Join(strings.Fields(line), " "); f != "" {
			out = append(out, f)
		}
	}
	return out
}
