package ofctl

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"weir/internal/openflow"
)

// Commands on groups, meters, tables and the map of tunnel options.

func groupCmd(command openflow.GroupModCommand) func(*tool, []string) error {
	return func(t *tool, args []string) error {
		c := command
		if c == openflow.GroupModify && t.mayCreate {
			c = openflow.GroupAddOrMod
		}
		names := t.namesFor2(args[0])
		s := optArg(args, 1)
		if s == "-" {
			return t.groupFile(args[0], "-", int(c), names)
		}
		g, usable, err := openflow.ParseGroupMod(s, int(c), t.parseOptions(names))
		if err != nil {
			return err
		}
		return t.sendGroups(args[0], []openflow.Message{g}, usable)
	}
}

func addGroups(t *tool, args []string) error {
	return t.groupFile(args[0], args[1], -1, t.namesFor2(args[0]))
}

func (t *tool) groupFile(remote, file string, command int, names *openflow.Names) error {
	var in io.Reader = t.env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("%s: open failed (%s)", file, errText(err))
		}
		defer f.Close()
		in = f
	}
	var ms []openflow.Message
	usable := openflow.PAny
	err := eachLine(in, func(n int, line string) error {
		g, u, err := openflow.ParseGroupMod(line, command, t.parseOptions(names))
		if err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
		usable &= u
		ms = append(ms, g)
		return nil
	})
	if err != nil {
		return err
	}
	return t.sendGroups(remote, ms, usable)
}

func (t *tool) sendGroups(remote string, ms []openflow.Message, usable openflow.Protocol) error {
	if t.bundle {
		usable &= openflow.P13 | openflow.P14 | openflow.P15
	}
	for _, m := range ms {
		if g, ok := m.(*openflow.GroupMod); ok && g.Command == openflow.GroupInsertBucket && t.allowed&(openflow.PAny10|openflow.P15) == 0 {
			return fmt.Errorf("insert-bucket needs OpenFlow 1.5 or later ('-O OpenFlow15')")
		}
	}
	v, err := t.openForFlows(remote, usable)
	if err != nil {
		return err
	}
	defer v.close()
	for _, m := range ms {
		if g, ok := m.(*openflow.GroupMod); ok && g.LeftOut(v.version) != "" {
			fmt.Fprintf(t.env.Stderr, "ovs-ofctl: group %d: OpenFlow %s has no %s, which is left out (use '-O OpenFlow15')\n",
				g.ID, v.version.Dotted(), g.LeftOut(v.version))
		}
	}
	if t.bundle {
		return v.bundle(ms)
	}
	return v.mustNoReply(ms...)
}

func groupID(s string) (uint32, error) {
	if s == "" || strings.EqualFold(s, "all") {
		return openflow.GroupAll, nil
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: invalid group_id", s)
	}
	return uint32(n), nil
}

func dumpGroups(t *tool, args []string) error {
	id, err := groupID(optArg(args, 1))
	if err != nil {
		return err
	}
	return t.with(args[0], func(v *conn) error { return v.dumpStats(&openflow.GroupDescRequest{ID: id}) })
}

func dumpGroupStats(t *tool, args []string) error {
	s := optArg(args, 1)
	for _, kv := range openflow.SplitKeyValues(s) {
		if kv.Key == "group_id" {
			s = kv.Value
		}
	}
	id, err := groupID(s)
	if err != nil {
		return err
	}
	return t.with(args[0], func(v *conn) error { return v.dumpStats(&openflow.GroupStatsRequest{ID: id}) })
}

func meterCmd(command openflow.MeterModCommand) func(*tool, []string) error {
	return func(t *tool, args []string) error {
		m := &openflow.MeterMod{Command: command, Meter: openflow.MeterConfig{ID: openflow.MeterAll}}
		if len(args) > 1 {
			var err error
			if m, err = openflow.ParseMeterMod(args[1], command); err != nil {
				return err
			}
		}
		v, err := t.openForFlows(args[0], openflow.P13|openflow.P14|openflow.P15)
		if err != nil {
			return err
		}
		defer v.close()
		return v.mustNoReply(m)
	}
}

func meterRequest(make func(id uint32) openflow.Message) func(*tool, []string) error {
	return func(t *tool, args []string) error {
		id := uint32(openflow.MeterAll)
		if len(args) > 1 {
			s := strings.TrimPrefix(args[1], "meter=")
			var err error
			if id, err = openflow.ParseMeterID(s, true); err != nil {
				return err
			}
		}
		v, err := t.openForFlows(args[0], openflow.P13|openflow.P14|openflow.P15)
		if err != nil {
			return err
		}
		defer v.close()
		return v.dumpStats(make(id))
	}
}

// vacancyRange reads "DOWN,UP", percentages of a table's free entries.
func vacancyRange(s string) (down, up uint8, err error) {
	first, second, ok := strings.Cut(s, ",")
	for _, part := range []struct {
		name, text string
		missing    bool
		value      *uint8
	}{{"down", first, first == "", &down}, {"up", second, !ok || second == "", &up}} {
		if part.missing {
			return 0, 0, fmt.Errorf("Vacancy %s value missing", part.name)
		}
		n, err := strconv.ParseUint(part.text, 0, 8)
		if err != nil || n > 100 {
			return 0, 0, fmt.Errorf("Invalid vacancy %s value %q", part.name, part.text)
		}
		*part.value = uint8(n)
	}
	if up < down {
		return 0, 0, fmt.Errorf("Invalid vacancy range, vacancy up should be greater than vacancy down (%s)", openflow.ErrBPCBadValue)
	}
	return down, up, nil
}

// tableSetting puts a setting of mod-table into a message, and returns the versions
// of OpenFlow that have it.
func tableSetting(m *openflow.TableMod, arg string) (openflow.VersionSet, error) {
	versions := openflow.Versions(openflow.V14, openflow.V15)
	setting, rest, _ := strings.Cut(arg, ":")
	switch setting {
	case "controller", "continue", "drop":
		m.Miss = map[string]openflow.TableMiss{
			"controller": openflow.MissController, "continue": openflow.MissContinue, "drop": openflow.MissDrop,
		}[setting]
		versions = openflow.Versions(openflow.V11, openflow.V12)
	case "evict":
		m.Eviction = 1
	case "noevict":
		m.Eviction = 0
	case "vacancy":
		var err error
		if m.VacancyDown, m.VacancyUp, err = vacancyRange(rest); err != nil {
			return 0, err
		}
		m.Vacancy = 1
	case "novacancy":
		m.Vacancy = 0
	default:
		return 0, fmt.Errorf("invalid table_mod setting %s", arg)
	}
	return versions, nil
}

func modTable(t *tool, args []string) error {
	m := &openflow.TableMod{Eviction: -1, EvictionFlags: ^uint32(0), Vacancy: -1}
	if strings.EqualFold(args[1], "all") {
		m.TableID = openflow.TableAny
	} else {
		id, err := t.tableArg(args[0], args[1])
		if err != nil {
			return err
		}
		m.TableID = id
	}
	if setting, name, _ := strings.Cut(args[2], ":"); setting == "name" {
		return t.nameTable(args[0], m.TableID, args[2], name)
	}
	versions, err := tableSetting(m, args[2])
	if err != nil {
		return err
	}
	if t.versions&versions == 0 {
		return fmt.Errorf("table_mod '%s' requires one of the OpenFlow versions %s", args[2], versionNames(versions))
	}
	t.versions &= versions
	return t.with(args[0], func(v *conn) error {
		if v.version < openflow.V14 {
			return v.mustNoReply(m)
		}
		return v.modTables(m)
	})
}

// modTables sends a modification to a table or to each, and keeps what a table
// has and the modification doesn't say.
func (v *conn) modTables(m *openflow.TableMod) error {
	b, err := v.transact(&openflow.TableDescRequest{})
	if err != nil {
		return err
	}
	r, _, err := decode[*openflow.TableDescReply](v, b)
	if err != nil {
		return err
	}
	var all []openflow.Message
	for _, d := range r.Tables {
		if m.TableID != openflow.TableAny && d.TableID != m.TableID {
			continue
		}
		one := *m
		one.TableID = d.TableID
		if m.Eviction < 0 {
			one.Eviction = d.Eviction
		}
		if m.Vacancy < 0 {
			one.Vacancy, one.VacancyDown, one.VacancyUp = d.Vacancy, d.VacancyDown, d.VacancyUp
		}
		all = append(all, &one)
	}
	if all == nil {
		all = append(all, m) // the switch is to say what is wrong
	}
	return v.mustNoReply(all...)
}

func tlvCmd(command openflow.TLVCommand) func(*tool, []string) error {
	return func(t *tool, args []string) error {
		m := &openflow.TLVTableMod{Command: openflow.TLVClear}
		if len(args) > 1 {
			var err error
			if m, err = openflow.ParseTLVMaps(args[1], command); err != nil {
				return err
			}
		}
		v, err := t.openForFlows(args[0], openflow.PAny&^(openflow.P10|openflow.P10TID)) // that can tell tun_metadata fields
		if err != nil {
			return err
		}
		defer v.close()
		return v.mustNoReply(m)
	}
}

func dumpTLVMap(t *tool, args []string) error {
	return t.with(args[0], func(v *conn) error { return v.dumpOne(&openflow.TLVTableRequest{}) })
}
