// Package t tests the built tools as black boxes: scripts in testdata, and the
// rules that the tree keeps.
package t

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"namecast/t/tools"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestTools runs the scripts of testdata over the built tools.
func TestTools(t *testing.T) {
	bin := tools.Build(t, "nc-chain", "nc-bgp", "nc-watch", "nc-peer")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH")+string(filepath.ListSeparator)+"/usr/sbin") // where Debian has servers
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
			e.Values[daemonsKey{}] = map[string]*tools.Daemon{}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "mounts" { // may file systems be mounted in a name space of one's own?
				return exec.Command("unshare", "-m", "true").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "term": term, "crash": crash, "ports": ports,
		},
	})
}

type daemonsKey struct{}

// start runs a daemon and waits until it says that it is ready. Each word
// what=address of its STATUS line becomes the variable $name_what; standard
// error goes to the file name.err.
//
//	start name program [args...]
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start name program [args...]")
	}
	name := args[0]
	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	cmd := exec.Command(filepath.Join(bin, args[1]), args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "GOCOVERDIR=" + ts.Getenv("GOCOVERDIR")}
	stderr, err := os.OpenFile(ts.MkAbs(name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	defer stderr.Close()
	cmd.Stderr = stderr
	d, err := tools.Start(cmd)
	if err != nil {
		ts.Fatalf("%s: %v\n%s", name, err, ts.ReadFile(name+".err"))
	}
	ts.Defer(d.Kill)
	for what, addr := range d.Words {
		ts.Setenv(name+"_"+what, addr)
	}
	ts.Value(daemonsKey{}).(map[string]*tools.Daemon)[name] = d
}

// term sends SIGTERM to a started daemon and waits for it to end with 0.
//
//	[!] term name
func term(ts *testscript.TestScript, neg bool, args []string) {
	if err := started(ts, args).Stop(); (err != nil) != neg {
		ts.Fatalf("%s: exit: %v", args[0], err)
	}
}

// crash kills a started daemon with SIGKILL and waits for it to be gone.
//
//	crash name
func crash(ts *testscript.TestScript, _ bool, args []string) { started(ts, args).Kill() }

// ports finds ports in a row that nobody listens on: $name, $name2 and so on. A node
// of nc-chain takes three; the first is named for each of them, and the second, for
// other members of etcd, is $name_peer, $name2_peer.
//
//	ports name nodes
func ports(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ports name count")
	}
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	first, err := tools.Ports(3 * count)
	ts.Check(err)
	for i := range count {
		name := args[0]
		if i > 0 {
			name += strconv.Itoa(i + 1)
		}
		ts.Setenv(name, strconv.Itoa(first+3*i))
		ts.Setenv(name+"_peer", strconv.Itoa(first+3*i+1))
	}
}

func started(ts *testscript.TestScript, args []string) *tools.Daemon {
	if len(args) != 1 {
		ts.Fatalf("usage: term name")
	}
	d := ts.Value(daemonsKey{}).(map[string]*tools.Daemon)[args[0]]
	if d == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	return d
}
