package key

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is the update port of a server that is written without one.
const DefaultPort = 8153

// What is wrong with the name of a server.
var (
	// ErrServer: it is not written as [service@]host[:port].
	ErrServer = errors.New("bad server")
	// ErrName: a host or a service is not a domain name of ASCII letters, digits,
	// hyphens and underscores.
	ErrName = errors.New("bad domain name")

	errForm = errors.New("not [service@]host[:port]")
)

// ParseServer reads how people write a server, [service@]host[:port], as in
// "namecast.example", "namecast.example@127.0.0.1:8153" or "[2001:db8::1]:8153".
// An IPv6 address without a port needs no brackets. The service is the base
// domain, in lower case and without a final dot. If it is not written, it is the
// host when that is a domain name of at least two labels, and otherwise empty:
// an address, or a name like localhost, names no service. The error is ErrServer.
func ParseServer(s string) (service, hostport string, err error) {
	host := s
	before, after, written := strings.Cut(s, "@")
	if written {
		host = after
		if service, err = ParseService(before); err != nil {
			return "", "", fmt.Errorf("%w %q: %w", ErrServer, s, err)
		}
	}
	host, port, ok := splitHost(host)
	if !ok {
		return "", "", fmt.Errorf("%w %q: %w", ErrServer, s, errForm)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return service, net.JoinHostPort(host, port), nil
	}
	name, err := ParseService(host)
	if err != nil {
		return "", "", fmt.Errorf("%w %q: %w", ErrServer, s, err)
	}
	if !written && strings.Contains(name, ".") {
		service = name
	}
	return service, net.JoinHostPort(host, port), nil
}

// splitHost parts host and port, and gives the default port where there is none.
func splitHost(s string) (host, port string, ok bool) {
	port = strconv.Itoa(DefaultPort)
	if _, err := netip.ParseAddr(s); err == nil {
		return s, port, true
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
		a, err := netip.ParseAddr(host)
		return host, port, err == nil && a.Is6()
	}
	if !strings.Contains(s, ":") {
		return s, port, s != ""
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.Contains(port, "+") {
		return "", "", false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", "", false
	}
	bracketed := strings.HasPrefix(s, "[")
	a, err := netip.ParseAddr(host)
	if bracketed != (err == nil && a.Is6()) {
		return "", "", false
	}
	return host, strconv.FormatUint(n, 10), true
}

// ParseService reads a service's name: a domain name of letters, digits, hyphens
// and underscores, given back in lower case and without a final dot.
// International names are written as A-labels. The error is ErrName.
func ParseService(s string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if name == "" || len(name) > 253 {
		return "", fmt.Errorf("%w %q", ErrName, s)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("%w %q", ErrName, s)
		}
		for _, c := range []byte(label) {
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return "", fmt.Errorf("%w %q", ErrName, s)
			}
		}
	}
	return name, nil
}
