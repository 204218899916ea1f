package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where a lab is seen on the computer.
const (
	homesDir = "/run/nclab" // a folder for each lab
	netnsDir = "/run/netns" // of the command ip: the namespaces' names
	etcDir   = "/etc/netns" // of the command ip: a namespace's own files in /etc
)

// A home is what a lab has outside of its process: a name that begins the names
// of its namespaces, and a folder with the places where its disks are mounted.
// As long as the lab lives, it holds a lock on a file in there.
type home struct {
	id   string
	dir  string
	lock *os.File
}

var homes atomic.Int64

// openHome removes the homes of labs that are dead, and makes a new one.
func openHome() (*home, error) {
	id := fmt.Sprintf("nclab-%d-%d", os.Getpid(), homes.Add(1))
	h := &home{id: id, dir: filepath.Join(homesDir, id)}
	err := alone(func() error {
		if err := sweep(); err != nil {
			return fmt.Errorf("remove what a killed test has left: %w", err)
		}
		err := os.Mkdir(h.dir, 0o700)
		if err == nil {
			h.lock, err = lockFile(filepath.Join(h.dir, "lock"), unix.LOCK_EX|unix.LOCK_NB)
		}
		return err
	})
	return h, err
}

// alone calls f while no other lab, of any process, is being made or removed.
func alone(f func() error) error {
	if err := os.MkdirAll(homesDir, 0o700); err != nil {
		return err
	}
	all, err := lockFile(filepath.Join(homesDir, "lock"), unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer all.Close()
	return f()
}

// lockFile opens a file with a lock, which ends when it is closed or the process
// is dead: programs that the process starts do not get it.
func lockFile(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}

// sweep removes the homes that nobody has locked; for alone.
func sweep() error {
	entries, err := os.ReadDir(homesDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		h := &home{id: e.Name(), dir: filepath.Join(homesDir, e.Name())}
		h.lock, err = lockFile(filepath.Join(h.dir, "lock"), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue // it lives
		}
		if err != nil {
			return err
		}
		if err := h.remove(); err != nil {
			return err
		}
	}
	return nil
}

// remove ends all processes in the lab's namespaces and takes these away, the
// disks and the folder; for alone.
func (h *home) remove() error {
	spaces, err := h.spaces()
	if err != nil {
		return err
	}
	var errs []error
	var script strings.Builder
	for _, ns := range spaces {
		errs = append(errs, killAll(filepath.Join(netnsDir, ns)))
		fmt.Fprintln(&script, "netns del", ns)
		errs = append(errs, os.RemoveAll(filepath.Join(etcDir, ns)))
	}
	if len(spaces) > 0 {
		_, err := run(script.String(), "ip", "-batch", "-")
		errs = append(errs, err)
	}
	_ = os.Remove(etcDir) // only when it is empty
	errs = append(errs, h.unmount(), os.RemoveAll(h.dir), h.lock.Close())
	return errors.Join(errs...)
}

// spaces are the names of the lab's namespaces.
func (h *home) spaces() ([]string, error) {
	entries, err := os.ReadDir(netnsDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), h.id+".") {
			list = append(list, e.Name())
		}
	}
	return list, nil
}

// unmount takes away the lab's disks, also such as are in use still.
func (h *home) unmount() error {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(h.dir, e.Name())
		// EINVAL: nothing is mounted there.
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
	return nil
}

// killAll ends every process in a namespace but the own one, whoever has started
// it, and waits until they are gone.
func killAll(ns string) error {
	var want unix.Stat_t
	if err := unix.Stat(ns, &want); err != nil {
		return fmt.Errorf("look at %s: %w", ns, err)
	}
	return until(10*time.Second, func() error {
		pids, err := inside(want)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone by now
		}
		if err == nil && len(pids) > 0 {
			err = fmt.Errorf("processes %v in %s do not end", pids, ns)
		}
		return err
	})
}

// inside lists the processes in a namespace, without the own one.
func inside(ns unix.Stat_t) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var list []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		var st unix.Stat_t
		// A process that has ended meanwhile has no namespace any more.
		if unix.Stat("/proc/"+e.Name()+"/ns/net", &st) == nil && st.Dev == ns.Dev && st.Ino == ns.Ino {
			list = append(list, pid)
		}
	}
	return list, nil
}
