package engine

import (
	"strings"

	"weir/internal/ovsdb"
)

// roleTable is the table that makes a database subject to role-based access
// control (ovsdb-server(7), section 3.2).
const roleTable = "RBAC_Role"

// rbac is what a client may write: its role's permissions in a snapshot.
type rbac struct {
	db   *Snapshot
	role string
	id   string // the client, as its certificate names it
}

// permission returns the row of a table's permissions and its table, or nil.
func (r *rbac) permission(table string) (*Table, *Row) {
	roles := r.db.Layout.Table(roleTable)
	name, perms := roles.Column("name"), roles.Column("permissions")
	if name == nil || perms == nil || !perms.Type.Value.IsRef() {
		return nil, nil
	}
	t := r.db.Layout.Table(perms.Type.Value.RefTable)
	for row := range r.db.Tables[roles.Num].All() {
		if row.Get(name).Str() == r.role {
			if id, ok := row.Get(perms).Get(ovsdb.StringAtom(table)); ok {
				return t, r.db.Tables[t.Num].Get(id.UUID())
			}
		}
	}
	return nil, nil
}

// RoleCheck returns the check, for Env.Access, of what a client in a role may
// write: id is the client as its certificate names it, "" if it has
// none. It returns nil where
// anything may be written, that is without a role or in a database that has no
// roles.
func RoleCheck(db *Snapshot, role, id string) func(*Access) *ovsdb.Error {
	if role == "" || db.Layout.Table(roleTable) == nil {
		return nil
	}
	return (&rbac{db: db, role: role, id: id}).check
}

// check reports whether the client may write a row as an operation wants to.
func (r *rbac) check(a *Access) *ovsdb.Error {
	t, p := r.permission(a.Table.Name)
	what := map[string]string{"insert": "row insertion into", "delete": "row deletion from",
		"update": "modification of", "mutate": "mutate operation on"}[a.Op]
	if p == nil || !r.allows(t, p, a) {
		return ovsdb.Errorf(ovsdb.TagPermission, "RBAC rules for client \"%s\" role \"%s\" prohibit %s table \"%s\".", r.name(), r.role, what, a.Table.Name)
	}
	return nil
}

// name is what messages call the client.
func (r *rbac) name() string {
	if r.id == "" {
		return "(null)" // as Open vSwitch says it
	}
	return r.id
}

func (r *rbac) allows(t *Table, p *Row, a *Access) bool {
	column := func(name string) ovsdb.Datum {
		if c := t.Column(name); c != nil {
			return p.Get(c)
		}
		return ovsdb.Datum{}
	}
	switch a.Op {
	case "insert", "delete":
		return column("insert_delete").Bool() && r.authorized(column("authorization"), a)
	}
	update := column("update")
	for _, c := range a.Columns {
		if !update.Has(ovsdb.StringAtom(c.Name)) {
			return false
		}
	}
	for i := range a.Mutations {
		if !mutable(update, &a.Mutations[i]) {
			return false
		}
	}
	return r.authorized(column("authorization"), a)
}

// mutable reports whether a mutation is of a column, or of none but keys of a
// map, that update lists.
func mutable(update ovsdb.Datum, m *ovsdb.Mutation) bool {
	if update.Has(ovsdb.StringAtom(m.Column.Name)) {
		return true
	}
	if !m.Column.Type.IsMap() || m.Column.Type.Key.Type != ovsdb.String || m.Arg.Len() == 0 {
		return false
	}
	for i := range m.Arg.Len() {
		if !update.Has(ovsdb.StringAtom(m.Column.Name + ":" + m.Arg.Key(i).Str())) {
			return false
		}
	}
	return true
}

// authorized reports whether any of the columns, or keys of maps, that the
// permission lists names the client. An empty name lets everybody in.
func (r *rbac) authorized(list ovsdb.Datum, a *Access) bool {
	for i := range list.Len() {
		name, key, isKey := strings.Cut(list.Key(i).Str(), ":")
		if name == "" {
			return true
		}
		c := a.Table.Column(name)
		if c == nil || r.id == "" {
			continue
		}
		d := a.Row.Get(c)
		switch {
		case c.Type.IsMap() && isKey:
			if v, ok := d.Get(ovsdb.StringAtom(key)); ok && v.Str() == r.id {
				return true
			}
		case !c.Type.IsMap() && c.Type.Key.Type == ovsdb.String:
			if d.Has(ovsdb.StringAtom(r.id)) {
				return true
			}
		}
	}
	return false
}
