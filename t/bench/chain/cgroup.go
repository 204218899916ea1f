package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Where the kernel's control groups are, by their two versions.
const (
	groupsV1 = "/sys/fs/cgroup/cpu"
	groupsV2 = "/sys/fs/cgroup"
)

// groupPeriod is the time in which a group may use its share. Within a share of a
// tenth a node runs 2 ms, then waits 18 ms at most.
const groupPeriod = 20 * time.Millisecond

// groupPrefix begins the name of every group made here.
const groupPrefix = "nc-bench-"

// groups makes control groups that limit processor time.
type groups struct {
	root   string // a folder of this process
	second bool   // version 2
	made   []string
}

// newGroups finds out where groups can be made. Groups that a benchmark before has
// left, and that are empty, are removed.
func newGroups() (*groups, error) {
	g := &groups{root: groupsV1}
	if _, err := os.Stat(filepath.Join(g.root, "cpu.cfs_quota_us")); err != nil {
		g.root, g.second = groupsV2, true
		have, err := os.ReadFile(filepath.Join(g.root, "cgroup.subtree_control"))
		if err != nil || !strings.Contains(" "+strings.TrimSpace(string(have))+" ", " cpu ") {
			return nil, errors.New("no control groups for processor time are mounted")
		}
	}
	left, _ := filepath.Glob(filepath.Join(g.root, groupPrefix+"*"))
	for _, dir := range left {
		os.Remove(dir) // fails if it is in use
	}
	probe, err := g.make("probe", 50)
	if err != nil {
		return nil, err
	}
	return g, g.remove(probe)
}

// make makes a group whose processes together have a share of one processor, in
// percent.
func (g *groups) make(name string, percent int) (dir string, err error) {
	dir = filepath.Join(g.root, fmt.Sprintf("%s%d-%s", groupPrefix, os.Getpid(), name))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a control group: %w", err)
	}
	g.made = append(g.made, dir)
	period := groupPeriod.Microseconds()
	quota := period * int64(percent) / 100
	if g.second {
		err = writeGroup(dir, "cpu.max", fmt.Sprintf("%d %d", quota, period))
	} else if err = writeGroup(dir, "cpu.cfs_period_us", strconv.FormatInt(period, 10)); err == nil {
		err = writeGroup(dir, "cpu.cfs_quota_us", strconv.FormatInt(quota, 10))
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("limit a control group: %w", err), g.remove(dir))
	}
	return dir, nil
}

// put moves a process with all its threads into a group.
func (g *groups) put(dir string, pid int) error {
	return writeGroup(dir, "cgroup.procs", strconv.Itoa(pid))
}

// remove removes a group, whose processes have ended.
func (g *groups) remove(dir string) error { return os.Remove(dir) }

// close removes what is left of all groups. A process that was killed leaves its
// group a little after it is waited for.
func (g *groups) close() {
	for _, dir := range g.made {
		for try := 0; try < 50; try++ {
			if err := os.Remove(dir); err == nil || errors.Is(err, os.ErrNotExist) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func writeGroup(dir, file, value string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644)
}
