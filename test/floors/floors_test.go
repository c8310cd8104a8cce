// Package floors checks the architecture of docs/architecture.md: a package
// imports only from lower floors, and every package and exported name says what
// it is.
package floors

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// floors is every package's floor, from the values at the bottom to the programs
// at the top; an import must go down. docs/architecture.md shows the same house.
var floors = map[string]int{
	"internal/pqueue": -1,

	"internal/version": 0, "internal/paths": 0, "internal/clock": 0, "internal/coverage": 0,
	"internal/packet": 0, "internal/json": 0, "internal/lab": 0, "internal/numa": 0, "schema": 0,

	"internal/vlog": 1, "internal/loop": 1, "internal/memory": 1, "internal/flow": 1, "internal/ovsdb": 1,

	"internal/cli": 2, "internal/unixctl": 2, "internal/stream": 2,
	"internal/openflow": 2, "internal/classifier": 2,
	"internal/ratelimit": 2, "internal/tunnel": 2, "internal/tunnel/route": 2, "internal/tunnel/neigh": 2, "internal/protocol/maclearn": 2,

	"internal/daemon": 3, "internal/jsonrpc": 3, "internal/tlsopt": 3, "internal/netdev": 3,
	"internal/ovsdb/storage": 3, "internal/ovsdb/engine": 3, "internal/pipeline": 3,

	"internal/datapath": 4, "internal/ovsdb/client": 4, "internal/ovsdb/server": 4,

	"internal/netdev/dummy": 5, "internal/netdev/patch": 5, "internal/netdev/linux": 5, "internal/netdev/tunnelport": 5,
	"internal/datapath/userspace": 5, "internal/datapath/dptest": 5, "internal/xlate": 5,
	"internal/datapath/ebpf/program": 5, "internal/datapath/ebpf": 6,
	"internal/upcall": 6, "internal/trace": 6, "internal/dpctl": 6, "internal/ofproto": 7, "internal/vswitchd": 8,

	"internal/tool/appctl": 9, "internal/tool/vsctl": 9, "internal/tool/ofctl": 9, "internal/tool/table": 7, "internal/tool/dbctl": 8, "internal/tool/manual": 8,
	"internal/tool/dpctl": 9, "internal/tool/ovsdbtool": 9, "internal/tool/ovsdbclient": 9,
	"internal/tool/ovsdbserver": 9, "internal/tool/testcontroller": 9, "internal/tool/vswitchd": 9, "internal/tool/vtepctl": 9,
	"internal/tool/ctl": 9, "internal/tool/demo": 9, "internal/tool/pcap": 9, "internal/tool/pki": 9,

	"internal/tool/up":        10, // database and switch in one process
	"internal/tool/multicall": 9,

	"cmd/weir": 11,
}

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

func TestEveryExportedNameIsDocumented(t *testing.T) {
	fset := token.NewFileSet()
	for _, root := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				for _, name := range undocumented(decl) {
					t.Errorf("%s: %s has no comment", fset.Position(name.Pos()), name.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// undocumented returns the exported names that decl declares without a comment,
// on themselves or on their group.
func undocumented(decl ast.Decl) (names []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d.Recv) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if d.Doc == nil && s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if d.Doc == nil && s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() {
					names = append(names, s.Names[0])
				}
			}
		}
	}
	return names
}

// exportedReceiver says whether a function is one of the package or of an
// exported type.
func exportedReceiver(recv *ast.FieldList) bool {
	name := receiver(recv)
	return name == "" || ast.IsExported(name)
}

// receiver is the name of a method's type, "" for a function.
func receiver(recv *ast.FieldList) string {
	if recv == nil || len(recv.List) == 0 {
		return ""
	}
	t := recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
