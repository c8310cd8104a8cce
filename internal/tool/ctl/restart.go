package ctl

import "strings"

// restart stops and starts the daemons. While the flows of the bridges are not
// back, other_config:flow-restore-wait keeps the switch from forwarding by an
// empty table.
func (c *control) restart() error {
	if running("ovsdb-server") == 0 || running("ovs-vswitchd") == 0 || !c.opts.ovsVswitchd {
		if err := c.stop(true); err != nil {
			return err
		}
		return c.start()
	}
	c.say("Saving flows")
	names, err := c.output("ovs-vsctl", c.dbOption(), "--no-wait", "--", "--real", "list-br")
	if err != nil {
		return err
	}
	saved, err := c.saveFlows(strings.Fields(names))
	if err != nil {
		return err
	}
	if err := c.stop(true); err != nil {
		return err
	}
	if err := c.makeDirectories(); err != nil {
		return err
	}
	if c.opts.ovsdbServer {
		if err := c.startServer(); err != nil {
			return err
		}
	}
	const wait = "other_config:flow-restore-wait"
	if err := c.vsctl("--no-wait", "set", "Open_vSwitch", ".", wait+"=\"true\""); err != nil {
		return err
	}
	if err := c.startSwitch(); err != nil {
		return err
	}
	c.say("Restoring saved flows")
	restoreErr := c.restoreFlows(saved)
	// Forwarding goes on whether or not every flow came back.
	if err := c.vsctl("--no-wait", "remove", "Open_vSwitch", ".", "other_config", "flow-restore-wait"); err != nil {
		return err
	}
	if restoreErr != nil {
		return restoreErr
	}
	return c.enableManagers()
}
