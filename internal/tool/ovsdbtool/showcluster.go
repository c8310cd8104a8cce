package ovsdbtool

import (
	"strings"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/storage"
)

// showClusterLog prints the records of a cluster server's file.
func (t *tool) showClusterLog(log *storage.Log) error {
	s := shower{t: t, names: map[string]map[string]string{}}
	return eachRecord(log, func(i int, record []byte) {
		t.printf("record %d:\n", i)
		v := members(record)
		var shown bool
		if i == 0 {
			shown = s.showHeader(v)
		} else {
			shown = s.showRecord(v)
		}
		if !shown { // the transaction ends with what it needs
			t.printf("\n")
		}
	})
}

// members returns an object's members: strings as they are, other values as
// JSON.
func members(record []byte) map[string]string {
	out := map[string]string{}
	s := json.NewScanner(record)
	s.Next()
	_ = s.Object(func(name string) error {
		if s.Next() == json.String {
			out[name] = s.Str()
			return nil
		}
		raw, err := s.Raw()
		out[name] = string(raw)
		return err
	})
	return out
}

// short is the form in which UUIDs are printed here.
func short(uuid string) string { return uuid[:min(4, len(uuid))] }

// showHeader prints the first record; showRecord another one.  They return true
// if they printed a transaction.
func (s *shower) showHeader(v map[string]string) bool {
	p := s.t.printf
	p(" name: \"%s'\n local address: \"%s\"\n server_id: %s\n", v["name"], v["local_address"], short(v["server_id"]))
	if id := v["cluster_id"]; id != "" {
		p(" cluster_id: %s\n", short(id))
	}
	if list := v["remote_addresses"]; list != "" {
		p(" remote_addresses: %s\n", strings.Join(stringsOf(list), " "))
	}
	if v["prev_data"] == "" {
		return false
	}
	p(" prev_index: %s\n prev_term: %s\n prev_servers:%s\n", v["prev_index"], v["prev_term"], servers(v["prev_servers"]))
	p(" prev_eid: %s\n", short(v["prev_eid"]))
	return s.showData("prev_", v["prev_data"])
}

func (s *shower) showRecord(v map[string]string) bool {
	for _, name := range []string{"comment", "term", "index", "servers", "vote", "leader", "note", "commit_index", "eid"} {
		value, ok := v[name]
		switch {
		case !ok:
		case name == "servers":
			s.t.printf(" servers:%s\n", servers(value))
		case name == "vote", name == "leader", name == "eid":
			s.t.printf(" %s: %s\n", name, short(value))
		case name == "comment", name == "note":
			s.t.printf(" %s: \"%s\"\n", name, value)
		default:
			s.t.printf(" %s: %s\n", name, value)
		}
	}
	return v["data"] != "" && s.showData("", v["data"])
}

// showData prints the [schema, transaction] of a snapshot or an entry, and
// returns whether there was a transaction.
func (s *shower) showData(prefix, data string) bool {
	schema, txn, err := logEntry([]byte(`{"data":`+data+`}`), "data")
	if err != nil {
		s.t.printf(" %v\n", err)
		return false
	}
	if schema != nil {
		if parsed, err := ovsdb.ParseSchema(schema); err == nil {
			s.schema = parsed
			s.t.printf(" %sschema: \"%s\", version=\"%s\", cksum=\"%s\"\n", prefix, parsed.Name, parsed.Version, parsed.Cksum)
		}
	}
	if txn == nil || string(txn) == "{}" {
		return false
	}
	s.t.printf(" ")
	s.showTxn(txn)
	return true
}

// stringsOf returns the strings in a JSON array.
func stringsOf(list string) []string {
	var out []string
	s := json.NewScanner([]byte(list))
	s.Next()
	_ = s.Array(func(int) error {
		out = append(out, s.Str())
		return s.Skip()
	})
	return out
}

// servers prints a map from server IDs to addresses.
func servers(list string) string {
	var b strings.Builder
	s := json.NewScanner([]byte(list))
	s.Next()
	_ = s.Object(func(sid string) error {
		s.Next()
		b.WriteString(" " + short(sid) + "(\"" + s.Str() + "\")")
		return s.Skip()
	})
	return b.String()
}
