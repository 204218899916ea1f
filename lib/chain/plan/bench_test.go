package plan

import (
	"fmt"
	"testing"

	"namecast/lib/chain"
)

// What a controller spends on a look at a table in which all is well.
func BenchmarkAll(b *testing.B) {
	for _, nodes := range []int{5, 40} {
		b.Run(fmt.Sprint(nodes, " nodes"), func(b *testing.B) {
			for _, zones := range []int{2, 5} {
				b.Run(fmt.Sprint(zones, " zones"), func(b *testing.B) {
					c := cluster(nodes, zones, 3)
					rows, _ := Create(c, chain.Chains)
					facts := func(chain.ID) Facts { return Facts{} }
					b.ReportAllocs()
					for b.Loop() {
						All(rows, facts, c)
					}
				})
			}
		})
	}
}
