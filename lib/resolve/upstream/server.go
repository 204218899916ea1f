package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"namecast/lib/rr"
)

// ErrSpec says that a text is not the place of a server.
var ErrSpec = errors.New("not a name server")

// A Proto is how a server is spoken to.
type Proto uint8

// The protocols.
const (
	Plain Proto = iota // UDP, and TCP for what is too long (RFC 1035, RFC 7766)
	TLS                // DNS over TLS (RFC 7858)
	HTTPS              // DNS over HTTPS (RFC 8484)
)

// ports are those that the protocols have by default.
var ports = [...]uint16{Plain: 53, TLS: 853, HTTPS: 443}

// A Server is where a name server is and how it is spoken to. Servers are
// comparable with ==.
type Server struct {
	Proto Proto
	// Addr always has a port. Its address is the zero Addr if only the name is
	// known; then Options.Lookup finds the address.
	Addr netip.AddrPort
	// Name is what the certificate must be for, in lower case; empty: for the
	// address. A Plain server has none.
	Name string
	// Path of an HTTPS server, with the slash at the beginning.
	Path string
}

// Parse reads the place of a server:
//
//	192.0.2.1              plain; likewise 192.0.2.1:5353, 2001:db8::1, [2001:db8::1]:53
//	fe80::1%eth0           plain, by an interface
//	192.0.2.1#dns.example  TLS, the certificate being for dns.example
//	tls://192.0.2.1        TLS, the certificate being for the address
//	tls://192.0.2.1:8853#dns.example, tls://dns.example
//	https://192.0.2.1/dns-query#dns.example
//	https://dns.example/dns-query
//
// A server that is given by its name alone needs another one to be found; see
// [Options]. The error is ErrSpec with what is wrong.
func Parse(spec string) (Server, error) {
	s, err := parse(spec)
	if err != nil {
		return Server{}, fmt.Errorf("%q: %w: %w", spec, ErrSpec, err)
	}
	return s, nil
}

func parse(spec string) (s Server, err error) {
	rest, name, named := strings.Cut(spec, "#")
	if named {
		if s.Name, err = hostName(name); err != nil {
			return s, err
		}
	}
	if after, ok := strings.CutPrefix(rest, "tls://"); ok {
		s.Proto, rest = TLS, after
	} else if after, ok := strings.CutPrefix(rest, "https://"); ok {
		s.Proto = HTTPS
		if rest, s.Path, err = cutPath(after); err != nil {
			return s, err
		}
	} else if named {
		s.Proto = TLS
	}
	return s, s.place(rest)
}

// place reads an address or a name, and the port.
func (s *Server) place(text string) error {
	host, port, err := cutPort(text)
	if err != nil {
		return err
	}
	if port == 0 {
		port = ports[s.Proto]
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		addr = addr.Unmap()
		s.Addr = netip.AddrPortFrom(addr, port)
		return usable(addr)
	case s.Proto == Plain:
		return errors.New("no address")
	case strings.HasPrefix(text, "["):
		return errors.New("no address in the brackets")
	case s.Name != "":
		return errors.New("two names")
	}
	s.Addr = netip.AddrPortFrom(netip.Addr{}, port)
	s.Name, err = hostName(host)
	return err
}

// usable refuses addresses at which no server can be.
func usable(a netip.Addr) error {
	switch {
	case a.IsUnspecified():
		return errors.New("the address of no machine")
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return errors.New("the address of many machines")
	}
	return nil
}

// cutPort takes the port off; it is 0 if there is none.
func cutPort(text string) (host string, port uint16, err error) {
	if inside, ok := strings.CutPrefix(text, "["); ok {
		var after string
		if host, after, ok = strings.Cut(inside, "]"); !ok {
			return "", 0, errors.New("no closing bracket")
		}
		if after == "" {
			return host, 0, nil
		}
		if text, ok = strings.CutPrefix(after, ":"); !ok {
			return "", 0, errors.New("no colon after the bracket")
		}
	} else {
		if strings.Count(text, ":") != 1 {
			return text, 0, nil // perhaps an IPv6 address
		}
		host, text, _ = strings.Cut(text, ":")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("no port from 1 to 65535")
	}
	return host, uint16(n), nil
}

// cutPath takes the path of an HTTPS server off. What URI templates have at the
// end, {?dns}, is for GET, which is not used.
func cutPath(text string) (place, path string, err error) {
	text = strings.TrimSuffix(text, "{?dns}")
	place, path, ok := strings.Cut(text, "/")
	if !ok || path == "" {
		return place, "/dns-query", nil
	}
	u, err := url.ParseRequestURI("/" + path)
	if err != nil || u.EscapedPath() != "/"+path || strings.HasPrefix(path, "/") {
		return "", "", errors.New("no path of a URL")
	}
	return place, "/" + path, nil
}

// hostName reads a name as certificates have them.
func hostName(text string) (string, error) {
	n, err := rr.ParseName(text)
	if err != nil {
		return "", err
	}
	name := strings.TrimSuffix(strings.ToLower(text), ".")
	for _, c := range []byte(name) {
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", errors.New("no name of a host")
		}
	}
	if _, err := netip.ParseAddr(name); err == nil || n == "" {
		return "", errors.New("no name of a host")
	}
	return name, nil
}

// String gives a form that Parse reads.
func (s Server) String() string {
	if s.Proto == Plain {
		if s.Addr.Port() == ports[Plain] {
			return s.Addr.Addr().String()
		}
		return s.Addr.String()
	}
	text := "tls://"
	if s.Proto == HTTPS {
		text = "https://"
	}
	text += s.authority() + s.Path
	if s.Addr.Addr().IsValid() && s.Name != "" {
		text += "#" + s.Name
	}
	return text
}

// authority is the address, or else the name, and the port if it is not the usual
// one.
func (s Server) authority() string {
	host := s.Name
	if a := s.Addr.Addr(); a.Is6() {
		host = "[" + a.String() + "]"
	} else if a.IsValid() {
		host = a.String()
	}
	if s.Addr.Port() == ports[s.Proto] {
		return host
	}
	return host + ":" + strconv.Itoa(int(s.Addr.Port()))
}
