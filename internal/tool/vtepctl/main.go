// Package vtepctl is vtep-ctl: it configures hardware VTEPs by way of their
// database (vtep-ctl(8), vtep(5)).
package vtepctl

import (
	"context"
	"fmt"
	"strings"

	"weir/internal/cli"
	"weir/internal/ovsdb"
	"weir/internal/tool/dbctl"
	"weir/internal/tool/table"
	"weir/internal/vlog"
	"weir/schema"
)

var log = vlog.For("vtep_ctl")

func commands() []dbctl.Syntax {
	out := []dbctl.Syntax{
		{Name: "get-manager", ReadOnly: true, Needs: needsManager, Run: cmdGetManager},
		{Name: "del-manager", Needs: needsManager, Run: cmdSetManager},
		{Name: "set-manager", Min: 1, Max: dbctl.Unlimited, Args: "TARGET...", Options: "--inactivity-probe=", Needs: needsManager, Run: cmdSetManager},

		{Name: "add-ps", Min: 1, Max: 1, Args: "PS", Options: "--may-exist", Needs: needsSwitches, Run: cmdAddPS},
		{Name: "del-ps", Min: 1, Max: 1, Args: "PS", Options: "--if-exists", Needs: needsSwitches, Run: cmdDelPS},
		{Name: "list-ps", ReadOnly: true, Needs: needsSwitches, Run: cmdListPS},
		{Name: "ps-exists", Min: 1, Max: 1, Args: "PS", ReadOnly: true, Needs: needsSwitches, Run: cmdPSExists},

		{Name: "list-ports", Min: 1, Max: 1, Args: "PS", ReadOnly: true, Needs: needsSwitches, Run: cmdListPorts},
		{Name: "add-port", Min: 2, Max: 2, Args: "PS PORT", Options: "--may-exist", Needs: needsSwitches, Run: cmdAddPort},
		{Name: "del-port", Min: 2, Max: 2, Args: "PS PORT", Options: "--if-exists", Needs: needsSwitches, Run: cmdDelPort},

		{Name: "bind-ls", Min: 4, Max: 4, Args: "PS PORT VLAN LS", Needs: needsSwitches, Run: cmdBind},
		{Name: "unbind-ls", Min: 3, Max: 3, Args: "PS PORT VLAN", Needs: needsSwitches, Run: cmdUnbind},
		{Name: "list-bindings", Min: 2, Max: 2, Args: "PS PORT", ReadOnly: true, Needs: needsSwitches, Run: cmdListBindings},
		{Name: "set-replication-mode", Min: 2, Max: 2, Args: "LS MODE", Needs: needsSwitches, Run: cmdSetReplication},
		{Name: "get-replication-mode", Min: 1, Max: 1, Args: "LS", ReadOnly: true, Needs: needsSwitches, Run: cmdGetReplication},
	}
	out = append(out, logicalCommands("ls", "Logical_Switch", "logical switch")...)
	out = append(out, logicalCommands("lr", "Logical_Router", "logical router")...)
	for _, where := range []string{"local", "remote"} {
		out = append(out, macCommands(where)...)
	}
	return out
}

func rowIDs() map[string][]dbctl.RowID {
	own := func(table, column string) []dbctl.RowID {
		return []dbctl.RowID{{Table: table, Column: column}}
	}
	return map[string][]dbctl.RowID{
		"Global":          own("Global", ""),
		"Logical_Router":  own("Logical_Router", "name"),
		"Logical_Switch":  own("Logical_Switch", "name"),
		"Manager":         own("Manager", "target"),
		"Physical_Port":   own("Physical_Port", "name"),
		"Physical_Switch": own("Physical_Switch", "name"),
	}
}

func showTables() []dbctl.ShowTable {
	return []dbctl.ShowTable{
		{Table: "Global", Columns: []string{"managers", "switches"}},
		{Table: "Manager", Name: "target", Columns: []string{"is_connected"}},
		{Table: "Physical_Switch", Name: "name", Columns: []string{"management_ips", "tunnel_ips", "ports"}},
		{Table: "Physical_Port", Name: "name", Columns: []string{"vlan_bindings"}},
		{Table: "Logical_Switch", Name: "name"},
	}
}

// begin makes sure that there is the row of Global.
func begin(c *dbctl.Context) error {
	for range c.Txn.Rows("Global") {
		return nil
	}
	_, err := c.Txn.Insert("Global")
	return err
}

// Main runs vtep-ctl.
func Main(ctx context.Context, env *cli.Env) int {
	s, err := ovsdb.ParseSchema(schema.VTEP)
	if err != nil {
		return env.Fatal("built-in schema: %v", err)
	}
	prog := &dbctl.Program{
		Schema: s, RowIDs: rowIDs(), Show: showTables(), Commands: commands(), Begin: begin,
		Prerequisites: func(n *dbctl.Needs) { n.Table("Global") },
	}
	r := &dbctl.Runner{Prog: prog, Env: env, Log: log, Help: func() { help(env, prog) }, NoWait: true, Basic: true}
	return r.Main(ctx)
}

func help(env *cli.Env, prog *dbctl.Program) {
	fmt.Fprintf(env.Stdout, "%s: VTEP configuration utility\nusage: %s [OPTIONS] COMMAND [ARG...] [-- [OPTIONS] COMMAND [ARG...]]...\n", env.Name, env.Name)
	fmt.Fprint(env.Stdout, helpCommands, dbctl.VerbHelp, prog.RecordHelp())
	for line := range strings.Lines(fmt.Sprintf(dbctl.OptionHelp, dbctl.DefaultDB())) {
		if !strings.Contains(line, "--no-wait") && !strings.Contains(line, "--retry") {
			fmt.Fprint(env.Stdout, line)
		}
	}
	fmt.Fprint(env.Stdout, table.Usage, cli.LogUsage(env.Name))
	fmt.Fprint(env.Stdout, dbctl.OtherHelp)
}

const helpCommands = `
VTEP commands:
  show                        print overview of database contents

Manager commands:
  get-manager                 print the managers
  del-manager                 delete the managers
  [--inactivity-probe=MSECS] set-manager TARGET...
                              set the list of managers to TARGET...

Physical Switch commands:
  [--may-exist] add-ps PS     create a new physical switch named PS
  [--if-exists] del-ps PS     delete PS and all of its ports
  list-ps                     print the names of all the physical switches
  ps-exists PS                exit 2 if PS does not exist

Port commands:
  list-ports PS               print the names of all the ports on PS
  [--may-exist] add-port PS PORT
                              add network device PORT to PS
  [--if-exists] del-port PS PORT
                              delete PORT from PS

Logical Switch commands:
  [--may-exist] add-ls LS     create a new logical switch named LS
  [--if-exists] del-ls LS     delete LS and all of its ports
  list-ls                     print the names of all the logical switches
  ls-exists LS                exit 2 if LS does not exist
  bind-ls PS PORT VLAN LS     bind LS to VLAN on PORT
  unbind-ls PS PORT VLAN      unbind logical switch on VLAN from PORT
  list-bindings PS PORT       list bindings for PORT on PS
  set-replication-mode LS MODE  set replication mode on LS
  get-replication-mode LS       get replication mode on LS

Logical Router commands:
  [--may-exist] add-lr LR     create a new logical router named LR
  [--if-exists] del-lr LR     delete LR
  list-lr                     print the names of all the logical routers
  lr-exists LR                exit 2 if LR does not exist

MAC binding commands:
  add-ucast-local LS MAC [ENCAP] IP   add ucast local entry in LS
  del-ucast-local LS MAC              del ucast local entry from LS
  add-mcast-local LS MAC [ENCAP] IP   add mcast local entry in LS
  del-mcast-local LS MAC [ENCAP] IP   del mcast local entry from LS
  clear-local-macs LS                 clear local mac entries
  list-local-macs LS                  list local mac entries
  add-ucast-remote LS MAC [ENCAP] IP  add ucast remote entry in LS
  del-ucast-remote LS MAC             del ucast remote entry from LS
  add-mcast-remote LS MAC [ENCAP] IP  add mcast remote entry in LS
  del-mcast-remote LS MAC [ENCAP] IP  del mcast remote entry from LS
  clear-remote-macs LS                clear remote mac entries
  list-remote-macs LS                 list remote mac entries

`
