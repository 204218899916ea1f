//go:build race

package t

func init() { buildFlags = append(buildFlags, "-race") }
