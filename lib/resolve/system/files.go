package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// runTime is how long a command may take.
const runTime = 30 * time.Second

// write puts a text into a file that everybody may read, such that at any time the
// old text is there or the new one, and on the disk when it returns. A file that
// cannot be replaced, since it is mounted as such, as in containers, is written
// over.
func (m Machine) write(name, text string) error {
	to := m.path(name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	tmp := to + ".namecast"
	if err := fill(tmp, os.O_EXCL, text); err != nil {
		return err
	}
	err := os.Rename(tmp, to)
	if err == nil {
		return syncFolder(filepath.Dir(to))
	}
	err = errors.Join(err, os.Remove(tmp))
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return fill(to, os.O_TRUNC, text)
	}
	return err
}

// fill writes a file; one that was to be made (os.O_EXCL) is gone if that fails.
func fill(path string, how int, text string) error {
	if how == os.O_EXCL {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|how, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Chmod(0o644) // whatever the umask is
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil && how == os.O_EXCL {
		os.Remove(path)
	}
	return err
}

// link makes a symbolic link in the place of a file.
func (m Machine) link(to, name string) error {
	tmp := m.path(name) + ".namecast"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(to, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, m.path(name)); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncFolder(filepath.Dir(m.path(name)))
}

// remove removes a file that may not be there.
func (m Machine) remove(name string) error {
	err := os.Remove(m.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncFolder(filepath.Dir(m.path(name)))
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// run runs a command, and gives what it says. The error has the first line of that.
func (m Machine) run(input string, command ...string) (string, error) {
	if m.Run != nil {
		return m.Run(input, command...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), runTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(input)
	cmd.WaitDelay = time.Second // for children that hold its output
	out, err := cmd.CombinedOutput()
	if err != nil {
		said, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, said[:min(len(said), 200)])
	}
	return string(out), nil
}
