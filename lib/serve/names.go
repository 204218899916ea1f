package serve

import "github.com/miekg/dns"

// RcodeName is the mnemonic of a response code that this server gives (IANA's
// registry), "" for all others. The code is a place in Traffic.Responses: 16 is
// BADVERS, 17 BADCOOKIE.
func RcodeName(code int) string {
	switch code {
	case dns.RcodeSuccess, dns.RcodeFormatError, dns.RcodeServerFailure, dns.RcodeNameError,
		dns.RcodeNotImplemented, dns.RcodeRefused, dns.RcodeYXDomain, dns.RcodeNotAuth:
		return dns.RcodeToString[code]
	case dns.RcodeBadVers:
		return "BADVERS"
	case slot(dns.RcodeBadCookie):
		return "BADCOOKIE"
	}
	return ""
}
