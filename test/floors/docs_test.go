package floors

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// top is the repository.
const top = "../.."

// documents returns the text of each document, by its path in the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "packaging/*.md"} {
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no documents (%v)", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(top, file)
			docs[name] = string(text)
		}
	}
	return docs
}

// expand returns the words that a pattern with braces stands for.
func expand(s string) []string {
	before, rest, ok := strings.Cut(s, "{")
	inner, after, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return []string{s}
	}
	var out []string
	for _, choice := range strings.Split(inner, ",") {
		out = append(out, expand(before+choice+after)...)
	}
	return out
}

var (
	link     = regexp.MustCompile(`\]\(([^):#]+)\)`)
	repoPath = regexp.MustCompile(`\b(?:cmd|docs|internal|packaging|schema|scripts|test)/[\w/{},*.-]*[\w}*]`)
)

// TestPathsInDocuments: what documents call a file or folder of the repository is
// there.
func TestPathsInDocuments(t *testing.T) {
	for doc, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(top, filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s has a link that leads nowhere: %v", doc, err)
			}
		}
		for _, at := range repoPath.FindAllStringIndex(text, -1) {
			if at[0] > 0 && strings.ContainsRune("/.-", rune(text[at[0]-1])) {
				continue // the end of another path
			}
			for _, path := range expand(text[at[0]:at[1]]) {
				found, _ := filepath.Glob(filepath.Join(top, path))
				beside, _ := filepath.Glob(filepath.Join(top, filepath.Dir(doc), path))
				if len(found)+len(beside) == 0 {
					t.Errorf("%s tells of %s, which is not there", doc, path)
				}
			}
		}
	}
}

// TestSuitesAreListed: docs/testing.md tells of every folder of tests.
func TestSuitesAreListed(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(top, "test"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.Contains(documents(t)["docs/testing.md"], "test/"+e.Name()) {
			t.Errorf("docs/testing.md doesn't tell of test/%s", e.Name())
		}
	}
}

var (
	goTest   = regexp.MustCompile("go test [^`\n]*")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)\(`)
)

// TestCommandsInDocuments: what a `go test` in a document would run is there.
func TestCommandsInDocuments(t *testing.T) {
	for doc, text := range documents(t) {
		for _, command := range goTest.FindAllString(text, -1) {
			words := strings.Fields(command)
			for i, w := range words[:len(words)-1] {
				prefix := map[string]string{"-run": "Test", "-fuzz": "Fuzz", "-bench": "Benchmark"}[w]
				pattern, _, _ := strings.Cut(strings.Trim(words[i+1], "'\""), "/")
				if prefix == "" || pattern == "TestName" || pattern == "xxx" || pattern == "^$" {
					continue
				}
				re, err := regexp.Compile(pattern)
				if err != nil {
					t.Errorf("%s: %s: %v", doc, command, err)
					continue
				}
				if !slices.ContainsFunc(tests(t, words), func(name string) bool {
					return strings.HasPrefix(name, prefix) && re.MatchString(name)
				}) {
					t.Errorf("%s: %s: nothing is called %s", doc, command, pattern)
				}
			}
		}
	}
}

// tests returns the names of the tests of the packages in a command.
func tests(t *testing.T, words []string) (names []string) {
	t.Helper()
	for _, w := range words {
		dir, ok := strings.CutPrefix(w, "./")
		if !ok {
			continue
		}
		dir, deep := strings.CutSuffix(dir, "/...")
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && !deep && path != filepath.Join(top, dir) {
				return fs.SkipDir
			}
			if !strings.HasSuffix(path, "_test.go") {
				return nil
			}
			text, err := os.ReadFile(path)
			for _, m := range testFunc.FindAllSubmatch(text, -1) {
				names = append(names, string(m[1]))
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", strings.Join(words, " "), err)
		}
	}
	return names
}

// TestDrawing: docs/architecture.md draws each package on the floor that it has.
func TestDrawing(t *testing.T) {
	_, drawing, _ := strings.Cut(documents(t)["docs/architecture.md"], "```\nfloor\n")
	drawing, _, ok := strings.Cut(drawing, "```")
	if !ok {
		t.Fatal("docs/architecture.md has no drawing of the floors")
	}
	drawn := map[string]int{}
	floor := 0
	for line := range strings.Lines(drawing) {
		head, _, _ := strings.Cut(line[min(3, len(line)):], "  ")
		if number := strings.TrimSpace(line[:min(3, len(line))]); number != "" {
			var err error
			if floor, err = strconv.Atoi(number); err != nil {
				t.Fatalf("%q begins with no floor", line)
			}
		}
		for _, word := range strings.Fields(head) {
			for _, name := range expand(strings.TrimSuffix(word, "/")) {
				if _, err := os.Stat(filepath.Join(top, name)); err != nil || name == "tool" {
					name = "internal/" + name
				}
				drawn[name] = floor
			}
		}
	}
	tools, all := drawn["internal/tool/*"]
	delete(drawn, "internal/tool/*")
	for name, floor := range floors {
		if strings.HasPrefix(name, "internal/tool/") && all {
			if _, ok := drawn[name]; !ok {
				drawn[name] = tools
			}
		}
		if have, ok := drawn[name]; !ok || have != floor {
			t.Errorf("%s is on floor %d, but not in docs/architecture.md (%d, %v)", name, floor, have, ok)
		}
	}
	for name := range drawn {
		if _, ok := floors[name]; !ok {
			t.Errorf("docs/architecture.md draws %s, which has no floor", name)
		}
	}
	for name := range floors {
		if _, err := os.Stat(filepath.Join(top, name)); err != nil {
			t.Errorf("%s has a floor and is not there", name)
		}
	}
}

var (
	code       = regexp.MustCompile("`([^`\n]+)`")
	ofSomebody = regexp.MustCompile(`^(?:[a-z]\w*\.)?([A-Za-z]\w*\.[A-Za-z]\w*)$`)
	camelCase  = regexp.MustCompile(`^[a-z]+[A-Z]\w*$`)
)

// notOurs are words in docs/architecture.md that look like names in the code.
var notOurs = []string{"atomic.Pointer", "util.go"}

// TestNamesInArchitecture: what docs/architecture.md calls `T.m`, `pkg.Name` or
// `aName` is declared in the code.
func TestNamesInArchitecture(t *testing.T) {
	names := declared(t)
	for _, m := range code.FindAllStringSubmatch(documents(t)["docs/architecture.md"], -1) {
		word := m[1]
		if slices.Contains(notOurs, word) {
			continue
		}
		if of := ofSomebody.FindStringSubmatch(word); of != nil && !names[of[1]] || camelCase.MatchString(word) && !names[word] {
			t.Errorf("docs/architecture.md tells of %s, which is declared nowhere", word)
		}
	}
}

// declared returns what the packages declare: by its name, with its package, and
// methods and fields with their types.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(top, "internal"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		add := func(owner string, id *ast.Ident) {
			names[id.Name] = true
			names[owner+"."+id.Name] = true
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				owner := receiver(d.Recv)
				if owner == "" {
					owner = file.Name.Name
				}
				add(owner, d.Name)
			case *ast.GenDecl:
				addSpecs(d, file.Name.Name, add)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// addSpecs adds the types, with their fields and methods, constants and variables of
// a declaration.
func addSpecs(d *ast.GenDecl, pkg string, add func(owner string, id *ast.Ident)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			add(pkg, s.Name)
			ast.Inspect(s.Type, func(n ast.Node) bool {
				if f, ok := n.(*ast.Field); ok {
					for _, id := range f.Names {
						add(s.Name.Name, id)
					}
				}
				return true
			})
		case *ast.ValueSpec:
			for _, id := range s.Names {
				add(pkg, id)
			}
		}
	}
}

var (
	moduleRow = regexp.MustCompile(`(?m)^\| (\S+\.\S+/\S+) \| (v\S+) \|`)
	required  = regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`)
)

// TestLibraries: docs/architecture.md lists the modules that go.mod requires, and
// no others.
func TestLibraries(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want, have := map[string]string{}, map[string]string{}
	for _, m := range required.FindAllSubmatch(bytes.TrimSpace(text), -1) {
		want[string(m[1])] = string(m[2])
	}
	for _, m := range moduleRow.FindAllStringSubmatch(documents(t)["docs/architecture.md"], -1) {
		have[m[1]] = m[2]
	}
	if !maps.Equal(have, want) {
		t.Errorf("docs/architecture.md lists %v, but go.mod requires %v", have, want)
	}
}
