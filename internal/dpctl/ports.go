package dpctl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"weir/internal/datapath"
	"weir/internal/netdev"
)

// show prints all data paths, or those named.
func (l *call) show() error {
	dps := l.List()
	if len(l.args) > 0 {
		dps = nil
		for _, name := range l.args {
			d := l.find(name)
			if d == nil {
				return failed(l.missing(name), "opening datapath %s failed", name)
			}
			dps = append(dps, d)
		}
	}
	docs := []dpDocument{}
	for _, d := range dps {
		docs = append(docs, l.showOne(d))
	}
	l.doc = docs
	return nil
}

// dpDocument is a data path as dpctl/show tells it for JSON.
type dpDocument struct {
	Name   string         `json:"name"`
	Hit    uint64         `json:"hit"`
	Missed uint64         `json:"missed"`
	Lost   uint64         `json:"lost"`
	Flows  uint64         `json:"flows"`
	Masks  uint32         `json:"masks"`
	Ports  []portDocument `json:"ports"`
}

type portDocument struct {
	No    datapath.PortNo `json:"port"`
	Name  string          `json:"name"`
	Type  string          `json:"type"`
	Stats map[string]any  `json:"statistics,omitempty"` // null is unknown
}

// documentPort is what a device counts, for JSON.
func documentPort(s *netdev.Stats) map[string]any {
	doc := map[string]any{}
	for name, n := range map[string]uint64{
		"rx_packets": s.RxPackets, "tx_packets": s.TxPackets, "rx_bytes": s.RxBytes, "tx_bytes": s.TxBytes, "rx_errors": s.RxErrors, "tx_errors": s.TxErrors,
		"rx_dropped": s.RxDropped, "tx_dropped": s.TxDropped, "multicast": s.Multicast, "collisions": s.Collisions,
		"rx_over_err": s.RxOverErr, "rx_crc_err": s.RxCRCErr, "rx_frame_err": s.RxFrameErr, "rx_missed_errors": s.RxMissedErrors,
	} {
		if doc[name] = n; n == ^uint64(0) {
			doc[name] = nil
		}
	}
	return doc
}

func (l *call) showOne(d datapath.Datapath) dpDocument {
	s := d.Stats()
	doc := dpDocument{Name: fullName(d), Hit: s.Hit, Missed: s.Missed, Lost: s.Lost, Flows: s.Flows, Masks: s.Masks, Ports: []portDocument{}}
	fmt.Fprintf(&l.out, "%s:\n  lookups: hit:%d missed:%d lost:%d\n  flows: %d\n", fullName(d), s.Hit, s.Missed, s.Lost, s.Flows)
	for _, p := range d.Ports() {
		fmt.Fprintf(&l.out, "  port %d: %s%s\n", p.No, p.Name, deviceText(p.Device))
		port := portDocument{No: p.No, Name: p.Name, Type: p.Device.Type()}
		if l.stats {
			l.portStats(p.Device)
			if st, err := p.Device.Stats(); err == nil {
				port.Stats = documentPort(&st)
			}
		}
		doc.Ports = append(doc.Ports, port)
	}
	return doc
}

// deviceText is the type and options of a device in parentheses.
func deviceText(dev netdev.Device) string {
	var options string
	if c, ok := dev.(netdev.Configurer); ok {
		o := c.Options()
		for i, name := range slices.Sorted(maps.Keys(o)) {
			sep := ", "
			if i == 0 {
				sep = ": "
			}
			options += sep + name + "=" + o[name]
		}
	}
	if dev.Type() == "system" && options == "" {
		return ""
	}
	return " (" + dev.Type() + options + ")"
}

// counter is a number, or "?" where a device doesn't count.
func counter(v uint64) string {
	if v == ^uint64(0) {
		return "?"
	}
	return strconv.FormatUint(v, 10)
}

// human adds a rounded size to large numbers of bytes.
func human(v uint64) string {
	if v == ^uint64(0) {
		return "?"
	}
	s := strconv.FormatUint(v, 10)
	for _, u := range []struct {
		shift uint
		name  string
	}{{40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if v>>u.shift >= 1 {
			return fmt.Sprintf("%s (%.1f %s)", s, float64(v)/float64(uint64(1)<<u.shift), u.name)
		}
	}
	return s
}

func (l *call) portStats(dev netdev.Device) {
	s, err := dev.Stats()
	if err != nil {
		fmt.Fprintf(&l.out, ", could not retrieve stats (%s)", reason(err))
		return
	}
	fmt.Fprintf(&l.out, "    RX packets:%s errors:%s dropped:%s overruns:%s frame:%s\n",
		counter(s.RxPackets), counter(s.RxErrors), counter(s.RxDropped), counter(s.RxOverErr), counter(s.RxFrameErr))
	fmt.Fprintf(&l.out, "    TX packets:%s errors:%s dropped:%s aborted:? carrier:?\n",
		counter(s.TxPackets), counter(s.TxErrors), counter(s.TxDropped))
	fmt.Fprintf(&l.out, "    collisions:%s\n", counter(s.Collisions))
	fmt.Fprintf(&l.out, "    RX bytes:%s  TX bytes:%s\n", human(s.RxBytes), human(s.TxBytes))
}

func splitDPName(name string) (typ, rest string) {
	if typ, rest, ok := strings.Cut(name, "@"); ok {
		return typ, rest
	}
	return "system", name
}

func (l *call) addDP() error {
	if l.Create == nil {
		return failed(syscall.EOPNOTSUPP, "add_dp")
	}
	if l.find(l.args[0]) != nil {
		return failed(syscall.EEXIST, "add_dp")
	}
	if err := l.Create(splitDPName(l.args[0])); err != nil {
		return failed(err, "add_dp")
	}
	if len(l.args) > 1 {
		return l.addIf()
	}
	return nil
}

func (l *call) delDP() error {
	if l.find(l.args[0]) == nil {
		return failed(l.missing(l.args[0]), "opening datapath")
	}
	if l.Remove == nil {
		return failed(syscall.EOPNOTSUPP, "del_dp")
	}
	if err := l.Remove(splitDPName(l.args[0])); err != nil {
		return failed(err, "del_dp")
	}
	return nil
}

// named is the data path that the first argument of a port command names.
func (l *call) named() (datapath.Datapath, error) {
	d := l.find(l.args[0])
	if d == nil {
		return nil, failed(l.missing(l.args[0]), "opening datapath")
	}
	return d, nil
}

// iface is NAME[,OPTION=VALUE...] of add-if.
type iface struct {
	name, typ string
	no        datapath.PortNo
	options   map[string]string
}

func parseIface(s string) (*iface, error) {
	parts := strings.Split(s, ",")
	i := &iface{name: parts[0], no: datapath.PortNone, options: map[string]string{}}
	for _, o := range parts[1:] {
		key, value, ok := strings.Cut(o, "=")
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: suboption \"%s\" missing value", s, key)
		case key == "type":
			i.typ = value
		case key == "port_no":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is not a port number", s, value)
			}
			i.no = datapath.PortNo(n)
		default:
			i.options[key] = value
		}
	}
	return i, nil
}

// addIf attaches devices; it goes on after one that fails and reports all.
func (l *call) addIf() error {
	d, err := l.named()
	if err != nil {
		return err
	}
	var errs []string
	for _, arg := range l.args[1:] {
		if err := l.addOne(d, arg); err != nil {
			errs = append(errs, err.Error())
		}
	}
	if errs != nil {
		return errors.New(strings.Join(errs, "\n"+l.Program+": "))
	}
	return nil
}

func (l *call) addOne(d datapath.Datapath, arg string) error {
	i, err := parseIface(arg)
	if err != nil {
		return err
	}
	if i.typ == "" {
		i.typ = "system"
	}
	dev, err := l.Devices.Open(i.name, d.PortOpenType(i.typ), i.options)
	if err != nil {
		return failed(err, "%s: failed to open network device", i.name)
	}
	if _, err := d.PortAdd(dev, i.typ, i.no); err != nil {
		_ = dev.Close()
		return failed(err, "adding %s to %s failed", i.name, fullName(d))
	}
	return nil
}

func (l *call) delIf() error {
	d, err := l.named()
	if err != nil {
		return err
	}
	for _, arg := range l.args[1:] {
		p, ok := findPort(d, arg)
		if !ok {
			return fmt.Errorf("no port named %s", arg)
		}
		if err := d.PortDel(p.No); err != nil {
			return failed(err, "deleting port %s from %s failed", arg, l.args[0])
		}
		_ = p.Device.Close()
	}
	return nil
}

func findPort(d datapath.Datapath, name string) (datapath.Port, bool) {
	no, err := strconv.ParseUint(name, 10, 32)
	for _, p := range d.Ports() {
		if p.Name == name || err == nil && uint64(p.No) == no {
			return p, true
		}
	}
	return datapath.Port{}, false
}

func (l *call) setIf() error {
	d, err := l.named()
	if err != nil {
		return err
	}
	for _, arg := range l.args[1:] {
		i, err := parseIface(arg)
		if err != nil {
			return err
		}
		p, ok := findPort(d, i.name)
		if !ok {
			return failed(syscall.ENODEV, "%s: failed to query port in %s", i.name, l.args[0])
		}
		if i.no != datapath.PortNone && i.no != p.No {
			return fmt.Errorf("%s: can't change port number from %d to %d", i.name, p.No, i.no)
		}
		if i.typ != "" && i.typ != p.Type {
			return fmt.Errorf("%s: can't change type from %s to %s", i.name, p.Type, i.typ)
		}
		c, ok := p.Device.(netdev.Configurer)
		if !ok && len(i.options) > 0 {
			return fmt.Errorf("%s: a device of type %s has no options", i.name, p.Type)
		}
		if ok {
			if err := c.SetOptions(i.options); err != nil {
				return failed(err, "%s: failed to configure network device", i.name)
			}
		}
	}
	return nil
}
