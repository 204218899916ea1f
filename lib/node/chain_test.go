package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"namecast/lib/chain/client"
)

func TestStoreAddrs(t *testing.T) {
	for text, want := range map[string][]string{
		"chain://127.0.0.1:7153":               {"127.0.0.1:7153"},
		"chain://n1.example:7153, [::1]:65535": {"n1.example:7153", "[::1]:65535"},
	} {
		c := Config{Store: text}
		if got, err := c.storeAddrs(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"127.0.0.1:7153", "chain:127.0.0.1:7153", "chain://", "chain://n1", "chain://n1:", "chain://:7153", "chain://n1:0",
		"chain://n1:65536", "chain://n1:http", "chain://n1:1,", "chain://n1:1,,n2:1", "http://n1:1",
	} {
		c := Config{Store: text}
		if got, err := c.storeAddrs(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestSeconds(t *testing.T) {
	if s := seconds(1500 * time.Millisecond); s != 1.5 {
		t.Errorf("%v", s)
	}
	if s := seconds(client.Never); s < 1e300 {
		t.Errorf("never is %v", s)
	}
}
