// Ask asks one DNS question and prints the answer, for machines that have no
// dig. It is used by the demonstration, and is no part of Namecast.
//
// Usage:
//
//	ask host:port name [type]
package main

import (
	"fmt"
	"os"

	"github.com/miekg/dns"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: ask host:port name [type]")
		os.Exit(2)
	}
	kind := dns.TypeA
	if len(os.Args) > 3 {
		kind = dns.StringToType[os.Args[3]]
	}
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(os.Args[2]), kind)
	r, err := dns.Exchange(q, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "ask:", err)
		os.Exit(111)
	}
	for _, a := range r.Answer {
		fmt.Println(a)
	}
	if len(r.Answer) == 0 {
		fmt.Fprintln(os.Stderr, "ask: no answer:", dns.RcodeToString[r.Rcode])
		os.Exit(1)
	}
}
