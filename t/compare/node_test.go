package compare

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

func startNode(t *testing.T, all []*account) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "!base %s\n!ns ns1.%s 192.0.2.53 2001:db8::53\n!ns ns2.%s 192.0.2.54\n", base, base, base)
	for _, a := range all {
		a.name = fmt.Sprintf("%x", sha256.Sum256([]byte(a.key)))[:32]
		fmt.Fprintf(&b, "!account %s\n", a.name)
		for _, d := range a.domains {
			fmt.Fprintf(&b, "!domain %s %s %d\n", d, contact, domainTTL)
		}
		if !a.deleted {
			b.WriteString(a.records)
		}
	}
	cmd := exec.Command("/tmp/ncscratch/scratch")
	cmd.Stdin = strings.NewReader(b.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	sc := bufio.NewScanner(out)
	if !sc.Scan() {
		cmd.Wait()
		t.Fatal(log.String())
	}
	return sc.Text()
}
