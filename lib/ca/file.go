package ca

import (
	"fmt"
	"io/fs"

	"namecast/lib/private"
)

// LoadAuthority reads an authority's file. private.ErrMode if its group or others have
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
	text, err := private.Read(f)
	if err != nil {
		return nil, err
	}
	return ParseAuthority(text)
}

func load[T any](path, kind string, parse func([]byte) (T, error)) (v T, err error) {
	text, err := private.Load(path)
	if err == nil {
		v, err = parse(text)
	}
	if err != nil {
		return v, fmt.Errorf("read %s %q: %w", kind, path, err)
	}
	return v, nil
}
