package boot

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What nodes are made of. The version counts changes of what is installed, so that
// an older folder is not taken for it.
const (
	suite    = "bookworm"
	packages = "systemd,systemd-sysv,dbus,iproute2"
	version  = "1"
)

// bootstrap is how long debootstrap may take.
const bootstrap = 5 * time.Minute

// debian is a folder with Debian, which stays as it is. It skips the test if it
// cannot be had.
func debian(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("nodes are booted by root only")
	}
	for program, pkg := range map[string]string{
		"systemd-nspawn": "systemd-container", "debootstrap": "debootstrap", "nsenter": "util-linux", "mount": "mount",
	} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing (Debian's package %s)", program, pkg)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no cache folder for Debian: %v", err)
	}
	cache = filepath.Join(cache, "namecast")
	dir := filepath.Join(cache, "debian-"+suite+"-"+version)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Skipf("no cache folder for Debian: %v", err)
	}
	lock, err := os.Create(filepath.Join(cache, "lock"))
	if err != nil {
		t.Skipf("no cache folder for Debian: %v", err)
	}
	defer lock.Close() // and with it the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := fetch(dir); err != nil {
		t.Skipf("Debian cannot be had: %v", err)
	}
	return dir
}

// fetch makes the folder, all of it or nothing.
func fetch(dir string) error {
	half := dir + ".half"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	args := []string{fmt.Sprint(int(bootstrap.Seconds())), "debootstrap", "--variant=minbase", "--include=" + packages, suite, half}
	if out, err := exec.Command("timeout", args...).CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("debootstrap: %w: %s", err, lines[len(lines)-1])
	}
	return os.Rename(half, dir)
}
