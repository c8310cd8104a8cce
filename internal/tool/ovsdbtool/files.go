package ovsdbtool

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/storage"
	"weir/internal/paths"
	"weir/internal/version"
	"weir/schema"
)

// loadSchema reads a schema file.  The two schemas that are built in needn't be
// installed.
func loadSchema(name string) (*ovsdb.DatabaseSchema, error) {
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		switch name {
		case defaultSchema():
			data, err = schema.VSwitch, nil
		case paths.PkgDataDir() + "/vtep.ovsschema":
			data, err = schema.VTEP, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read schema: \"%s\" could not be read as JSON (error opening \"%s\": %s)", name, name, errorText(err))
	}
	s, err := ovsdb.ParseSchema(data)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("failed to read schema: \"%s\" could not be read as JSON (%v)", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read schema: %w", err)
	}
	return s, nil
}

// errorText is strerror's text of what is at the bottom of err.
func errorText(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

func (t *tool) create(args []string) error {
	s, err := loadSchema(arg(args, 1, defaultSchema()))
	if err != nil {
		return err
	}
	f, err := storage.CreateFile(arg(args, 0, defaultDB()), s, nil, storage.Txn{})
	if err != nil {
		return err
	}
	return f.Close()
}

func (t *tool) compact(args []string) error {
	return t.rewrite(arg(args, 0, defaultDB()), arg(args, 1, ""), "compacted", nil)
}

func (t *tool) convert(args []string) error {
	s, err := loadSchema(arg(args, 1, defaultSchema()))
	if err != nil {
		return err
	}
	return t.rewrite(arg(args, 0, defaultDB()), arg(args, 2, ""), "converted", s)
}

// rewrite writes a compact version of the database src to dst, or in its own
// place, in another schema unless to is nil.
func (t *tool) rewrite(src, dst, done string, to *ovsdb.DatabaseSchema) error {
	if dst == "" {
		lock, err := storage.LockFile(src)
		if err != nil {
			return fmt.Errorf("%s: failed to lock lockfile (%s)", src, errorText(err))
		}
		defer lock.Unlock()
	}
	c, err := storage.Load(src)
	if err != nil {
		return err
	}
	if to != nil {
		if c, err = c.Convert(to); err != nil {
			return err
		}
	}
	snapshot := storage.Txn{Date: time.Now(), Comment: fmt.Sprintf("%s by %s %s", done, t.env.Name, version.OVS)}
	target := dst
	if dst == "" {
		target = storage.FollowLinks(src) + ".tmp"
		if err := os.Remove(target); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("%s: %s", target, errorText(err))
		}
	}
	f, err := storage.CreateFile(target, c.Schema, c.Rows(), snapshot)
	if err != nil {
		return err
	}
	if dst == "" {
		if err := os.Rename(target, storage.FollowLinks(src)); err != nil {
			return fmt.Errorf("failed to rename \"%s\" to \"%s\" (%s)", target, src, errorText(err))
		}
	}
	return f.Close()
}

func (t *tool) needsConversion(args []string) error {
	have, err := dbSchema(arg(args, 0, defaultDB()))
	if err != nil {
		return err
	}
	want, err := loadSchema(arg(args, 1, defaultSchema()))
	if err != nil {
		return err
	}
	answer := "yes"
	if have.JSON() == want.JSON() {
		answer = "no"
	}
	t.printf("%s\n", answer)
	return nil
}

// dbSchema returns the schema of the standalone database in a file.
func dbSchema(name string) (*ovsdb.DatabaseSchema, error) {
	log, err := storage.OpenLog(name, "", storage.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if log.Magic() == storage.Clustered {
		return nil, errClusterFile(name)
	}
	record, err := log.Next()
	if err != nil {
		return nil, err
	}
	return ovsdb.ParseSchema(record)
}

func (t *tool) dbName(args []string) error {
	name := arg(args, 0, defaultDB())
	log, err := storage.OpenLog(name, "", storage.ReadOnly)
	if err != nil {
		return err
	}
	defer log.Close()
	if log.Magic() == storage.Clustered {
		h, err := readHeader(log)
		if err != nil {
			return err
		}
		t.printf("%s\n", h.name)
		return nil
	}
	s, err := dbSchema(name)
	if err == nil {
		t.printf("%s\n", s.Name)
	}
	return err
}

func (t *tool) dbVersion(args []string) error {
	s, err := dbSchema(arg(args, 0, defaultDB()))
	if err == nil {
		t.printf("%s\n", s.Version)
	}
	return err
}

func (t *tool) dbCksum(args []string) error {
	s, err := dbSchema(arg(args, 0, defaultDB()))
	if err == nil {
		t.printf("%s\n", s.Cksum)
	}
	return err
}

func (t *tool) schemaName(args []string) error {
	s, err := loadSchema(arg(args, 0, defaultSchema()))
	if err == nil {
		t.printf("%s\n", s.Name)
	}
	return err
}

func (t *tool) schemaVersion(args []string) error {
	s, err := loadSchema(arg(args, 0, defaultSchema()))
	if err == nil {
		t.printf("%s\n", s.Version)
	}
	return err
}

func (t *tool) schemaCksum(args []string) error {
	s, err := loadSchema(arg(args, 0, defaultSchema()))
	if err == nil {
		t.printf("%s\n", s.Cksum)
	}
	return err
}

func (t *tool) dbIsClustered(args []string) error { return t.isKind(args[0], storage.Clustered) }

func (t *tool) dbIsStandalone(args []string) error { return t.isKind(args[0], storage.Standalone) }

// isKind sets exit status 2 if the file is a database of the other kind.
func (t *tool) isKind(name, magic string) error {
	log, err := storage.OpenLog(name, "", storage.ReadOnly)
	if err != nil {
		return err
	}
	defer log.Close()
	if log.Magic() != magic {
		t.status = 2
	}
	return nil
}

// compareVersions exits with status 0 if the relation holds, else 2.
func (t *tool) compareVersions(args []string) error {
	a, err := parseVersion(args[0])
	if err != nil {
		return err
	}
	b, err := parseVersion(args[2])
	if err != nil {
		return err
	}
	c := 0
	for i := range a {
		if a[i] != b[i] {
			c = 1
			if a[i] < b[i] {
				c = -1
			}
			break
		}
	}
	var holds bool
	switch args[1] {
	case "<":
		holds = c < 0
	case "<=":
		holds = c <= 0
	case "==":
		holds = c == 0
	case ">=":
		holds = c >= 0
	case ">":
		holds = c > 0
	case "!=":
		holds = c != 0
	default:
		return fmt.Errorf("%s: not a relational operator", args[1])
	}
	if !holds {
		return cli.Silent{Status: 2}
	}
	return nil
}

func parseVersion(s string) (v [3]uint64, err error) {
	if !ovsdb.IsVersion(s) {
		return v, fmt.Errorf("%s: not an OVSDB version number in format x.y.z", s)
	}
	for i, part := range strings.Split(s, ".") {
		if v[i], err = strconv.ParseUint(part, 10, 64); err != nil {
			return v, fmt.Errorf("%s: not an OVSDB version number in format x.y.z", s)
		}
	}
	return v, nil
}
