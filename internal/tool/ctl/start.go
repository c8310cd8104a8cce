package ctl

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/internal/paths"
	"weir/internal/version"
	"weir/schema"
)

func (c *control) start() error {
	if err := c.makeDirectories(); err != nil {
		return err
	}
	if c.opts.ovsdbServer {
		if err := c.startServer(); err != nil {
			return err
		}
	}
	if c.opts.ovsVswitchd {
		if err := c.startSwitch(); err != nil {
			return err
		}
	}
	return c.enableManagers()
}

func (c *control) makeDirectories() error {
	for _, dir := range []string{paths.RunDir(), paths.LogDir(), filepath.Dir(c.opts.dbFile)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// startServer brings up ovsdb-server on a database of the current schema, and
// fills in what describes this system.
func (c *control) startServer() error {
	if running("ovsdb-server") != 0 {
		c.say("ovsdb-server is already running")
		return nil
	}
	schemaFile, remove, err := c.schemaFile()
	if err != nil {
		return err
	}
	defer remove()
	if err := c.prepareDatabase(schemaFile); err != nil {
		return err
	}
	args := []string{c.opts.dbFile}
	for _, db := range strings.Fields(c.opts.extraDBs) {
		if !filepath.IsAbs(db) {
			db = filepath.Join(paths.DBDir(), db)
		}
		args = append(args, db)
	}
	args = append(args, "-vconsole:emer", "-vsyslog:err", "-vfile:info",
		"--remote=punix:"+c.opts.dbSock,
		"--private-key=db:Open_vSwitch,SSL,private_key",
		"--certificate=db:Open_vSwitch,SSL,certificate",
		"--bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert")
	if err := c.launch("ovsdb-server", args); err != nil {
		return err
	}
	return c.describeSystem(schemaFile)
}

// startSwitch brings up ovs-vswitchd.
func (c *control) startSwitch() error {
	if running("ovs-vswitchd") != 0 {
		c.say("ovs-vswitchd is already running")
		return nil
	}
	args := []string{"unix:" + c.opts.dbSock, "-vconsole:emer", "-vsyslog:err", "-vfile:info"}
	if c.opts.mlockall {
		args = append(args, "--mlockall")
	}
	return c.launch("ovs-vswitchd", args)
}

// launch starts a daemon in the background with the options that both share.
func (c *control) launch(name string, args []string) error {
	if c.opts.user != "" {
		args = append(args, "--user="+c.opts.user)
	}
	args = append(args, "--no-chdir", "--log-file="+paths.InLogDir(name+".log"),
		"--pidfile="+paths.InRunDir(name+".pid"), "--detach")
	if !c.opts.selfConfinement {
		args = append(args, "--no-self-confinement")
	}
	if c.opts.monitor {
		args = append(args, "--monitor")
	}
	args = append(args, strings.Fields(c.opts.extra[name])...)
	c.say("Starting %s", name)
	if err := c.daemon(name, args); err != nil {
		return fmt.Errorf("starting %s failed: %w", name, err)
	}
	return nil
}

// schemaFile returns a file with the schema: the one asked for by option, or that of
// the directory in OVS_PKGDATADIR, or a temporary copy of the one built in. What
// lies in the usual directory may be another installation's.
func (c *control) schemaFile() (path string, remove func(), err error) {
	remove = func() {}
	if file := c.opts.dbSchema; file != "" {
		_, err := os.Stat(file)
		return file, remove, err
	}
	if os.Getenv("OVS_PKGDATADIR") != "" {
		file := filepath.Join(paths.PkgDataDir(), "vswitch.ovsschema")
		if _, err := os.Stat(file); err == nil {
			return file, remove, nil
		}
	}
	f, err := os.CreateTemp("", "vswitch-*.ovsschema")
	if err != nil {
		return "", remove, err
	}
	defer f.Close()
	if _, err := f.Write(schema.VSwitch); err != nil {
		return "", remove, err
	}
	return f.Name(), func() { os.Remove(f.Name()) }, nil
}

// prepareDatabase creates the database, or upgrades one of another schema.
func (c *control) prepareDatabase(schemaFile string) error {
	db := c.opts.dbFile
	if _, err := os.Stat(db); os.IsNotExist(err) {
		fmt.Fprintf(c.env.Stdout, "%s does not exist ... (warning).\n", db)
		c.say("Creating empty database %s", db)
		_, err := c.output("ovsdb-tool", "create", db, schemaFile)
		return err
	}
	needs, err := c.output("ovsdb-tool", "needs-conversion", db, schemaFile)
	if err != nil || strings.TrimSpace(needs) != "yes" {
		return err
	}
	ver, err := c.output("ovsdb-tool", "db-version", db)
	if err != nil {
		return err
	}
	sum, err := c.output("ovsdb-tool", "db-cksum", db)
	if err != nil {
		return err
	}
	backup := fmt.Sprintf("%s.backup%s-%s", db, strings.TrimSpace(ver), strings.ReplaceAll(strings.TrimSpace(sum), " ", "-"))
	c.say("Backing up database to %s", backup)
	data, err := os.ReadFile(db)
	if err != nil {
		return err
	}
	if err := os.WriteFile(backup, data, 0o640); err != nil {
		return err
	}
	c.say("Compacting database")
	if _, err := c.output("ovsdb-tool", "compact", db); err != nil {
		return err
	}
	c.say("Converting database schema")
	_, err = c.output("ovsdb-tool", "convert", db, schemaFile)
	return err
}

// describeSystem records versions, ids and the host's name in the database, and
// deletes what the options say doesn't outlive a start.
func (c *control) describeSystem(schemaFile string) error {
	dbVersion, err := c.output("ovsdb-tool", "schema-version", schemaFile)
	if err != nil {
		return err
	}
	if err := c.vsctl("--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".", "db-version="+strings.TrimSpace(dbVersion)); err != nil {
		return err
	}
	c.say("Configuring Open vSwitch system IDs")
	id, err := c.systemID()
	if err != nil {
		return err
	}
	set := []string{"--no-wait", "set", "Open_vSwitch", ".", "ovs-version=" + version.OVS,
		"system-type=" + quote(first(c.opts.systemType, confFile("system-type.conf"), osRelease("ID"))),
		"system-version=" + quote(first(c.opts.systemVersion, confFile("system-version.conf"), osRelease("VERSION_ID"))),
		"external-ids:rundir=" + quote(paths.RunDir())}
	if id != "" {
		set = append(set, "external-ids:system-id="+quote(id))
	}
	for _, pair := range c.opts.externalIDs {
		name, value, _ := strings.Cut(pair, "=")
		set = append(set, "external-ids:"+name+"="+quote(strings.Trim(value, `"`)))
	}
	if err := c.vsctl(set...); err != nil {
		return err
	}
	if c.opts.recordHostname {
		if err := c.recordHostname(); err != nil {
			return err
		}
	}
	if c.opts.deleteBridges {
		if err := c.deleteBridges(); err != nil {
			return err
		}
	}
	if c.opts.deleteTransientPorts {
		return c.deleteTransientPorts()
	}
	return nil
}

// systemID returns the id to record: as given, or a random one that is kept in
// system-id.conf from the first start on.
func (c *control) systemID() (string, error) {
	file := filepath.Join(paths.SysconfDir(), "openvswitch", "system-id.conf")
	switch c.opts.systemID {
	case "":
		if id := confFile("system-id.conf"); id != "" {
			return id, nil
		}
		fmt.Fprintln(c.env.Stdout, "system ID not configured, please use --system-id ... (warning).")
		return "", nil
	case "random":
		if id := confFile("system-id.conf"); id != "" {
			return id, nil
		}
		id := randomUUID()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		return id, os.WriteFile(file, []byte(id+"\n"), 0o644)
	default:
		return c.opts.systemID, nil
	}
}

// randomUUID makes a version 4 UUID (RFC 9562, 5.4).
func randomUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// first returns the first string that isn't empty.
func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// quote makes a string a value for ovs-vsctl, whatever it holds.
func quote(s string) string { return fmt.Sprintf("%q", s) }

// recordHostname records external_ids:hostname unless it is there.
func (c *control) recordHostname() error {
	have, err := c.output("ovs-vsctl", c.dbOption(), "--no-wait", "--if-exists", "get", "Open_vSwitch", ".", "external_ids:hostname")
	if err != nil || strings.TrimSpace(have) != "" {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	if !c.opts.fullHostname {
		name, _, _ = strings.Cut(name, ".")
	}
	return c.vsctl("--no-wait", "set", "Open_vSwitch", ".", "external-ids:hostname="+quote(name))
}

func (c *control) deleteBridges() error {
	bridges, err := c.output("ovs-vsctl", c.dbOption(), "--no-wait", "list-br")
	if err != nil {
		return err
	}
	for _, br := range strings.Fields(bridges) {
		if err := c.vsctl("--no-wait", "--if-exists", "del-br", br); err != nil {
			return err
		}
	}
	return nil
}

// deleteTransientPorts deletes the ports with other_config:transient=true.
func (c *control) deleteTransientPorts() error {
	names, err := c.output("ovs-vsctl", c.dbOption(), "--no-wait", "--bare", "--no-headings", "--columns=name", "find", "Port", "other_config:transient=true")
	if err != nil {
		return err
	}
	for _, port := range strings.Fields(names) {
		c.say("Deleting transient port %s", port)
		if err := c.vsctl("--no-wait", "--if-exists", "del-port", port); err != nil {
			return err
		}
	}
	return nil
}

// enableManagers lets ovsdb-server listen where the Manager table says. It comes
// last, so that no manager sees a half-started switch.
func (c *control) enableManagers() error {
	if running("ovsdb-server") == 0 {
		return nil
	}
	c.say("Enabling remote OVSDB managers")
	_, err := c.output("ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/add-remote", "db:Open_vSwitch,Open_vSwitch,manager_options")
	return err
}
