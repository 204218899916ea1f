package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"namecast/lib/serve"
)

// TestChangeCookies changes a random secret every day, and not one of a file.
func TestChangeCookies(t *testing.T) {
	for _, c := range []struct {
		name, file string
		after      time.Duration
		changes    bool
	}{
		{"before a day is over", "", cookieLife - time.Second, false},
		{"after a day", "", cookieLife + time.Second, true},
		{"of a file", "secrets", cookieLife + time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &node{dns: &serve.DNS{}, random: randomSecret()}
				n.Cookie = c.file
				first := n.random
				ctx, cancel := context.WithTimeout(t.Context(), c.after)
				defer cancel()
				if err := n.changeCookies(ctx); err != nil {
					t.Error(err)
				}
				if (n.random != first) != c.changes {
					t.Errorf("changed: %t", n.random != first)
				}
			})
		})
	}
}
