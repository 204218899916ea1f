package system

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTakeOver goes through the whole life of each change.
func TestTakeOver(t *testing.T) {
	for _, c := range takeovers {
		t.Run(c.name, func(t *testing.T) {
			m, r := taken(t, c.files)
			before := tree(t, m)
			found, _ := m.Servers()
			change := plan(t, m)
			if text := change.String(); !containsAll(text, c.says) {
				t.Errorf("it says\n%s", text)
			}
			if !maps.Equal(tree(t, m), before) || len(r.ran) != 0 || change.Held() {
				t.Errorf("something was done before Apply: %v", r.ran)
			}
			if err := change.Apply(); err != nil {
				t.Fatal(err)
			}
			after := tree(t, m)
			maps.DeleteFunc(after, func(name, text string) bool {
				return strings.HasPrefix(name, "etc/namecast/") || text == before[name]
			})
			if !maps.Equal(after, c.after) {
				t.Errorf("after it:\n%q\ninstead of\n%q", after, c.after)
			}
			if !change.Held() {
				t.Error("not held")
			}
			if now, _ := m.Servers(); !slices.Equal(now.Servers, found.Servers) {
				t.Errorf("servers were %v and are %v", found.Servers, now.Servers)
			}
			back, err := m.Installed()
			if err != nil || back.String() != change.String() || back.UndoString() == "" {
				t.Fatalf("%v, %v", back, err)
			}
			if err := back.Undo(); err != nil {
				t.Fatal(err)
			}
			if now := tree(t, m); !maps.Equal(now, before) {
				t.Errorf("after undoing it:\n%q\ninstead of\n%q", now, before)
			}
			if !slices.Equal(r.ran, c.ran) {
				t.Errorf("ran %q", r.ran)
			}
			if _, err := m.Installed(); !errors.Is(err, ErrNotInstalled) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func plan(t *testing.T, m Machine) *Change {
	t.Helper()
	c, err := m.Plan(stub)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func containsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// TestApplyAgain checks that taking over twice is the same as once, also for
// another stub, and also after a machine was stopped at any point of it.
func TestApplyAgain(t *testing.T) {
	for _, c := range takeovers {
		t.Run(c.name, func(t *testing.T) {
			m, _ := taken(t, c.files)
			before := tree(t, m)
			first := plan(t, m)
			if err := first.keep(); err != nil { // and then the power failed
				t.Fatal(err)
			}
			for _, at := range []netip.AddrPort{stub, netip.MustParseAddrPort("127.0.0.36:53"), stub} {
				m.Own = []netip.AddrPort{at}
				change, err := m.Plan(at)
				if err != nil {
					t.Fatal(err)
				}
				if err := change.Apply(); err != nil {
					t.Fatal(err)
				}
				if !change.Held() || !slices.Equal(change.parts, first.parts) {
					t.Errorf("%v: held %v, %v", at, change.Held(), change.parts)
				}
			}
			if err := plan(t, m).Undo(); err != nil {
				t.Fatal(err)
			}
			if now := tree(t, m); !maps.Equal(now, before) {
				t.Errorf("after undoing it:\n%q\ninstead of\n%q", now, before)
			}
		})
	}
}

// TestApplyFails checks that a change is undone of which a step fails, and that
// what could not be undone can be another time.
func TestApplyFails(t *testing.T) {
	for _, c := range takeovers {
		if len(c.ran) == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			m, r := taken(t, c.files)
			before := tree(t, m)
			change := plan(t, m)
			r.fail = strings.Fields(c.ran[0])[1] // of resolvconf, -a; of systemctl, all
			if err := change.Apply(); err == nil {
				t.Fatal("no error")
			}
			if r.fail != "-a" {
				r.fail = ""
				back, err := m.Installed()
				if err != nil {
					t.Fatal(err)
				}
				if err := back.Undo(); err != nil {
					t.Fatal(err)
				}
			}
			if now := tree(t, m); !maps.Equal(now, before) {
				t.Errorf("after it failed:\n%q\ninstead of\n%q", now, before)
			}
		})
	}
}

// TestHookFails checks that a hook of resolvconf that fails, as that of a server
// which does not run, is not taken as a failure of the change.
func TestHookFails(t *testing.T) {
	m, r := taken(t, debian)
	r.minor = true
	change := plan(t, m)
	if err := change.Apply(); err != nil || !change.Held() {
		t.Errorf("%v, held %v", err, change.Held())
	}
	if err := change.Undo(); err != nil || change.Held() {
		t.Errorf("%v, held %v", err, change.Held())
	}
}

// TestOthersWrite checks that what others write to /etc/resolv.conf is left to them
// at the end, and is read when it is taken over again.
func TestOthersWrite(t *testing.T) {
	m, _ := taken(t, map[string]string{"etc/resolv.conf": bareText})
	change := plan(t, m)
	if err := change.Apply(); err != nil {
		t.Fatal(err)
	}
	if did, err := change.Retake(); did || err != nil {
		t.Errorf("taken again though it was held: %v", err)
	}
	set(t, m, "etc/resolv.conf", "nameserver 192.0.2.2\n")
	if f, err := m.Servers(); err != nil || !slices.Equal(f.Servers, servers(t, "192.0.2.2")) {
		t.Errorf("%v, %v", f, err)
	}
	if change.Held() || !strings.Contains(change.UndoString(), "leave") {
		t.Error("held, though another has written it")
	}
	if did, err := change.Retake(); !did || err != nil || !change.Held() {
		t.Errorf("taken again: %v, %v", did, err)
	}
	if f, err := m.Servers(); err != nil || !slices.Equal(f.Servers, servers(t, "192.0.2.2")) {
		t.Errorf("%v, %v", f, err)
	}
	set(t, m, "etc/resolv.conf", "nameserver 192.0.2.3\n")
	if err := change.Undo(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"etc/resolv.conf": "nameserver 192.0.2.3\n"}
	if now := tree(t, m); !maps.Equal(now, want) {
		t.Errorf("in the end %q", now)
	}
}

// TestSearch checks that the search list follows NetworkManager's into another
// network.
func TestSearch(t *testing.T) {
	m, _ := taken(t, takeovers[6].files)
	change := plan(t, m)
	if err := change.Apply(); err != nil {
		t.Fatal(err)
	}
	set(t, m, "run/NetworkManager/resolv.conf", "search office.example\nnameserver 192.0.2.2\n")
	if did, err := change.Retake(); !did || err != nil {
		t.Errorf("%v, %v", did, err)
	}
	if c := m.conf(resolvConf); !slices.Equal(c.search, names([]string{"office.example"})) || !slices.Equal(c.servers, servers(t, "127.0.0.35")) {
		t.Errorf("%+v", c)
	}
}

// TestRestart checks that a drop-in which a restart of the machine has removed is
// written again.
func TestRestart(t *testing.T) {
	m, r := taken(t, takeovers[3].files)
	if err := plan(t, m).Apply(); err != nil {
		t.Fatal(err)
	}
	if err := m.remove(resolvedDropIn); err != nil {
		t.Fatal(err)
	}
	if did, err := plan(t, m).Retake(); !did || err != nil || len(r.ran) != 2 {
		t.Errorf("%v, %v, %v", did, err, r.ran)
	}
}

func TestPlanRefused(t *testing.T) {
	bare, _ := taken(t, takeovers[0].files)
	resolved, _ := taken(t, takeovers[3].files)
	port := netip.MustParseAddrPort("127.0.0.35:5353")
	if _, err := bare.Plan(port); !errors.Is(err, ErrPort) {
		t.Errorf("a port in a file: %v", err)
	}
	if c, err := resolved.Plan(port); err != nil || !strings.Contains(c.String(), "127.0.0.35:5353") {
		t.Errorf("a port for resolved: %v, %v", c, err)
	}
	for _, at := range []netip.AddrPort{{}, netip.MustParseAddrPort("0.0.0.0:53"), netip.MustParseAddrPort("224.0.0.1:53")} {
		if _, err := bare.Plan(at); err == nil {
			t.Errorf("%v is taken as a stub", at)
		}
	}
	for _, text := range []string{"", "stub=127.0.0.35:53 part=kernel\n", "part=file\n", "a=1\nb=2\n", "'\n"} {
		set(t, bare, undoFolder+"/change", text)
		if _, err := bare.Installed(); err == nil || errors.Is(err, ErrNotInstalled) {
			t.Errorf("record %q: %v", text, err)
		}
	}
}

// TestMounted checks that a file which is mounted, as in containers, is written and
// put back in its place.
func TestMounted(t *testing.T) {
	m, _ := taken(t, map[string]string{"etc/resolv.conf": bareText, "mnt/resolv.conf": bareText})
	at := m.path(resolvConf)
	if err := unix.Mount(m.path("/mnt/resolv.conf"), at, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("mount a file: %v", err)
	}
	defer unix.Unmount(at, 0)
	change := plan(t, m)
	if err := change.Apply(); err != nil || !change.Held() {
		t.Fatalf("%v, held %v", err, change.Held())
	}
	if err := change.Undo(); err != nil {
		t.Fatal(err)
	}
	if text := m.text("/mnt/resolv.conf"); text != bareText || m.exists(resolvConf+".namecast") {
		t.Errorf("in the end %q", text)
	}
}

func TestRun(t *testing.T) {
	m := Machine{Root: t.TempDir()}
	if out, err := m.run("hello\n", "cat"); err != nil || out != "hello\n" {
		t.Errorf("%q, %v", out, err)
	}
	_, err := m.run("", "sh", "-c", "seq 3 5; exit 3")
	if err == nil || !strings.HasSuffix(err.Error(), ": 3") {
		t.Errorf("error %v", err)
	}
}
