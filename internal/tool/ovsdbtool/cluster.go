package ovsdbtool

import (
	"fmt"
	"io"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/storage"
)

// header is what the first record of a clustered database says.
type header struct {
	name, local string
	cid, sid    ovsdb.UUID
	schema      []byte // nil in a server that hasn't joined yet
}

// readHeader reads the first record of a clustered database.
func readHeader(log *storage.Log) (*header, error) {
	record, err := log.Next()
	if err == io.EOF {
		return nil, fmt.Errorf("%s: file contains no records", log.Name())
	}
	if err != nil {
		return nil, err
	}
	h := &header{}
	s := json.NewScanner(record)
	s.Next()
	err = s.Object(func(name string) error {
		s.Next()
		text := ""
		if s.Kind() == json.String {
			text = s.Str()
		}
		switch name {
		case "name":
			h.name = text
		case "local_address":
			h.local = text
		case "cluster_id":
			h.cid, _ = ovsdb.ParseUUID(text)
		case "server_id":
			h.sid, _ = ovsdb.ParseUUID(text)
		case "prev_data":
			if s.Kind() == json.ArrayBegin {
				return s.Array(func(i int) error {
					raw, err := s.Raw()
					if i == 0 {
						h.schema = raw
					}
					return err
				})
			}
		}
		return s.Skip()
	})
	return h, err
}

// openCluster reads the header of a file that has to be a clustered database.
func openCluster(name string) (*header, error) {
	log, err := storage.OpenLog(name, "", storage.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if log.Magic() != storage.Clustered {
		return nil, fmt.Errorf("%s: not a clustered database", name)
	}
	return readHeader(log)
}

func (t *tool) dbCID(args []string) error {
	h, err := openCluster(args[0])
	if err != nil {
		return err
	}
	if h.cid.IsZero() {
		fmt.Fprintf(t.env.Stderr, "%s: cluster ID not yet known\n", args[0])
		t.status = 2
		return nil
	}
	t.printf("%s\n", h.cid)
	return nil
}

func (t *tool) dbSID(args []string) error {
	h, err := openCluster(args[0])
	if err == nil {
		t.printf("%s\n", h.sid)
	}
	return err
}

func (t *tool) dbLocalAddress(args []string) error {
	h, err := openCluster(args[0])
	if err == nil {
		t.printf("%s\n", h.local)
	}
	return err
}

// checkCluster looks for what can't be right with the files of any cluster.
// Whether their logs agree it can't tell yet.
func (t *tool) checkCluster(args []string) error {
	for _, name := range args {
		if _, err := openCluster(name); err != nil {
			return err
		}
	}
	return errUnsupported("check-cluster: comparing the logs of a cluster's servers")
}
