package system

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestResolvectl checks that who cannot read the files of systemd-resolved has
// resolvectl say the same, and asks again only after a change.
func TestResolvectl(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can read files as somebody else")
	}
	m := files(t, map[string]string{
		"etc/resolv.conf": stubLink, "run/systemd/resolve/stub-resolv.conf": stubConf,
		"run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\nnameserver 10.8.0.1\n",
		"run/systemd/resolve/netif/3":     "SERVERS=192.0.2.1\n",
		"run/systemd/resolve/netif/7":     "SERVERS=10.8.0.1\nDOMAINS=~corp.example staff.example\n",
	})
	said := map[string]string{
		"dns":           "Global:\nLink 3 (eth0): 192.0.2.1\nLink 7 (tun0): 10.8.0.1\nLink 9 (none):\n",
		"domain":        "Global: ~.\nLink 3 (eth0):\nLink 7 (tun0): ~corp.example staff.example\n",
		"default-route": "Link 3 (eth0): yes\nLink 7 (tun0): no\n",
	}
	asked := 0
	m.Run = func(_ string, command ...string) (string, error) {
		asked++
		return said[command[1]], nil
	}
	m = m.Remember()
	want, err := m.Servers()
	if err != nil || asked != 0 || !slices.Equal(want.Servers, servers(t, "192.0.2.1")) {
		t.Fatalf("as root: %v, %v, %d commands", want, err, asked)
	}
	for folder, mode := range map[string]os.FileMode{m.path(linkFolder): 0o700, filepath.Dir(m.Root): 0o755, m.Root: 0o755} {
		if err := os.Chmod(folder, mode); err != nil {
			t.Fatal(err)
		}
	}
	look := func() (f Found) {
		as(t, 65534, func() { f, _ = m.Servers() })
		return f
	}
	for range 3 {
		if got := look(); !got.Equal(want) {
			t.Errorf("%v instead of %v", got, want)
		}
	}
	if asked != len(said) {
		t.Errorf("%d commands", asked)
	}
	set(t, m, "run/systemd/resolve/netif/7", "SERVERS=10.8.0.1\nDEFAULT_ROUTE=yes\n")
	said["default-route"] = strings.ReplaceAll(said["default-route"], "no", "yes")
	if got := look(); !slices.Equal(got.Servers, servers(t, "192.0.2.1 10.8.0.1")) || asked != 2*len(said) {
		t.Errorf("after a change: %v, %d commands", got, asked)
	}
}

// as does something with another user's rights to files, on a thread that ends.
func as(t *testing.T, user int, f func()) {
	t.Helper()
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlock it: nobody else gets the thread
		defer close(done)
		if err := unix.Setfsuid(user); err != nil {
			t.Error(err)
		}
		f()
	}()
	<-done
}
