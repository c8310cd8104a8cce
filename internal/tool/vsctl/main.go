// Package vsctl is ovs-vsctl: it configures ovs-vswitchd by way of its database
// (ovs-vsctl(8)).
package vsctl

import (
	"context"
	"fmt"

	"weir/internal/cli"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
	"weir/internal/paths"
	"weir/internal/tool/dbctl"
	"weir/internal/tool/table"
	"weir/schema"
)

// statusSetup is the exit status of a port that couldn't be set up.
const statusSetup = 65

func commands() []dbctl.Syntax {
	m, any := needsModel, dbctl.Unlimited
	return []dbctl.Syntax{
		{Name: "init", Run: func(*dbctl.Context) error { return nil }},

		{Name: "add-br", Min: 1, Max: 3, Args: "!NEW-BRIDGE ?PARENT ?NEW-VLAN", Options: "--may-exist", Needs: m, Run: cmdAddBr},
		{Name: "del-br", Min: 1, Max: 1, Args: "!BRIDGE", Options: "--if-exists", Needs: m, Run: cmdDelBr},
		{Name: "list-br", Options: "--real,--fake", ReadOnly: true, Needs: m, Run: cmdListBr},
		{Name: "br-exists", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: m, Run: cmdBrExists},
		{Name: "br-to-vlan", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: m, Run: cmdBrToVlan},
		{Name: "br-to-parent", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: m, Run: cmdBrToParent},
		{Name: "br-set-external-id", Min: 2, Max: 3, Args: "!BRIDGE !KEY ?VALUE", Needs: needsExternalIDs, Run: cmdBrSetExternalID},
		{Name: "br-get-external-id", Min: 1, Max: 2, Args: "!BRIDGE ?KEY", ReadOnly: true, Needs: needsExternalIDs, Run: cmdBrGetExternalID},

		{Name: "list-ports", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: m, Run: cmdListPorts},
		{Name: "add-port", Min: 2, Max: any, Args: "!BRIDGE !NEW-PORT *COLUMN?:KEY=VALUE", Options: "--may-exist", Needs: needsPort, Run: cmdAddPort},
		{Name: "add-bond", Min: 4, Max: any, Args: "!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE", Options: "--may-exist,--fake-iface", Needs: needsPort, Run: cmdAddBond},
		{Name: "add-bond-iface", Min: 2, Max: 2, Args: "!BOND !IFACE", Options: "--may-exist", Needs: m, Run: cmdAddBondIface},
		{Name: "del-bond-iface", Min: 1, Max: 2, Args: "?BOND !IFACE", Options: "--if-exists", Needs: m, Run: cmdDelBondIface},
		{Name: "del-port", Min: 1, Max: 2, Args: "?BRIDGE !PORT|IFACE", Options: "--if-exists,--with-iface", Needs: m, Run: cmdDelPort},
		{Name: "port-to-br", Min: 1, Max: 1, Args: "!PORT", ReadOnly: true, Needs: m, Run: cmdPortToBr},
		{Name: "list-ifaces", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: m, Run: cmdListIfaces},
		{Name: "iface-to-br", Min: 1, Max: 1, Args: "!IFACE", ReadOnly: true, Needs: m, Run: cmdIfaceToBr},

		{Name: "get-controller", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: needsController, Run: cmdGetController},
		{Name: "del-controller", Min: 1, Max: 1, Args: "!BRIDGE", Needs: needsController, Run: cmdDelController},
		{Name: "set-controller", Min: 1, Max: any, Args: "!BRIDGE +TARGET", Options: "--inactivity-probe=", Needs: needsController, Run: cmdSetController},
		{Name: "get-fail-mode", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: needsController, Run: cmdGetFailMode},
		{Name: "del-fail-mode", Min: 1, Max: 1, Args: "!BRIDGE", Needs: needsController, Run: cmdDelFailMode},
		{Name: "set-fail-mode", Min: 2, Max: 2, Args: "!BRIDGE !MODE", Needs: needsController, Run: cmdSetFailMode},

		{Name: "get-manager", ReadOnly: true, Needs: needsManager, Run: cmdGetManager},
		{Name: "del-manager", Needs: needsManager, Run: cmdSetManager},
		{Name: "set-manager", Min: 1, Max: any, Args: "+TARGET", Options: "--inactivity-probe=", Needs: needsManager, Run: cmdSetManager},
		{Name: "get-ssl", ReadOnly: true, Needs: needsSSL, Run: cmdGetSSL},
		{Name: "del-ssl", Needs: needsSSL, Run: cmdDelSSL},
		{Name: "set-ssl", Min: 3, Max: 3, Args: "!PRIVATE-KEY !CERTIFICATE !CA-CERT", Options: "--bootstrap", Needs: needsSSL, Run: cmdSetSSL},

		{Name: "add-aa-mapping", Min: 3, Max: 3, Args: "!BRIDGE !ARG !ARG", Needs: needsAA, Run: cmdAddAA},
		{Name: "del-aa-mapping", Min: 3, Max: 3, Args: "!BRIDGE !ARG !ARG", Needs: needsAA, Run: cmdDelAA},
		{Name: "get-aa-mapping", Min: 1, Max: 1, Args: "!BRIDGE", ReadOnly: true, Needs: needsAA, Run: cmdGetAA},

		{Name: "add-zone-tp", Min: 2, Max: any, Options: "--may-exist", Needs: needsZones, Run: cmdAddZoneTP},
		{Name: "del-zone-tp", Min: 2, Max: 2, Options: "--if-exists", Needs: needsZones, Run: cmdDelZoneTP},
		{Name: "list-zone-tp", Min: 1, Max: 1, ReadOnly: true, Needs: needsZones, Run: cmdListZoneTP},
		{Name: "set-zone-limit", Min: 3, Max: 3, Needs: needsZones, Run: cmdSetZoneLimit},
		{Name: "del-zone-limit", Min: 2, Max: 2, Options: "--if-exists", Needs: needsZones, Run: cmdDelZoneLimit},
		{Name: "list-zone-limits", Min: 1, Max: 1, ReadOnly: true, Needs: needsZones, Run: cmdListZoneLimits},
		{Name: "list-dp-cap", Min: 1, Max: 1, ReadOnly: true, Needs: needsCapabilities, Run: cmdListDPCap},

		{Name: "emer-reset", Needs: needsReset, Run: cmdEmerReset},
	}
}

// rowIDs are the names of records besides their UUIDs.
func rowIDs() map[string][]dbctl.RowID {
	via := func(table, column string) []dbctl.RowID {
		return []dbctl.RowID{{Table: table, Column: "name", Via: column}}
	}
	own := func(table, column string) []dbctl.RowID {
		return []dbctl.RowID{{Table: table, Column: column}}
	}
	return map[string][]dbctl.RowID{
		"AutoAttach":                via("Bridge", "auto_attach"),
		"Bridge":                    own("Bridge", "name"),
		"Controller":                via("Bridge", "controller"),
		"Flow_Sample_Collector_Set": own("Flow_Sample_Collector_Set", "id"),
		"Flow_Table":                own("Flow_Table", "name"),
		"IPFIX":                     via("Bridge", "ipfix"),
		"Interface":                 own("Interface", "name"),
		"Manager":                   own("Manager", "target"),
		"Mirror":                    own("Mirror", "name"),
		"NetFlow":                   via("Bridge", "netflow"),
		"Open_vSwitch":              own("Open_vSwitch", ""),
		"Port":                      own("Port", "name"),
		"QoS":                       via("Port", "qos"),
		"SSL":                       own("SSL", ""),
		"sFlow":                     via("Bridge", "sflow"),
	}
}

func showTables() []dbctl.ShowTable {
	return []dbctl.ShowTable{
		{Table: "Open_vSwitch", Columns: []string{"manager_options", "bridges", "ovs_version"}},
		{Table: "Bridge", Name: "name", Columns: []string{"controller", "fail_mode", "datapath_type", "ports"}},
		{Table: "Port", Name: "name", Columns: []string{"tag", "trunks", "interfaces"}},
		{Table: "Interface", Name: "name", Columns: []string{"type", "options", "error"}},
		{Table: "Controller", Name: "target", Columns: []string{"is_connected"}},
		{Table: "Manager", Name: "target", Columns: []string{"is_connected"}},
	}
}

// Main runs ovs-vsctl.
func Main(ctx context.Context, env *cli.Env) int {
	s, err := ovsdb.ParseSchema(schema.VSwitch)
	if err != nil {
		return env.Fatal("built-in schema: %v", err)
	}
	var last *model
	prog := &dbctl.Program{
		Schema: s, RowIDs: rowIDs(), Show: showTables(), Commands: commands(),
		Begin: func(c *dbctl.Context) error {
			last = nil
			return begin(c)
		},
		Prerequisites: func(n *dbctl.Needs) { n.Table("Open_vSwitch", "next_cfg", "cur_cfg") },
		End: func(c *dbctl.Context) error {
			last, _ = (*c.Data).(*model)
			return nil
		},
	}
	r := &dbctl.Runner{Prog: prog, Env: env, Log: log, Help: func() { help(env, prog) }}
	r.Committed = func(ctx context.Context, cl *client.Client, result *client.Result) error {
		return waitForSwitch(ctx, env, cl, result, last)
	}
	return r.Main(ctx)
}

// waitForSwitch waits until ovs-vswitchd has done what the transaction asked
// for, then tells which of the new interfaces it couldn't set up.
func waitForSwitch(ctx context.Context, env *cli.Env, cl *client.Client, result *client.Result, m *model) error {
	if result.Unchanged {
		return nil
	}
	snap, err := cl.WaitFor(ctx, func(s *client.Snapshot) bool {
		for row := range s.Rows("Open_vSwitch") {
			if cfg, _ := row.Int("cur_cfg"); cfg >= result.Increment {
				return true
			}
		}
		return false
	})
	if err != nil || m == nil {
		return err
	}
	failed := false
	for _, u := range m.added {
		row := snap.Row("Interface", result.UUID(u))
		if row == nil {
			continue
		}
		// An interface that the switch ignored has no port number at all.
		if port, ok := row.Int("ofport"); !ok || port == -1 {
			why := row.String("error")
			if why != "" {
				why = ": " + why
			}
			env.Fatal("Error detected while setting up '%s'%s.  See ovs-vswitchd log for details.", row.String("name"), why)
			failed = true
		}
	}
	if failed {
		return cli.Silent{Status: env.FatalStatus(statusSetup, "The default log directory is \"%s\".", paths.LogDir())}
	}
	return nil
}

func help(env *cli.Env, prog *dbctl.Program) {
	fmt.Fprintf(env.Stdout, "%s: ovs-vswitchd management utility\nusage: %s [OPTIONS] COMMAND [ARG...] [-- [OPTIONS] COMMAND [ARG...]]...\n", env.Name, env.Name)
	fmt.Fprint(env.Stdout, helpCommands, dbctl.VerbHelp, prog.RecordHelp())
	fmt.Fprintf(env.Stdout, dbctl.OptionHelp, dbctl.DefaultDB())
	fmt.Fprint(env.Stdout, table.Usage, cli.LogUsage(env.Name))
	fmt.Fprint(env.Stdout, dbctl.OtherHelp, helpStatus)
}

const helpStatus = `
Exit status:
  0                           everything was done
  1                           an error
  2                           br-exists: there is no such bridge
  65                          the database was changed, but the switch couldn't
                              set a port up
`

const helpCommands = `
Open vSwitch commands:
  init                        initialize database, if not yet initialized
  [--filter=FILTER] show      print overview of database contents; FILTER is
                              TABLE(TEXT|TEXT...),... and selects rows with TEXT
  emer-reset                  reset configuration to clean state

Bridge commands:
  [--may-exist] add-br BRIDGE
                              create a new bridge named BRIDGE
  [--may-exist] add-br BRIDGE PARENT VLAN
                              create new fake BRIDGE in PARENT on VLAN
  [--if-exists] del-br BRIDGE
                              delete BRIDGE and all of its ports
  [--real|--fake] list-br     print the names of all the bridges
  br-exists BRIDGE            exit 2 if BRIDGE does not exist
  br-to-vlan BRIDGE           print the VLAN which BRIDGE is on
  br-to-parent BRIDGE         print the parent of BRIDGE
  br-set-external-id BRIDGE KEY VALUE
                              set KEY on BRIDGE to VALUE
  br-set-external-id BRIDGE KEY
                              unset KEY on BRIDGE
  br-get-external-id BRIDGE KEY
                              print value of KEY on BRIDGE
  br-get-external-id BRIDGE   list key-value pairs on BRIDGE

Port commands (a bond is considered to be a single port):
  list-ports BRIDGE           print the names of all the ports on BRIDGE
  [--may-exist] add-port BRIDGE PORT [COL[:KEY]=VALUE]...
                              add network device PORT to BRIDGE, and set COLumns
                              of its record in Port
  [--may-exist] [--fake-iface] add-bond BRIDGE PORT IFACE... [COL[:KEY]=VALUE]...
                              add bonded port PORT in BRIDGE from IFACES
  [--may-exist] add-bond-iface BOND IFACE
                              add IFACE to the bonded port BOND
  [--if-exists] del-bond-iface [BOND] IFACE
                              delete IFACE from its bonded port
  [--if-exists] del-port [BRIDGE] PORT
                              delete PORT (which may be bonded) from BRIDGE
  --with-iface [--if-exists] del-port [BRIDGE] IFACE
                              delete the port that has IFACE
  port-to-br PORT             print name of bridge that contains PORT

Interface commands (a bond consists of multiple interfaces):
  list-ifaces BRIDGE          print the names of all interfaces on BRIDGE
  iface-to-br IFACE           print name of bridge that contains IFACE

Controller commands:
  get-controller BRIDGE       print the controllers for BRIDGE
  del-controller BRIDGE       delete the controllers for BRIDGE
  [--inactivity-probe=MSECS] set-controller BRIDGE TARGET...
                              set the controllers for BRIDGE
  get-fail-mode BRIDGE        print the fail-mode for BRIDGE
  del-fail-mode BRIDGE        delete the fail-mode for BRIDGE
  set-fail-mode BRIDGE MODE   set the fail-mode for BRIDGE to MODE

Manager commands:
  get-manager                 print the managers
  del-manager                 delete the managers
  [--inactivity-probe=MSECS] set-manager TARGET...
                              set the list of managers to TARGET...

SSL commands:
  get-ssl                     print the SSL configuration
  del-ssl                     delete the SSL configuration
  [--bootstrap] set-ssl PRIV-KEY CERT CA-CERT
                              set the SSL configuration; with --bootstrap, the
                              first peer's certificate becomes CA-CERT

Auto Attach commands:
  add-aa-mapping BRIDGE I-SID VLAN
                              add Auto Attach mapping to BRIDGE
  del-aa-mapping BRIDGE I-SID VLAN
                              delete Auto Attach mapping VLAN from BRIDGE
  get-aa-mapping BRIDGE       get Auto Attach mappings from BRIDGE

Conntrack zone commands:
  [--may-exist] add-zone-tp DATAPATH zone=N [POLICY=SECONDS]...
                              set zone N's timeout policy
  [--if-exists] del-zone-tp DATAPATH zone=N
                              remove zone N's timeout policy
  list-zone-tp DATAPATH       list the zones' timeout policies
  set-zone-limit DATAPATH zone=N|default LIMIT
                              limit the connections of zone N, or of the zones
                              without a limit; 0 is no limit
  [--if-exists] del-zone-limit DATAPATH zone=N|default
                              remove that limit
  list-zone-limits DATAPATH   list the zones' limits
  list-dp-cap DATAPATH        list the datapath's capabilities

`
