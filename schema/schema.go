// Package schema holds the database schemas that Weir's programs are built
// with: Open_vSwitch (ovs-vswitchd.conf.db(5)) and hardware_vtep (vtep(5)).
package schema

import _ "embed" // for the schema files

// VSwitch is the text of the Open_vSwitch schema.
//
//go:embed vswitch.ovsschema
var VSwitch []byte

// VTEP is the text of the hardware_vtep schema.
//
//go:embed vtep.ovsschema
var VTEP []byte
