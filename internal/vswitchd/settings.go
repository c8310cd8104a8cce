package vswitchd

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"weir/internal/datapath/userspace"
	"weir/internal/netdev/linux"
	"weir/internal/numa"
	"weir/internal/ovsdb"
	"weir/internal/ovsdb/client"
)

// setting is what this version makes of a column, or of a key of a map column.
// Together these say of everything in ovs-vswitchd.conf.db(5) whether it works:
// nothing that is configured may be passed over in silence.
type setting struct {
	column, key string
	values      func(string) string // of a key: what is wrong with a value; nil: nothing ever is
	is          bearing
	why         string // of lacks: a sentence; of follows: another setting; of elsewhere: whose it is
}

// tableSettings are the settings of one table, in the order of its columns.
type tableSettings struct {
	table string
	list  []setting
}

// bearing is what a setting has to say to this version.
type bearing uint8

const (
	works     bearing = iota
	lacks             // asks for what isn't there yet; why says what happens instead
	moot              // needs no setting here; why says why not
	follows           // belongs to another setting, which is the one that is lacking
	elsewhere         // other programs use it
)

// note is what the status of a row says of its configuration.
type note struct {
	kind string // notSupportedNote or invalidNote
	text string
}

// Kinds of notes: the keys of a status column that they stand under, before their numbers.
const (
	notSupportedNote = "not_supported"
	invalidNote      = "invalid"
)

func lack(text string) note { return note{notSupportedNote, text} }

func invalid(format string, args ...any) note {
	return note{invalidNote, fmt.Sprintf(format, args...)}
}

const (
	minInt = math.MinInt64
	maxInt = math.MaxInt64
)

// between checks an integer.
func between(min, max int64) func(string) string {
	return func(s string) string {
		n, err := strconv.ParseInt(s, 10, 64)
		switch {
		case err == nil && n >= min && n <= max:
			return ""
		case min == minInt:
			return "is not an integer"
		case max == maxInt:
			return fmt.Sprintf("is not an integer of at least %d", min)
		}
		return fmt.Sprintf("is not an integer from %d to %d", min, max)
	}
}

// coreMask checks a mask of cores.
func coreMask(s string) string {
	if _, err := new(numa.Topology).Select(s); err != nil {
		return "is not a mask of cores in hexadecimal digits"
	}
	return ""
}

// affinity checks a list of receive queues with their cores.
func affinity(s string) string {
	if _, err := userspace.ParseAffinity(s); err != nil {
		return "is not a list of QUEUE:CORE"
	}
	return ""
}

// cpuList checks a list of CPUs.
func cpuList(s string) string {
	if _, err := linux.ParseCPUs(s); err != nil {
		return "is not a list of CPUs such as 0-3,6"
	}
	return ""
}

// oneOf checks a choice.
func oneOf(choices ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(choices, s) {
			return ""
		}
		return "is not one of " + strings.Join(choices, ", ")
	}
}

// boolean checks a truth value.
func boolean(s string) string { return oneOf("true", "false")(strings.ToLower(s)) }

// settingsOf are the settings of a table.
func settingsOf(table string) []setting {
	for _, all := range [][]tableSettings{settingsOfBridges, settingsOfParts} {
		for i := range all {
			if all[i].table == table {
				return all[i].list
			}
		}
	}
	return nil
}

// notes lists what a row asks for in vain.
func notes(r *client.Row) []note {
	var out []note
	list := settingsOf(r.Table().Name)
	for i := range list {
		s := &list[i]
		if d, ok := r.Get(s.column); ok && d.Len() > 0 {
			out = s.note(d, out)
		}
	}
	return out
}

// note adds what is to be said of a column that isn't empty.
func (s *setting) note(d ovsdb.Datum, out []note) []note {
	if s.key == "" {
		if s.is == lacks && !off(d) && !slices.Contains(out, lack(s.why)) {
			out = append(out, lack(s.why))
		}
		return out
	}
	value, ok := d.Get(ovsdb.StringAtom(s.key))
	if !ok {
		return out
	}
	text := value.String()
	if value.Type() == ovsdb.String {
		text = value.Str()
	}
	switch {
	case s.values != nil && s.values(text) != "":
		return append(out, invalid("%s:%s: %q %s: it is ignored", s.column, s.key, text, s.values(text)))
	case s.is == lacks && text != "false" && text != "none" && !slices.Contains(out, lack(s.why)):
		return append(out, lack(s.why))
	case s.is == moot:
		return append(out, lack(fmt.Sprintf("%s:%s has no effect: %s", s.column, s.key, s.why)))
	}
	return out
}

// off reports whether a column holds what means that nothing is asked for.
func off(d ovsdb.Datum) bool {
	if d.IsMap() || d.Len() != 1 || d.KeyType() == ovsdb.UUIDType {
		return false
	}
	a := d.Key(0)
	return a.IsDefault() || a.Type() == ovsdb.String && a.Str() == "off"
}
