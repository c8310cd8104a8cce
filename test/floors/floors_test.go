// Package floors checks the architecture of docs/architecture.md: a package
// imports only from lower floors, and every package says what it is.
package floors

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors lists every package's floor; an import must go down. Packages of one
// floor know nothing of each other, except that a package may import those
// below its own directory's parent when they are listed lower.
var floors = map[string]int{}

type pkg struct {
	ImportPath, Doc, Name string
	Imports               []string
	GoFiles               []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Name,Imports,GoFiles", "weir/cmd/...", "weir/internal/...", "weir/schema/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, "weir/")
		mine, ok := floors[name]
		if !ok {
			t.Errorf("%s has no floor: add it to the table of this test and to docs/architecture.md", name)
			continue
		}
		for _, imp := range p.Imports {
			low, ours := strings.CutPrefix(imp, "weir/")
			if !ours {
				continue
			}
			if theirs, ok := floors[low]; ok && theirs >= mine {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports only go down", name, mine, low, theirs)
			}
		}
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	for _, p := range list(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
