//go:build race

package sim

// raced says that the race detector is on. A world has but one goroutine, so it
// has nothing to find, and is slow.
const raced = true
