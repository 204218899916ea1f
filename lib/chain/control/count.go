package control

import (
	"sync/atomic"
	"time"

	"namecast/lib/chain/plan"
)

// Counters are what metrics are made of. They only grow, but for Elected.
type Counters struct {
	Elected  atomic.Bool                    // it is the elected one now
	Terms    atomic.Int64                   // times it was elected
	Steps    [plan.Restart + 1]atomic.Int64 // rows published, by plan.Kind
	Refused  atomic.Int64                   // rows that could not be published, since something had changed
	Fences   atomic.Int64                   // Fence messages that were answered
	Unfenced atomic.Int64                   // Fence messages that were not
	Expelled atomic.Int64                   // registrations deleted
	Waits    atomic.Int64                   // deleted registrations whose leases were waited for
	Waited   atomic.Int64                   // for how long altogether, nanoseconds
	Errors   atomic.Int64                   // questions to the coordinator without an answer
}

// waited counts a wait for leases.
func (c *Counters) waited(d time.Duration) {
	c.Waits.Add(1)
	c.Waited.Add(int64(max(d, 0)))
}
