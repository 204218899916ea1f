package coord

import (
	"fmt"
	"strconv"
	"strings"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// The keys; see the package's comment.
const (
	prefix     = "/nc/v1/"
	keyCluster = prefix + "cluster"
	keyTable   = prefix + "table"
	keyCtl     = prefix + "ctl"
	preNode    = prefix + "node/"
	preHeld    = prefix + "held/"
	preLive    = prefix + "live/"
	preSilent  = prefix + "silent/"
	preChain   = prefix + "chain/"
	preReport  = prefix + "report/"
	preToken   = prefix + "token/"
)

func keyChain(id chain.ID) string { return fmt.Sprintf("%s%03d", preChain, id) }

func keyReport(id chain.ID, kind replica.ReportKind) string {
	return fmt.Sprintf("%s%03d/%s", preReport, id, kindNames[kind])
}

// kindNames are the kinds of reports as keys have them.
var kindNames = map[replica.ReportKind]string{
	replica.Ready: "ready", replica.Stalled: "stalled", replica.Fenced: "fenced",
	replica.Silent: "silent",
}

// parseChain reads the number of a chain as keys have it.
func parseChain(s string) (chain.ID, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || len(s) != 3 || n >= chain.Chains {
		return 0, fmt.Errorf("%w: chain %q", ErrBad, s)
	}
	return chain.ID(n), nil
}

// parseReport reads the end of a report's key.
func parseReport(s string) (id chain.ID, kind replica.ReportKind, err error) {
	number, name, _ := strings.Cut(s, "/")
	if id, err = parseChain(number); err != nil {
		return 0, 0, err
	}
	for kind, n := range kindNames {
		if n == name {
			return id, kind, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: report of kind %q", ErrBad, name)
}

// checkName returns ErrBad unless s is good as a node's name.
func checkName(s string) error {
	if err := ca.CheckLabel(s); err != nil {
		return fmt.Errorf("%w: node: %w", ErrBad, err)
	}
	return nil
}
