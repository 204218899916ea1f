package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// Scheme is what an address of a database begins with.
const Scheme = "mysql://"

// defaultPort is where a server of MySQL listens.
const defaultPort = "3306"

// An Address says where a database is and how it is spoken to.
type Address struct {
	User     string
	Database string
	Hosts    []string // host:port, or the path of a socket; the first that answers is used
	TLS      *tls.Config
}

// ParseAddress reads mysql://USER@HOST[:PORT],.../DATABASE[?OPTION=VALUE&...], in
// which a host may be left out for a socket. The options:
//
//	socket=PATH     a socket on this machine instead of hosts
//	tls=on|off      off is without encryption; the default is on, except for
//	                sockets and loopback addresses
//	ca=FILE         whom the server's certificate has to be from (default the system's)
//	cert=FILE key=FILE   the client's own certificate
//
// The password is not a part of it: every user of the machine sees a command line.
func ParseAddress(s string) (Address, error) {
	a, err := parseAddress(s)
	switch {
	case errors.Is(err, errPassword):
		return Address{}, err // without the text, which has it
	case err != nil:
		return Address{}, fmt.Errorf("%q: %w", s, err)
	}
	return a, nil
}

// errPassword: an address has a password in it.
var errPassword = errors.New("a password in it is seen by everybody: put it into a file")

func parseAddress(s string) (a Address, err error) {
	rest, ok := strings.CutPrefix(s, Scheme)
	if !ok {
		return a, fmt.Errorf("it does not begin with %q", Scheme)
	}
	rest, query, _ := strings.Cut(rest, "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		return a, errors.New("options are OPTION=VALUE with & between them")
	}
	where, database, _ := strings.Cut(rest, "/")
	user, hosts, ok := strings.Cut(where, "@")
	switch {
	case !ok || user == "":
		return a, errors.New("no user: mysql://USER@HOST/DATABASE")
	case strings.Contains(user, ":"):
		return Address{}, errPassword
	case database == "" || strings.Contains(database, "/"):
		return a, errors.New("no database: mysql://USER@HOST/DATABASE")
	}
	a.User, a.Database = user, database
	if err := a.hosts(hosts, options.Get("socket")); err != nil {
		return a, err
	}
	return a, a.options(options)
}

func (a *Address) hosts(list, socket string) error {
	if socket != "" {
		if list != "" || !strings.HasPrefix(socket, "/") {
			return errors.New("a socket is a whole path, and goes without hosts")
		}
		a.Hosts = []string{socket}
		return nil
	}
	for _, h := range strings.Split(list, ",") {
		host, port, err := net.SplitHostPort(h)
		if err != nil {
			host, port = strings.Trim(h, "[]"), defaultPort
		}
		if host == "" || port == "" {
			return fmt.Errorf("host %q is not HOST or HOST:PORT", h)
		}
		a.Hosts = append(a.Hosts, net.JoinHostPort(host, port))
	}
	return nil
}

// near reports whether the way to all hosts stays on this machine.
func (a *Address) near() bool {
	for _, h := range a.Hosts {
		if strings.HasPrefix(h, "/") {
			continue
		}
		host, _, _ := net.SplitHostPort(h)
		ip, err := netip.ParseAddr(host)
		if host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

func (a *Address) options(o url.Values) error {
	for name := range o {
		switch name {
		case "socket", "tls", "ca", "cert", "key":
		default:
			return fmt.Errorf("unknown option %q", name)
		}
	}
	on := !a.near() || o.Get("ca") != "" || o.Get("cert") != ""
	switch o.Get("tls") {
	case "":
	case "on":
		on = true
	case "off":
		on = false
	default:
		return errors.New("tls is on or off")
	}
	if !on {
		return nil
	}
	a.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if file := o.Get("ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		a.TLS.RootCAs = x509.NewCertPool()
		if !a.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s: no certificate in it", file)
		}
	}
	if o.Get("cert") == "" && o.Get("key") == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(o.Get("cert"), o.Get("key"))
	if err != nil {
		return err
	}
	a.TLS.Certificates = []tls.Certificate{pair}
	return nil
}
