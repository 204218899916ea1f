package ca

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
	// ErrNotEmpty: a key would be written over or behind what a file holds.
	ErrNotEmpty = errors.New("not empty, and a key overwrites nothing")
)

// maxFile is the longest file that is read, in octets.
const maxFile = 1 << 16

// LoadAuthority reads an authority's file. ErrMode if its group or others have
// any right to it; the mode is that of the opened file.
func LoadAuthority(path string) (*Authority, error) {
	return load(path, "authority", ParseAuthority)
}

// LoadIdentity reads a member's file, as LoadAuthority does.
func LoadIdentity(path string) (Identity, error) {
	return load(path, "identity", ParseIdentity)
}

// LoadToken reads a file that holds a token, as LoadAuthority does.
func LoadToken(path string) (Token, error) {
	return load(path, "join token", func(text []byte) (Token, error) { return ParseToken(string(text)) })
}

// ReadAuthority is LoadAuthority for a file that is open, as standard input is. A
// pipe has no mode that says anything.
func ReadAuthority(f fs.File) (*Authority, error) {
	text, err := readPrivate(f)
	if err != nil {
		return nil, err
	}
	return ParseAuthority(text)
}

func load[T any](path, kind string, parse func([]byte) (T, error)) (v T, err error) {
	f, err := os.Open(path)
	if err != nil {
		return v, fmt.Errorf("open %s %q: %w", kind, path, cause(err))
	}
	defer f.Close()
	text, err := readPrivate(f)
	if err == nil {
		v, err = parse(text)
	}
	if err != nil {
		return v, fmt.Errorf("read %s %q: %w", kind, path, err)
	}
	return v, nil
}

func readPrivate(f fs.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, cause(err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("mode %04o: %w; run chmod 600", info.Mode().Perm(), ErrMode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("more than %d octets", maxFile)
	}
	return text, cause(err)
}

// Save writes a text with secrets in it to a new file of mode 0600, and its entry
// in the folder, to the disk. A file that exists is left alone, and the error is
// fs.ErrExist.
func Save(path, text string) error {
	err := create(path, text)
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("make file %q: %w", path, cause(err))
	}
	return nil
}

// Replace is Save for a file that may exist. Whoever opens the file at any time,
// also after a crash, finds the old text or the new one whole.
func Replace(path, text string) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove file %q: %w", tmp, cause(err))
	}
	err := create(tmp, text)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("replace file %q: %w", path, cause(err))
	}
	return nil
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
		return cause(err)
	case !info.Mode().IsRegular():
		_, err = f.WriteString(text)
		return cause(err)
	case info.Size() != 0:
		return ErrNotEmpty
	}
	if err := f.Chmod(0o600); err != nil {
		return fmt.Errorf("make the file private: %w", cause(err))
	}
	if _, err = f.WriteString(text); err == nil {
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
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		return l.Err
	}
	return err
}
