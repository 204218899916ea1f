package coord

import (
	"context"
	"sync"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A node that ends while hundreds of reports wait for a coordinator that does not
// answer waits for none of them, as their senders have gone.
func TestCloseForgets(t *testing.T) {
	t.Parallel()
	c, err := Dial(Config{Endpoints: []string{free(t)}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for id := range chain.ID(chain.Chains) {
		all.Go(func() {
			err := c.Report(ctx, id, replica.Report{Epoch: 1, Kind: replica.Ready, Member: chain.Member{Node: "n1", Inc: 1}})
			is(t, err, ErrUnavailable)
		})
	}
	until(t, "they wait", func() bool {
		c.reports.mu.Lock()
		defer c.reports.mu.Unlock()
		return len(c.reports.waiting) > chain.Chains/2
	})
	cancel()
	all.Wait()
	began := time.Now()
	must(t, c.Close())
	if took := time.Since(began); took > 3*attempt {
		t.Errorf("the connection took %v to close", took)
	}
}
