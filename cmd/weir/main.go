// Command weir is every program of Weir in one binary.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "weir: no program by that name is built in yet")
	os.Exit(1)
}
