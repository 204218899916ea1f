package trial

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"namecast/lib/chain"
	"namecast/lib/storage"
)

var (
	trials = flag.Int("trials", fewTrials, "how many faults to do")
	seed   = flag.Uint64("seed", 0, "of the faults; 0 is a new one")
	length = flag.Duration("for", 0, "go on for so long, however many faults that are")
	only   = flag.String("only", "", "do those faults alone whose FAULT/ROLE/SITUATION begins so")
	built  = flag.String("tools", "", "`folder` of nc-chain and nc-keygen; else they are built")
	keep   = flag.String("keep", os.TempDir(), "folder where failed trials leave logs and histories")
)

// The roles that a node can have, and the situations of a cluster.
var (
	roles      = []string{"head", "middle", "tail", "recruit", "controller", "leader"}
	situations = []string{"idle", "load", "recruiting"}
)

// perCluster is how many trials a cluster lasts. A run of few trials, as every test of
// the tree has it, keeps their faults short.
const (
	perCluster = 24
	fewTrials  = 6
)

// A trial is one fault.
type trial struct {
	fault
	role, situation string
}

func (x trial) String() string { return x.name + "/" + x.role + "/" + x.situation }

// raceDetector tells whether the test was built with it.
var raceDetector bool

func TestMain(m *testing.M) {
	if text := os.Getenv(driverEnv); text != "" {
		os.Exit(driverMain(text))
	}
	os.Exit(m.Run())
}

// matrix is every fault in every role and situation, in an order of the seed.
func matrix(r *rand.Rand) (all []trial) {
	_, err := exec.LookPath("strace")
	for _, f := range faults {
		if f.name == "fsync-error" && err != nil {
			continue
		}
		for _, role := range roles {
			for _, situation := range situations {
				x := trial{f, role, situation}
				if (role != "recruit" || situation == "recruiting") && strings.HasPrefix(x.String(), *only) {
					all = append(all, x)
				}
			}
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// TestTrials does faults, a new cluster for every few of them.
func TestTrials(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64N(1 << 32)
	}
	t.Logf("seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 0))
	all := matrix(r)
	if len(all) == 0 {
		t.Fatalf("no fault begins with %q", *only)
	}
	if os.Geteuid() != 0 {
		t.Skip("machines need root")
	}
	bin := build(t)
	end := time.Now().Add(*length)
	more := func(k int) bool {
		return *length == 0 && k < *trials || *length > 0 && time.Now().Before(end)
	}
	for k := 0; more(k); {
		t.Run(fmt.Sprintf("cluster%d", k/perCluster+1), func(t *testing.T) {
			c := newCluster(t, bin)
			for more(k) {
				ok := c.try(k, all[k%len(all)], r)
				if k++; !ok || k%perCluster == 0 {
					break
				}
			}
		})
	}
}

// A run is a trial that runs.
type run struct {
	trial
	*cluster
	k       int
	rand    *rand.Rand
	chains  []chain.ID
	target  *node
	drained *node // the node that is emptied, or nil
	file    string
}

// try does one trial; false if it has failed.
func (c *cluster) try(k int, x trial, r *rand.Rand) bool {
	c.t.Helper()
	began := time.Now()
	t := &run{trial: x, cluster: c, k: k, rand: rand.New(rand.NewPCG(r.Uint64(), uint64(k)))}
	t.file = filepath.Join(c.dir, fmt.Sprintf("history%d.json", k))
	lasted, err := t.do()
	if err != nil {
		t.fail([]string{err.Error()}, nil)
		return false
	}
	history, err := readHistory(t.file)
	if err != nil {
		t.fail([]string{err.Error()}, nil)
		return false
	}
	v := check(history)
	v.findings = append(v.findings, c.alarms()...)
	if len(v.findings) > 0 {
		t.fail(v.findings, v.drawings)
		return false
	}
	c.t.Logf("trial %d: %v at %s for %v: %s, %v in all", k, x, t.target.name, lasted.Round(time.Millisecond), count(history), time.Since(began).Round(100*time.Millisecond))
	return true
}

// do carries the trial out, up to the history's file.
func (t *run) do() (lasted time.Duration, err error) {
	if err := t.whole(wholeLimit); err != nil {
		return 0, fmt.Errorf("the cluster was whole, and is not any more: %w", err)
	}
	s, err := t.status()
	if err != nil {
		return 0, err
	}
	if err := t.choose(s); err != nil {
		return 0, err
	}
	begin := order{Do: "begin", Chains: t.chains, Idle: t.situation == "idle", Fill: t.situation == "recruiting", Seed: t.rand.Uint64()}
	if _, err := t.order(40*time.Second, begin); err != nil {
		return 0, err
	}
	time.Sleep(time.Duration(200+t.rand.IntN(600)) * time.Millisecond) // some load before the fault
	if err := t.aim(); err != nil {
		return 0, err
	}
	spread := t.most - t.least
	if *length == 0 && *trials <= fewTrials {
		spread = min(spread, 2*time.Second)
	}
	lasted = t.least + time.Duration(t.rand.Int64N(int64(spread)))
	if err := t.fault.do(t.target, t.rand); err != nil {
		return 0, fmt.Errorf("%s: %w", t.name, err)
	}
	time.Sleep(lasted)
	if err := t.fault.undo(t.target); err != nil {
		return 0, fmt.Errorf("after %s: %w", t.name, err)
	}
	return lasted, t.finish()
}

// finish waits until the cluster is whole again and has the driver end.
func (t *run) finish() error {
	if t.drained != nil {
		if err := t.undrain(t.drained); err != nil {
			return err
		}
	}
	whole := t.whole(wholeLimit)
	t.target.mayEnd = false
	_, err := t.order(time.Minute, order{Do: "end", File: t.file})
	if whole != nil {
		return fmt.Errorf("the cluster does not become whole: %w", whole)
	}
	return err
}

// choose takes the chains of the trial, and the target as far as it is known: the first
// chain is that of the role, and in the others the target has other places.
func (t *run) choose(s storage.Cluster) error {
	places := map[string]int{"head": 0, "middle": 1, "tail": 2}
	place, ofChain := places[t.role]
	name := s.Controller
	if t.role == "leader" {
		var err error
		if name, err = t.order(20*time.Second, order{Do: "leader"}); err != nil {
			return err
		}
	}
	rows := slices.DeleteFunc(slices.Clone(s.Chains), func(c storage.ChainStatus) bool { return len(c.Members) != 3 })
	if len(rows) == 0 {
		return errors.New("no chain is whole")
	}
	t.rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	if ofChain || t.role == "recruit" {
		name = rows[0].Members[place].Node
		t.chains = []chain.ID{rows[0].Chain}
	}
	if t.target = t.named(name); t.target == nil {
		return fmt.Errorf("there is no %s, but %q", t.role, name)
	}
	t.drainOne(rows)
	for i := 0; len(t.chains) < 3 && i < 3*len(places); i++ {
		for _, row := range rows {
			if len(row.Members) == 3 && row.Members[i%3].Node == name && t.moves(row.Row) && !slices.Contains(t.chains, row.Chain) {
				t.chains = append(t.chains, row.Chain)
				break
			}
		}
	}
	if len(t.chains) == 0 {
		return fmt.Errorf("%s has no chain", name)
	}
	return nil
}

// drainOne chooses the node to be emptied, so that chains move: a member of the first
// chain that is not the target.
func (t *run) drainOne(rows []storage.ChainStatus) {
	if t.situation != "recruiting" {
		return
	}
	others := slices.DeleteFunc(slices.Clone(rows[0].Members), func(m chain.Member) bool { return m.Node == t.target.name })
	t.drained = t.named(others[t.rand.IntN(len(others))].Node)
}

// moves reports whether a chain is among those that are about to move, if any do.
func (t *run) moves(row chain.Row) bool {
	return t.drained == nil || !row.Node(t.drained.name).IsZero()
}

// aim begins what the situation needs and finds the target at the last moment, where
// it could be another by now.
func (t *run) aim() error {
	if t.drained == nil {
		return nil
	}
	if err := t.drain(t.drained); err != nil {
		return err
	}
	answer, err := t.order(40*time.Second, order{Do: "recruit"})
	if err != nil || t.role != "recruit" {
		return err
	}
	_, name, _ := strings.Cut(answer, " ")
	if n := t.named(name); n != nil {
		t.target = n
	}
	return nil
}

// named finds a node.
func (c *cluster) named(name string) *node {
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return c.nodes[i]
}

// count says how much a history has.
func count(history []*op) string {
	n := map[string]int{}
	for _, o := range history {
		n[o.End]++
	}
	return fmt.Sprintf("%d operations, %d unknown, %d denied", len(history), n[unknown], n[denied])
}

// fail tells what was found, and keeps what is needed to look into it.
func (t *run) fail(findings []string, drawings []drawing) {
	dir, err := os.MkdirTemp(*keep, fmt.Sprintf("trial-%d-%d-", *seed, t.k))
	if err != nil {
		t.t.Error(err)
	}
	_ = os.CopyFS(filepath.Join(dir, "logs"), os.DirFS(t.lab.Logs())) // what can be had
	if text, err := os.ReadFile(t.file); err == nil {
		_ = os.WriteFile(filepath.Join(dir, "history.json"), text, fs.FileMode(0o600))
	}
	for _, d := range drawings {
		file := filepath.Join(dir, d.name+".html")
		if err := porcupine.VisualizePath(model, d.info, file); err == nil {
			findings = append(findings, "drawn in "+file)
		}
	}
	target := "nobody"
	if t.target != nil {
		target = t.target.name
	}
	t.t.Errorf("trial %d, seed %d: %v at %s, chains %v; logs and history are in %s\n%s", t.k, *seed, t.trial, target, t.chains, dir, strings.Join(findings, "\n"))
}

// build makes the tools, the nodes with the race detector if the test has it.
func build(t *testing.T) string {
	if *built != "" {
		return *built
	}
	bin := t.TempDir()
	args := []string{"build", "-o", bin}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../../cmd/nc-chain", "../../cmd/nc-keygen")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}
