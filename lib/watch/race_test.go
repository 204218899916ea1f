//go:build race

package watch

// someSeeds is how many worlds are run if nobody says: fewer, as each takes longer.
const someSeeds = 4
