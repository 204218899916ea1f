package client

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"namecast/lib/key"
	"namecast/lib/rr"
)

// Why no server is found.
var (
	// ErrNoServer: neither the user nor the key file names a server.
	ErrNoServer = errors.New("no server: name one with -s or $NAMECAST_SERVER, or in the key file")
	// ErrNoService: the server is an address, which does not tell its service.
	ErrNoService = errors.New("no service: write the server as service@host, or name it in the key file")
)

// Find tells where to send: spec, written as key.ParseServer reads it, or else
// $NAMECAST_SERVER, or else what the key file names. The service is empty
// unless it is wanted. The key file is read only for what is missing, and there
// need not be one. Errors are key.ErrServer, ErrNoServer, ErrNoService and
// those of key.Load.
func Find(spec string, wantService bool) (server string, service rr.Name, err error) {
	var name string
	if spec = cmp.Or(spec, os.Getenv("NAMECAST_SERVER")); spec != "" {
		if name, server, err = key.ParseServer(spec); err != nil {
			return "", "", badSpec{err}
		}
	}
	if server == "" || wantService && name == "" {
		f, err := keyFile()
		if err != nil {
			return "", "", err
		}
		name, server = cmp.Or(name, f.Service), cmp.Or(server, f.Server)
	}
	switch {
	case server == "":
		return "", "", ErrNoServer
	case !wantService:
		return server, "", nil
	case name == "":
		return "", "", fmt.Errorf("server %q: %w", server, ErrNoService)
	}
	service, err = rr.ParseName(name)
	return server, service.Lower(), err
}

// keyFile reads the key file. Only one that $NAMECAST_KEY names must exist.
func keyFile() (key.File, error) {
	path, err := key.DefaultPath()
	if err != nil {
		return key.File{}, nil
	}
	f, err := key.Load(path)
	if errors.Is(err, os.ErrNotExist) && os.Getenv("NAMECAST_KEY") == "" {
		return key.File{}, nil
	}
	return f, err
}

// A badSpec is a key.ErrServer, whatever is wrong with the server's text.
type badSpec struct{ error }

func (badSpec) Is(target error) bool { return target == key.ErrServer }
