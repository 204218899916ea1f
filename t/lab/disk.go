package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Disk is a small file system of its own, in memory, that can be full. What is
// on it stays when programs die and is gone with the lab.
type Disk struct {
	lab *Lab
	dir string
}

// ballast is the file that fills a disk.
const ballast = ".ballast"

// Disk makes a disk of that many octets, in whole pages. Programs that are started
// afterwards, on any machine, see it at the same place; those that run already
// may not.
func (l *Lab) Disk(size int64) *Disk {
	l.t.Helper()
	l.mu.Lock()
	l.disks++
	d := &Disk{lab: l, dir: filepath.Join(l.home.dir, fmt.Sprintf("disk%d", l.disks))}
	l.mu.Unlock()
	err := os.Mkdir(d.dir, 0o755)
	if err == nil {
		err = unix.Mount("nclab", d.dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0755", size))
	}
	if err != nil {
		l.t.Fatalf("lab: disk: %v", err)
	}
	return d
}

// Dir is the folder where the disk is.
func (d *Disk) Dir() string { return d.dir }

// Fill writes until nothing more fits.
func (d *Disk) Fill() {
	f, err := os.OpenFile(filepath.Join(d.dir, ballast), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		block := make([]byte, 1<<16)
		for err == nil && len(block) > 0 {
			_, err = f.Write(block)
			if errors.Is(err, unix.ENOSPC) {
				block, err = block[:len(block)/2], nil
			}
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		d.lab.t.Errorf("lab: fill %s: %v", d.dir, err)
	}
}

// Free gives back what Fill has taken.
func (d *Disk) Free() {
	if err := os.Remove(filepath.Join(d.dir, ballast)); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.lab.t.Errorf("lab: free %s: %v", d.dir, err)
	}
}
