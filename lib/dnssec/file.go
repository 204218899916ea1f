package dnssec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Load reads a secret file. ErrMode if its group or others have any right to
// it; the mode is that of the opened file.
func Load(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("open dnssec secret %q: %w", path, cause(err))
	}
	defer f.Close()
	s, err := Read(f)
	if err != nil {
		return Secret{}, fmt.Errorf("read dnssec secret %q: %w", path, err)
	}
	return s, nil
}

// Read is Load for a file that is open, as standard input is. A pipe has no
// mode that says anything.
func Read(f fs.File) (Secret, error) {
	info, err := f.Stat()
	if err != nil {
		return Secret{}, cause(err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return Secret{}, fmt.Errorf("mode %04o: %w; run chmod 600", info.Mode().Perm(), ErrMode)
	}
	return ReadSecret(f)
}

// Save writes a secret to a new file of mode 0600, and its entry in the folder,
// to the disk. A file that exists is left alone, and the error is fs.ErrExist.
func (s Secret) Save(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make dnssec secret %q: %w", path, cause(err))
	}
	err = errors.Join(s.Fill(f), f.Close())
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("write dnssec secret %q: %w", path, cause(err))
	}
	return nil
}

// Fill writes a secret to an open file, such as standard output. A regular file
// must be empty, or the error is ErrNotEmpty; its mode becomes 0600 before the
// secret is in it.
func (s Secret) Fill(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return cause(err)
	case !info.Mode().IsRegular():
		_, err = f.WriteString(s.Text())
		return cause(err)
	case info.Size() != 0:
		return ErrNotEmpty
	}
	if err := f.Chmod(0o600); err != nil {
		return fmt.Errorf("make the file private: %w", cause(err))
	}
	if _, err = f.WriteString(s.Text()); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Truncate(0)
	}
	return cause(err)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// cause drops the path that package os puts before what went wrong: the message
// around it has named it.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
