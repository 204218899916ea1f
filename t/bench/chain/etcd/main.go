// Etcd is the etcd of this module's own dependency, as a program that the
// benchmark of nc-chain runs beside it. Its flags are etcd's.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
