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

// Find tells where to send: as [Locate] does, with the default key file, which
// is read only for what is missing and need not be there. The service is empty
// unless it is wanted. Errors are key.ErrServer, ErrNoServer, ErrNoService and
// those of key.Load.
func Find(spec string, wantService bool) (server string, service rr.Name, err error) {
	server, service, err = Locate(spec, key.File{})
	if err == nil && (server == "" || wantService && service == "") {
		var f key.File
		if f, err = keyFile(); err == nil {
			server, service, err = Locate(spec, f)
		}
	}
	switch {
	case err != nil:
		return "", "", err
	case server == "":
		return "", "", ErrNoServer
	case !wantService:
		return server, "", nil
	case service == "":
		return "", "", fmt.Errorf("server %q: %w", server, ErrNoService)
	}
	return server, service, nil
}

// Locate gives the server, "host:port", and the service as far as they are
// known: from spec, written as key.ParseServer reads it, or else from
// $NAMECAST_SERVER, and what these do not say from the key file. What nobody
// says is empty. The error is a key.ErrServer.
func Locate(spec string, f key.File) (server string, service rr.Name, err error) {
	var name string
	if spec = cmp.Or(spec, os.Getenv("NAMECAST_SERVER")); spec != "" {
		if name, server, err = key.ParseServer(spec); err != nil {
			return "", "", err
		}
	}
	if name = cmp.Or(name, f.Service); name != "" {
		if service, err = rr.ParseName(name); err != nil {
			return "", "", fmt.Errorf("%w: service %q", key.ErrServer, name)
		}
	}
	return cmp.Or(server, f.Server), service.Lower(), nil
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
