package server

import (
	"fmt"

	"weir/internal/json"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/engine"
)

// serverSchema is the schema of the database _Server, ovsdb-server(5).
const serverSchema = `{"cksum":"3009684573 744","name":"_Server","tables":{"Database":{"columns":{` +
	`"cid":{"type":{"key":"uuid","min":0}},` +
	`"connected":{"type":"boolean"},` +
	`"index":{"type":{"key":"integer","min":0}},` +
	`"leader":{"type":"boolean"},` +
	`"model":{"type":{"key":{"enum":["set",["clustered","relay","standalone"]],"type":"string"}}},` +
	`"name":{"type":"string"},` +
	`"schema":{"type":{"key":"string","min":0}},` +
	`"sid":{"type":{"key":"uuid","min":0}}}}},"version":"1.2.0"}`

// update runs the operations on _Server.
func (s *Server) update(ops string) {
	req, err := engine.ParseRequest(s.self.Layout(), []byte(`["_Server",`+ops+`]`))
	if err == nil {
		if out := s.self.Execute(req, &engine.Env{}); out.Failed != nil {
			err = out.Failed
		}
	}
	if err != nil {
		log.Err("updating database _Server failed: %v", err)
	}
}

// describe adds a database to the table Database.
func (s *Server) describe(h *hosted) {
	h.row = ovsdb.NewUUID()
	if h.db.relay != nil {
		s.update(fmt.Sprintf(`{"op":"insert","table":"Database","uuid":"%s","row":{"name":"%s","model":"relay"}}`, h.row, h.db.Name))
		return
	}
	schema := json.AppendString(nil, h.db.Layout().Schema.JSON())
	s.update(fmt.Sprintf(`{"op":"insert","table":"Database","uuid":"%s","row":{"name":"%s","model":"standalone","connected":true,"leader":true,"schema":%s}}`,
		h.row, h.db.Name, schema))
}

// undescribe removes it.
func (s *Server) undescribe(h *hosted) {
	s.update(fmt.Sprintf(`{"op":"delete","table":"Database","where":[["_uuid","==",["uuid","%s"]]]}`, h.row))
}
