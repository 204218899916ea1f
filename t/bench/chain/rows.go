package main

// The sections of the table.
const (
	rowShare       = "1, 2: strong clean reads of one chain, each node with a share of a processor"
	rowBusy        = "3: strong reads of one key"
	rowLatency     = "4: one request at a time"
	rowCond        = "5: writes to one chain"
	rowShareWrites = "6: writes to one chain, each node with a share of a processor"
	rowWrites      = "7: durable writes of 64 clients"
	rowReads       = "8: reads of 64 clients"
	rowEcho        = "9: strong reads at one node, and frames sent back"
	rowGap         = "10: longest time without, when a node dies"
	rowRecruit     = "11: a node gets its data again"
	rowVisible     = "12: from an update to its being in DNS"
	rowUpdates     = "13: signed updates, 64 on the way"
	rowMemory      = "14: nc-serve's replica"
)

// Who is compared.
const (
	readsTail   = "3 nodes, tail only"
	reads3      = "3 nodes"
	reads5      = "5 nodes"
	reads7      = "7 nodes"
	readsQuiet  = "no writes"
	readsBusy   = "250 writes/s of it"
	onDisk      = "on the disk"
	inMemory    = "in memory"
	writesPlain = "plain"
	writesCond  = "conditional"
	ncChain     = "nc-chain, its client"
	ncLinks     = "nc-chain, bare links"
	etcdPuts    = "etcd, puts"
	etcdStrong  = "etcd, linearizable gets"
	etcdStale   = "etcd, serializable gets"
	oneMember   = "nc-chain, one node"
	echoName    = "echo"

	recruitBefore = "writes before, on three nodes"
	recruitTwo    = "writes on the two nodes left"
	recruitDuring = "writes meanwhile"
	recruitCopy   = "the copy"
	diskSpeed     = "writing the disk"
	replied       = "the reply"
	sameNode      = "the node that took it"
	otherNode     = "another node"
	onChains      = "on three nodes of nc-chain"
	onDatabase    = "on a database of its own"
)

// places are those that a member has in a chain of three.
var places = []string{"head", "middle", "tail"}
