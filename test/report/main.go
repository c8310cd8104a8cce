// Command report runs `go test` and says at the end what failed and why.
//
//	go run ./test/report go test -race ./...
//
// It adds -json to the command, prints one line a package as it is done, as `go
// test` does, and keeps the output of tests until it knows whether they fail. The
// last thing it prints is each failing test with its own output, without the log
// lines of the programs under test and cut in the middle where it is long, so that
// the end of a log of CI tells what happened. Its exit status is that of the
// command.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

func main() {
	if len(os.Args) < 3 || os.Args[2] != "test" {
		fmt.Fprintln(os.Stderr, "usage: report go test ARG...")
		os.Exit(2)
	}
	cmd := exec.Command(os.Args[1], slices.Insert(slices.Clone(os.Args[2:]), 1, "-json")...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "report: %v\n", err)
		os.Exit(1)
	}
	r := newReport(os.Stdout)
	readErr := r.read(bufio.NewReader(events))
	err = cmd.Wait()
	r.summary()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintf(os.Stderr, "report: %v\n", err)
		os.Exit(1)
	case readErr != nil:
		fmt.Fprintf(os.Stderr, "report: %v\n", readErr)
		os.Exit(1)
	}
}
