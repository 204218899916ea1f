// Package private reads and writes the files that hold secrets: nobody but their
// owner may have any right to them, a secret that is there is never written over,
// and what was written is on the disk. Errors name what went wrong and not the
// file, which the caller's do.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Reasons why a file is refused.
var (
	// ErrMode: others than the owner may read the file.
	ErrMode = errors.New("others may read it")
	// ErrNotEmpty: a secret would be written over or behind what a file holds.
	ErrNotEmpty = errors.New("not empty, and a secret overwrites nothing")
)

// maxFile is the longest file that is read, in octets.
const maxFile = 1 << 16

// Load reads a file. ErrMode if its group or others have any right to it; the
// mode is that of the opened file.
func Load(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Cause(err)
	}
	defer f.Close()
	return Read(f)
}

// Read is Load for a file that is open, as standard input is. A pipe has no mode
// that says anything.
func Read(f fs.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, Cause(err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("mode %04o: %w; run chmod 600", info.Mode().Perm(), ErrMode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("more than %d octets", maxFile)
	}
	return text, Cause(err)
}

// Save writes a text with secrets in it to a new file of mode 0600, and its entry
// in the folder, to the disk. A file that exists is left alone, and the error is
// fs.ErrExist.
func Save(path, text string) error {
	err := create(path, text)
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	return Cause(err)
}

// Replace is Save for a file that may exist. Whoever opens the file at any time,
// also after a crash, finds the old text or the new one whole.
func Replace(path, text string) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %q: %w", tmp, Cause(err))
	}
	err := create(tmp, text)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	return Cause(err)
}

// create leaves no file when it fails.
func create(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(Fill(f, text), f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// Fill writes a text with secrets in it to an open file, such as standard output.
// A regular file must be empty, or the error is ErrNotEmpty; its mode becomes
// 0600 before the text is in it.
func Fill(f *os.File, text string) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return Cause(err)
	case !info.Mode().IsRegular():
		_, err = f.WriteString(text)
		return Cause(err)
	case info.Size() != 0:
		return ErrNotEmpty
	}
	if err := f.Chmod(0o600); err != nil {
		return fmt.Errorf("make the file private: %w", Cause(err))
	}
	if _, err = f.WriteString(text); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Truncate(0)
	}
	return Cause(err)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Cause drops the path that package os puts before what went wrong: the message
// around it has named it.
func Cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		return l.Err
	}
	return err
}
