package ovsdbtool

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/storage"
)

func (t *tool) showLog(args []string) error {
	log, err := storage.OpenLog(arg(args, 0, defaultDB()), "", storage.ReadOnly)
	if err != nil {
		return err
	}
	defer log.Close()
	if log.Magic() == storage.Clustered && !t.json {
		return t.showClusterLog(log)
	}
	if t.json {
		return t.showRecords(log)
	}
	s := shower{t: t, names: map[string]map[string]string{}}
	return eachRecord(log, func(i int, record []byte) {
		t.printf("record %d:", i)
		if i == 0 {
			s.showSchema(record)
		} else {
			t.printf(" ")
			s.showTxn(record)
		}
	})
}

// eachRecord calls show for the records of a log, counted from 0.
func eachRecord(log *storage.Log, show func(i int, record []byte)) error {
	for i := 0; ; i++ {
		record, err := log.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		show(i, record)
	}
}

// showRecords prints the records as they are, as an array.
func (t *tool) showRecords(log *storage.Log) error {
	t.printf("[")
	separator := ""
	err := eachRecord(log, func(_ int, record []byte) {
		t.printf("%s%s", separator, bytes.TrimSpace(record))
		separator = ",\n"
	})
	if err == nil {
		t.printf("]\n")
	}
	return err
}

// shower prints transactions.  It keeps the names of rows, to print those of
// rows that a record doesn't name.
type shower struct {
	t      *tool
	schema *ovsdb.DatabaseSchema
	names  map[string]map[string]string // by table and UUID
}

func (s *shower) showSchema(record []byte) {
	schema, err := ovsdb.ParseSchema(record)
	if err != nil {
		s.t.printf(" %v\n", err)
		return
	}
	s.schema = schema
	s.t.printf(" \"%s\" schema, version=\"%s\", cksum=\"%s\"\n\n", schema.Name, schema.Version, schema.Cksum)
}

// showTxn prints a transaction's date and comment, and with -m its rows.
func (s *shower) showTxn(record []byte) {
	heading, diff := txnHeading(record)
	s.t.printf("%s\n", heading)
	sc := json.NewScanner(record)
	sc.Next()
	tables := 0
	_ = sc.Object(func(name string) error {
		sc.Next()
		if strings.HasPrefix(name, "_") || sc.Kind() != json.ObjectBegin {
			return sc.Skip()
		}
		tables++
		return s.showTable(sc, name, diff)
	})
	if s.t.more > 0 && tables > 0 {
		s.t.printf("\n")
	}
}

// txnHeading returns what a transaction says of itself, its date and comment, and
// whether its rows are differences.
func txnHeading(record []byte) (heading string, diff bool) {
	date, comment := "", ""
	sc := json.NewScanner(record)
	sc.Next()
	_ = sc.Object(func(name string) error {
		sc.Next()
		switch {
		case name == "_date" && sc.Kind() == json.Integer:
			when := time.UnixMilli(sc.Int())
			if sc.Int() < 1<<31 {
				when = time.Unix(sc.Int(), 0)
			}
			date = when.UTC().Format("2006-01-02 15:04:05.000")
		case name == "_comment" && sc.Kind() == json.String && sc.Str() != "":
			comment = "\"" + sc.Str() + "\""
		case name == "_is_diff":
			diff = sc.Kind() == json.True
		}
		return sc.Skip()
	})
	if date != "" && comment != "" {
		date += " "
	}
	return date + comment, diff
}

func (s *shower) showTable(sc *json.Scanner, table string, diff bool) error {
	if s.names[table] == nil {
		s.names[table] = map[string]string{}
	}
	return sc.Object(func(uuid string) error {
		sc.Next()
		return s.showRow(sc, table, uuid, diff)
	})
}

// shortID is the beginning of a UUID.
func shortID(uuid string) string { return uuid[:min(8, len(uuid))] }

// nameRow notes how a row is called from now on, as the record says in raw, and
// returns how to call it here, and whether it is new.
func (s *shower) nameRow(table, uuid string, raw []byte) (name string, insert bool) {
	names := s.names[table]
	name, exists := names[uuid]
	now, named := rowName(raw)
	if !exists {
		name = shortID(uuid)
		if named {
			name = now
		}
	}
	switch {
	case string(raw) == "null":
		delete(names, uuid)
		return name, false
	case named:
		names[uuid] = now
	case !exists:
		names[uuid] = name
	}
	return name, !exists
}

func (s *shower) showRow(sc *json.Scanner, table, uuid string, diff bool) error {
	raw, err := sc.Raw()
	if err != nil {
		return err
	}
	short := shortID(uuid)
	name, insert := s.nameRow(table, uuid, raw)
	if s.t.more == 0 {
		return nil
	}
	s.t.printf("  table %s ", table)
	switch {
	case insert && name == short:
		s.t.printf("insert row %s:\n", short)
	case insert:
		s.t.printf("insert row %s (%s):\n", name, short)
	case diff:
		s.t.printf("row %s (%s) diff:\n", name, short)
	default:
		s.t.printf("row %s (%s):\n", name, short)
	}
	if string(raw) == "null" {
		s.t.printf("    delete row\n")
	} else if s.t.more > 1 {
		s.showColumns(raw, table)
	}
	return nil
}

// rowName returns the quoted value of a row's "name" column, if it is there.
func rowName(raw []byte) (name string, ok bool) {
	sc := json.NewScanner(raw)
	if sc.Next() != json.ObjectBegin {
		return "", false
	}
	_ = sc.Object(func(column string) error {
		sc.Next()
		if column == "name" && sc.Kind() == json.String {
			name, ok = "\""+sc.Str()+"\"", true
		}
		return sc.Skip()
	})
	return name, ok
}

// showColumns prints a row's columns, in text form where the schema knows them.
func (s *shower) showColumns(raw []byte, table string) {
	sc := json.NewScanner(raw)
	sc.Next()
	_ = sc.Object(func(name string) error {
		sc.Next()
		value, err := sc.Raw()
		if err != nil {
			return err
		}
		text := string(json.Canonical(value))
		if s.schema != nil {
			if t := s.schema.Table(table); t != nil && t.Column(name) != nil {
				c := t.Column(name)
				vs := json.NewScanner(value)
				vs.Next()
				if d, err := c.Type.ParseJSONUnchecked(vs, nil); err == nil {
					text = d.Text(&c.Type)
				}
			}
		}
		s.t.printf("    %s=%s\n", name, text)
		return nil
	})
}

// errUnsupported is the error of a command that isn't there yet.
func errUnsupported(what string) error {
	return fmt.Errorf("%s is not available yet", what)
}

// errClusterFile is the error of a command that only works on standalone
// databases.
func errClusterFile(name string) error {
	return fmt.Errorf("ovsdb error: %s: cannot apply this operation to clustered database file", name)
}
