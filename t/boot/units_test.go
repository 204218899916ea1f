package boot

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// source is where the units are, from here.
const source = "../../lib/systemd"

// exposure is what systemd-analyze may find of a unit at most, from 0 to 10.
const exposure = 2.5

// daemons are what has a unit of its own.
var daemons = []string{"nc-serve", "nc-chain", "nc-bgp", "nc-watch"}

// built is the folder of all tools, once they are built.
var built = sync.OnceValues(compile)

// folder is that of the tools, to be removed at the end; "" if there is none.
var folder string

// compile builds all tools, so that they run on any Linux.
func compile() (bin string, err error) {
	if bin, err = os.MkdirTemp("", "nc-boot"); err != nil {
		return "", err
	}
	folder = bin
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return bin, fmt.Errorf("go build: %w: %s", err, out)
	}
	return bin, nil
}

// TestMain removes the tools at the end.
func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// build is the folder of all tools. It opens every source, so that "go test" knows
// that the test depends on them and does not answer from its cache after an edit.
func build(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"../../cmd", "../../lib"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			return f.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// install installs tools and units, as "make install" does, below a folder.
func install(t *testing.T, bin, dest string) {
	t.Helper()
	tools, err := filepath.Glob(filepath.Join(bin, "nc-*"))
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dest, "usr/local/bin")
	for _, line := range [][]string{
		{"install", "-d", to},
		append(append([]string{"install", "-m", "755"}, tools...), to),
		{"env", "DESTDIR=" + dest, "PREFIX=/usr/local", "sh", filepath.Join(source, "install.sh")},
	} {
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, out)
		}
	}
}

// systemdAnalyze skips the test if there is no such program.
func systemdAnalyze(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is missing (Debian's package systemd)")
	}
}

// TestVerify has systemd read the units, with programs that are there.
func TestVerify(t *testing.T) {
	systemdAnalyze(t)
	dest := t.TempDir()
	install(t, build(t), dest)
	units, err := filepath.Glob(filepath.Join(dest, "usr/local/lib/systemd/system/*"))
	if err != nil || len(units) < 7 {
		t.Fatalf("the units are %q, %v", units, err)
	}
	var args []string
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		// Verify looks at the programs where the unit says that they are.
		there := strings.ReplaceAll(string(text), "=/usr/local/", "="+dest+"/usr/local/")
		if err := os.WriteFile(unit, []byte(there), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, strings.Replace(unit, "@.", "@nc-serve.", 1))
	}
	cmd := exec.Command("systemd-analyze", append([]string{"verify", "--man=no", "--recursive-errors=no"}, args...)...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+filepath.Dir(units[0])+":")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

var overall = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// TestSecurity holds the units to what they may do.
func TestSecurity(t *testing.T) {
	systemdAnalyze(t)
	for _, unit := range append(daemons, "nc-restart@", "nc-peer", "nc-peer-resolver", "nc-peer-retake") {
		out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=yes", filepath.Join(source, unit+".service")).CombinedOutput()
		m := overall.FindStringSubmatch(string(out))
		if m == nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
			continue
		}
		level, err := strconv.ParseFloat(m[1], 64)
		if err != nil || level >= exposure {
			t.Errorf("%s: the exposure is %s, want less than %v\n%s", unit, m[1], exposure, out)
		}
		t.Logf("%s: exposure %s", unit, m[1])
	}
}

// TestPrefix installs below another prefix, and leaves a configuration alone that is
// there.
func TestPrefix(t *testing.T) {
	dest := t.TempDir()
	run := func() {
		t.Helper()
		cmd := exec.Command("sh", filepath.Join(source, "install.sh"))
		cmd.Env = append(os.Environ(), "DESTDIR="+dest, "PREFIX=/usr")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("install.sh: %v\n%s", err, out)
		}
	}
	run()
	unit, err := os.ReadFile(filepath.Join(dest, "usr/lib/systemd/system/nc-serve.service"))
	if err != nil || !strings.Contains(string(unit), "\nExecStart=/usr/bin/nc-serve ") {
		t.Errorf("the unit of nc-serve: %v\n%s", err, unit)
	}
	conf := filepath.Join(dest, "etc/namecast/bgp.conf")
	if err := os.WriteFile(conf, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run()
	if text, err := os.ReadFile(conf); err != nil || string(text) != "mine\n" {
		t.Errorf("the configuration was written over: %q, %v", text, err)
	}
}
