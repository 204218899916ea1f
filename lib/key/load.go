package key

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"namecast/lib/private"
)

// DefaultPath names the key file that tools use when none is named:
// $NAMECAST_KEY, or .namecast/key in the home folder.
func DefaultPath() (string, error) {
	if path := os.Getenv("NAMECAST_KEY"); path != "" {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the key file: neither $NAMECAST_KEY nor $HOME is set")
	}
	return filepath.Join(home, ".namecast", "key"), nil
}

// Load reads a key file. A file with a secret in it that its group or others
// have any right to is refused with ErrMode: the mode is that of the opened
// file, so that no other file can take its place in between. A pipe will do.
func Load(path string) (File, error) {
	var f File
	err := open(path, "key file", func(file *os.File, mode fs.FileMode) (err error) {
		if f, err = Read(file); err != nil {
			return err
		}
		if f.Secret != nil || f.Token != "" {
			return checkMode(path, "key file", mode)
		}
		return nil
	})
	if err != nil {
		return File{}, err
	}
	return f, nil
}

// LoadTokenSecret reads the file of the secret that admission tokens are made
// with: its octets but for white space at both ends, at least MinTokenSecret of
// them. Its mode is checked as that of a key file.
func LoadTokenSecret(path string) ([]byte, error) {
	var secret []byte
	err := open(path, "token secret file", func(file *os.File, mode fs.FileMode) error {
		b, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
		if err != nil {
			return err
		}
		if err := checkMode(path, "token secret file", mode); err != nil {
			return err
		}
		secret = bytes.TrimSpace(b)
		if len(secret) < MinTokenSecret || len(b) > MaxFile {
			return fmt.Errorf("%w: %d octets, want %d to %d", ErrTokenSecret, len(secret), MinTokenSecret, MaxFile)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return secret, nil
}

// open opens a file, refuses a folder, and hands the file and its mode to read.
// Every error but ErrMode's names the path and the kind of file.
func open(path, kind string, read func(*os.File, fs.FileMode) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open %s %q: %w", kind, path, private.Cause(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read %s %q: %w", kind, path, private.Cause(err))
	}
	if info.IsDir() {
		return fmt.Errorf("read %s %q: it is a folder", kind, path)
	}
	err = read(file, info.Mode())
	if err != nil && !errors.Is(err, ErrMode) {
		return fmt.Errorf("read %s %q: %w", kind, path, private.Cause(err))
	}
	return err
}

// checkMode refuses a mode that gives group or others any right.
func checkMode(path, kind string, mode fs.FileMode) error {
	if mode.Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%s %q has mode %04o: %w; run chmod 600 %s", kind, path, mode.Perm(), ErrMode, shellWord(path))
}

// shellWord quotes a path for a shell where it must be.
func shellWord(s string) string {
	plain := strings.IndexFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-+,:@", c))
	}) < 0
	if plain && s != "" && s[0] != '-' {
		return s
	}
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
