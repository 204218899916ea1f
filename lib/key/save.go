package key

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrNotEmpty: a key would be written over or behind what a file holds.
var ErrNotEmpty = errors.New("not empty, and a key overwrites nothing")

// Save writes the key file's Text to a new file of mode 0600. A file that exists
// is left alone, and the error is fs.ErrExist. When writing fails no file is
// left.
func (f File) Save(path string, created time.Time) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make key file %q: %w", path, cause(err))
	}
	err = f.Fill(file, created)
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("write key file %q: %w", path, cause(err))
	}
	return nil
}

// Fill writes the key file's Text to an open file, such as standard output. A
// regular file must be empty, or the error is ErrNotEmpty; its mode becomes 0600
// before there is a secret in it, and what is written is on the disk when Fill
// returns. When writing fails the file is emptied again.
func (f File) Fill(file *os.File, created time.Time) error {
	info, err := file.Stat()
	if err != nil {
		return cause(err)
	}
	if !info.Mode().IsRegular() {
		return cause(f.Write(file, created))
	}
	if info.Size() != 0 {
		return ErrNotEmpty
	}
	if err := file.Chmod(0o600); err != nil {
		return fmt.Errorf("make the file private: %w", cause(err))
	}
	if err = f.Write(file, created); err == nil {
		err = file.Sync()
	}
	if err != nil {
		file.Truncate(0)
	}
	return cause(err)
}

// cause drops the path and the system call that package os puts before what
// went wrong: the message around it has named them.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
