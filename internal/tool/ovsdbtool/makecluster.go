package ovsdbtool

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/storage"
	"weir/internal/vlog"
)

var ovsdbLog = vlog.For("ovsdb")

// checkAddress checks a cluster server's address.
func checkAddress(address string) error {
	kind, rest, _ := strings.Cut(address, ":")
	switch kind {
	case "unix":
		return nil
	case "tcp", "ssl":
		i := strings.LastIndexByte(rest, ':')
		if _, err := strconv.ParseUint(rest[i+1:], 10, 16); i <= 0 || err != nil {
			return fmt.Errorf("ovsdb error: %s: syntax error in address", address)
		}
		return nil
	}
	return fmt.Errorf("ovsdb error: %s: expected \"tcp\" or \"ssl\" address", address)
}

// member appends a member with a string value to a JSON object.
func member(dst []byte, name, value string) []byte {
	return append(json.AppendString(append(json.AppendString(dst, name), ':'), value), ',')
}

// createCluster makes the file of a new cluster's first server
// (ovsdb-tool(1), create-cluster; ovsdb(5), "Clustered Format").
func (t *tool) createCluster(args []string) error {
	name, contents, local := args[0], args[1], args[2]
	timer, err := t.electionTimer()
	if err != nil {
		return err
	}
	if err := checkAddress(local); err != nil {
		return err
	}
	c, comment, err := clusterContents(contents)
	if err != nil {
		return err
	}
	makePersistent(contents, c.Schema)
	snapshot := []byte("{}")
	txn := storage.Txn{Date: time.Now(), Comment: comment}
	for table, row := range c.Rows() {
		txn.Changes = append(txn.Changes, storage.Change{Table: table, UUID: row.ID, New: row})
	}
	if len(txn.Changes) > 0 {
		snapshot = txn.Encode(true)
	}
	sid := ovsdb.NewUUID().String()
	r := []byte{'{'}
	r = member(r, "cluster_id", ovsdb.NewUUID().String())
	r = member(r, "local_address", local)
	r = member(r, "name", c.Schema.Name)
	r = append(r, `"prev_data":[`...)
	r = append(c.Schema.AppendJSON(r), ',')
	r = append(append(r, snapshot...), "],"...)
	r = member(r, "prev_eid", ovsdb.NewUUID().String())
	r = append(r, `"prev_index":1,"prev_servers":{`...)
	r = member(r, sid, local)
	r[len(r)-1] = '}'
	r = append(r, `,"prev_term":1,`...)
	r = member(r, "server_id", sid)
	r[len(r)-1] = '}'
	records := [][]byte{r}
	if timer > 0 {
		records = append(records, fmt.Appendf(nil, `{"election_timer":%d,"index":2,"term":1}`, timer))
	}
	return storage.CreateLog(name, storage.Clustered, records)
}

// electionTimer parses --election-timer; 0 if it wasn't given.
func (t *tool) electionTimer() (int, error) {
	if t.election == "" {
		return 0, nil
	}
	ms, err := strconv.Atoi(t.election)
	if err != nil || ms < 100 || ms > 600000 {
		return 0, errors.New("ovsdb error: election timer must be between 100 and 600000, in msec.")
	}
	return ms, nil
}

// clusterContents reads what a new cluster shall hold: a standalone database, or
// nothing but a schema.
func clusterContents(name string) (*storage.Contents, string, error) {
	c, err := storage.Load(name)
	if err == nil {
		return c, "created from " + name, nil
	}
	var e *ovsdb.Error
	if !errors.As(err, &e) || e.Tag == ovsdb.TagIO {
		return nil, "", err
	}
	s, schemaErr := loadSchema(name)
	if schemaErr != nil {
		return nil, "", err
	}
	return storage.NewContents(s), "", nil
}

// makePersistent makes all of a schema's columns persistent, since clusters
// don't have ephemeral ones, and warns of it.
func makePersistent(name string, s *ovsdb.DatabaseSchema) {
	n, example := 0, ""
	for _, t := range s.SortedTables() {
		for _, c := range t.Columns[ovsdb.VersionColumn+1:] {
			if c.Persistent {
				continue
			}
			c.Persistent = true
			if n++; n == 1 {
				example = fmt.Sprintf("'%s' column in '%s' table", c.Name, t.Name)
			}
		}
	}
	if n > 0 {
		ovsdbLog.Warn("%s: changed %d columns in '%s' database from ephemeral to persistent, including %s, because clusters do not support ephemeral columns", name, n, s.Name, example)
	}
}

// joinCluster makes the file of a server that is to join a cluster.
func (t *tool) joinCluster(args []string) error {
	name, schemaName, local, remotes := args[0], args[1], args[2], args[3:]
	if !ovsdb.IsID(schemaName) {
		return fmt.Errorf("%s: not a valid schema name (use \"schema-name\" command to find the correct name)", schemaName)
	}
	r := []byte{'{'}
	if t.cid != "" {
		cid, ok := ovsdb.ParseUUID(t.cid)
		if !ok || cid.IsZero() {
			return fmt.Errorf("%s: not a valid UUID", t.cid)
		}
		r = member(r, "cluster_id", cid.String())
	}
	for _, address := range append([]string{local}, remotes...) {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	if slices.Contains(remotes, local) {
		return errors.New("ovsdb error: remote addresses cannot be the same as the local address")
	}
	r = member(r, "local_address", local)
	r = member(r, "name", schemaName)
	r = append(r, `"remote_addresses":[`...)
	slices.Sort(remotes)
	for i, address := range slices.Compact(remotes) {
		if i > 0 {
			r = append(r, ',')
		}
		r = json.AppendString(r, address)
	}
	r = append(r, "],"...)
	r = member(r, "server_id", ovsdb.NewUUID().String())
	r[len(r)-1] = '}'
	return storage.CreateLog(name, storage.Clustered, [][]byte{r})
}

// clusterToStandalone makes a standalone database of a cluster server's file.
func (t *tool) clusterToStandalone(args []string) error {
	in, err := storage.OpenLog(args[1], "", storage.ReadOnly)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.Magic() != storage.Clustered {
		return errors.New("Database is not clustered db.\n")
	}
	records, err := standaloneRecords(in)
	if err != nil {
		return err
	}
	return storage.CreateLog(args[0], storage.Standalone, records)
}

// standaloneRecords returns a standalone database's records, made of a cluster
// server's: its snapshot and the transactions logged since.  A change of schema
// on the way begins anew, since its entry carries everything.
func standaloneRecords(in *storage.Log) ([][]byte, error) {
	var out [][]byte
	for first := true; ; first = false {
		record, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		field := "data"
		if first {
			field = "prev_data"
		}
		schema, txn, err := logEntry(record, field)
		switch {
		case err != nil:
			return nil, err
		case schema != nil && len(out) > 0 && txn == nil:
			return nil, fmt.Errorf("%s: the log holds a conversion of the schema without data: start a server on it once, then compact it", in.Name())
		case schema != nil:
			out = [][]byte{schema}
		}
		if txn != nil {
			out = append(out, txn)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: database has not joined a cluster yet and so has no contents", in.Name())
	}
	return out, nil
}

// logEntry takes the [schema, transaction] out of a cluster's log record; each
// is nil where there is none.
func logEntry(record []byte, field string) (schema, txn []byte, err error) {
	s := json.NewScanner(record)
	s.Next()
	err = s.Object(func(name string) error {
		s.Next()
		if name != field || s.Kind() != json.ArrayBegin {
			return s.Skip()
		}
		return s.Array(func(i int) error {
			if s.Kind() == json.Null {
				return nil
			}
			raw, err := s.Raw()
			switch i {
			case 0:
				schema = json.Canonical(raw)
			case 1:
				txn = json.Canonical(raw)
			}
			return err
		})
	})
	return schema, txn, err
}
