//go:build !race

package watch

// someSeeds is how many worlds are run if nobody says.
const someSeeds = 40
