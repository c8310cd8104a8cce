package server

import (
	"weir/internal/jsonrpc"
	"weir/internal/ovsdb"
)

// convert runs "convert" (ovsdb-server(7), 4.1.19).
func (c *session) convert(m *jsonrpc.Message) ([]byte, error) {
	db, derr := c.database(m)
	if derr != nil {
		return nil, derr
	}
	params := elements(m.Params)
	if len(params) != 2 {
		return nil, syntaxError(m, "", "array expected")
	}
	schema, err := ovsdb.ParseSchema(params[1])
	if err != nil {
		return nil, err
	}
	if schema.Name != db.Name {
		return nil, ovsdb.Errorf("invalid parameters", "new schema name (%s) does not match database name (%s)", schema.Name, db.Name)
	}
	return nil, ovsdb.Errorf("not supported", "%s: online schema conversion is not available yet (stop the server and use ovsdb-tool convert)", db.Name)
}
