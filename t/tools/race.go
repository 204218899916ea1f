//go:build race

package tools

func init() { daemonFlags = []string{"-race"} }
