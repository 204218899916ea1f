package dnssec

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"

	"namecast/lib/private"
)

// Load reads a secret file. private.ErrMode if its group or others have any right
// to it.
func Load(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("open dnssec secret %q: %w", path, private.Cause(err))
	}
	defer f.Close()
	s, err := Read(f)
	if err != nil {
		return Secret{}, fmt.Errorf("read dnssec secret %q: %w", path, err)
	}
	return s, nil
}

// Read is Load for a file that is open, as standard input is.
func Read(f fs.File) (Secret, error) {
	text, err := private.Read(f)
	if err != nil {
		return Secret{}, err
	}
	return ReadSecret(bytes.NewReader(text))
}

// Save writes a secret to a new file, as private.Save does.
func (s Secret) Save(path string) error {
	if err := private.Save(path, s.Text()); err != nil {
		return fmt.Errorf("make dnssec secret %q: %w", path, err)
	}
	return nil
}

// Fill writes a secret to an open file, as private.Fill does.
func (s Secret) Fill(f *os.File) error { return private.Fill(f, s.Text()) }
