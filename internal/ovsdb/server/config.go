package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"weir/internal/ovsdb"
)

// Config is what a server does, as a configuration file says (ovsdb-server(1)
// of release 3.3, "--config-file"): a JSON object with the members "remotes" and
// "databases", each an object by name.
type Config struct {
	// Remotes are the connection methods. Options may be null.
	Remotes map[string]*RemoteConfig `json:"remotes"`
	// Databases are named by their files, relays by their schemas.
	Databases map[string]*DatabaseConfig `json:"databases"`
}

// RemoteConfig are the options of a connection method; what is nil has its
// default.
type RemoteConfig struct {
	InactivityProbe *int   `json:"inactivity-probe"` // milliseconds; 0: none
	MaxBackoff      *int   `json:"max-backoff"`      // milliseconds
	ReadOnly        bool   `json:"read-only"`
	Role            string `json:"role"`
	DSCP            *int   `json:"dscp"`
}

// DatabaseConfig is a database's service model.
type DatabaseConfig struct {
	// Model is "standalone", "clustered", "relay" or "active-backup"; empty is
	// whatever the file holds.
	Model string `json:"service-model"`
	// Source is where a relay or a backup connects: one connection method, or
	// for a relay several separated by commas, with its options.
	Source map[string]*RemoteConfig `json:"source"`
	// Backup says that a database of the active-backup model follows its source
	// now.
	Backup bool `json:"backup"`
	// ExcludeTables are those that a backup does not take over.
	ExcludeTables []string `json:"exclude-tables"`
}

// The service models.
const (
	modelStandalone   = "standalone"
	modelClustered    = "clustered"
	modelRelay        = "relay"
	modelActiveBackup = "active-backup"
)

// ReadConfig reads a configuration file and checks it.
func ReadConfig(name string) (*Config, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return ParseConfig(name, data)
}

// ParseConfig is ReadConfig of what a file of that name holds.
func ParseConfig(name string, data []byte) (*Config, error) {
	c := &Config{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		line := 1 + bytes.Count(data[:min(len(data), int(d.InputOffset()))], []byte("\n"))
		return nil, fmt.Errorf("%s: line %d: %w", name, line, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: text after the configuration's end", name)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// check finds what contradicts itself.
func (c *Config) check() error {
	for _, name := range slices.Sorted(maps.Keys(c.Remotes)) {
		r := c.Remotes[name]
		if strings.HasPrefix(name, "db:") && r != nil && *r != (RemoteConfig{}) {
			return fmt.Errorf("remotes: \"%s\": the options of remotes in a database are in the database", name)
		}
		if err := r.check(); err != nil {
			return fmt.Errorf("remotes: \"%s\": %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Databases)) {
		if c.Databases[name] == nil {
			c.Databases[name] = &DatabaseConfig{}
		}
		if err := c.Databases[name].check(name); err != nil {
			return fmt.Errorf("databases: \"%s\": %w", name, err)
		}
	}
	return nil
}

func (r *RemoteConfig) check() error {
	switch {
	case r == nil:
		return nil
	case r.DSCP != nil && (*r.DSCP < 0 || *r.DSCP > 63):
		return fmt.Errorf("dscp %d is not between 0 and 63", *r.DSCP)
	case r.InactivityProbe != nil && *r.InactivityProbe < 0:
		return fmt.Errorf("inactivity-probe %d is negative", *r.InactivityProbe)
	case r.MaxBackoff != nil && *r.MaxBackoff < 0:
		return fmt.Errorf("max-backoff %d is negative", *r.MaxBackoff)
	}
	return nil
}

func (d *DatabaseConfig) check(name string) error {
	switch d.Model {
	case "", modelStandalone:
		if d.Source != nil || d.Backup || d.ExcludeTables != nil {
			return fmt.Errorf("\"source\", \"backup\" and \"exclude-tables\" need the service-model \"%s\" or \"%s\"", modelActiveBackup, modelRelay)
		}
		return nil
	case modelClustered:
		return fmt.Errorf("service-model \"%s\" is not available yet (\"ovsdb-tool cluster-to-standalone\" makes a standalone database of a clustered one)", d.Model)
	case modelRelay:
		if !ovsdb.IsID(name) {
			return fmt.Errorf("a relay's name is that of its schema")
		}
		if d.Backup || d.ExcludeTables != nil {
			return fmt.Errorf("\"backup\" and \"exclude-tables\" need the service-model \"%s\"", modelActiveBackup)
		}
	case modelActiveBackup:
	default:
		return fmt.Errorf("unknown service-model \"%s\" (there are %s, %s, %s and %s)", d.Model,
			modelStandalone, modelClustered, modelRelay, modelActiveBackup)
	}
	if len(d.Source) != 1 {
		return fmt.Errorf("service-model \"%s\" needs a \"source\" with one connection method, not %d", d.Model, len(d.Source))
	}
	target, options := d.source()
	if err := options.check(); err != nil {
		return fmt.Errorf("source: \"%s\": %w", target, err)
	}
	return nil
}

// source returns the only source.
func (d *DatabaseConfig) source() (target string, options *RemoteConfig) {
	for target, options = range d.Source {
	}
	return target, options
}

// options returns what r says of a remote.
func (r *RemoteConfig) options() RemoteOptions {
	o := DefaultOptions
	if r == nil {
		return o
	}
	o.ReadOnly, o.Role = r.ReadOnly, r.Role
	o.Probe = r.probe(o.Probe)
	o.MaxBackoff = r.backoff()
	if r.DSCP != nil {
		o.DSCP = *r.DSCP
	}
	return o
}

// probe returns the inactivity probe's interval, or what is the default.
func (r *RemoteConfig) probe(otherwise time.Duration) time.Duration {
	if r == nil || r.InactivityProbe == nil {
		return otherwise
	}
	return time.Duration(*r.InactivityProbe) * time.Millisecond
}

// backoff returns the longest wait between attempts; 0 is the default.
func (r *RemoteConfig) backoff() time.Duration {
	if r == nil || r.MaxBackoff == nil {
		return 0
	}
	return time.Duration(*r.MaxBackoff) * time.Millisecond
}
