//go:build race

package tools

func init() { buildFlags = append(buildFlags, "-race") }
