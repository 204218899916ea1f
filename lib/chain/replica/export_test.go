package replica

// InMemory gives how many records of the log and keys of the state a replica
// holds in memory.
func InMemory(r *Replica) (entries, overlay int) {
	return len(r.log.entries), len(r.state.items) + len(r.state.outcomes)
}
