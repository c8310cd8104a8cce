package vswitchd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"weir/internal/netdev"
	"weir/internal/netdev/tunnelport"
	"weir/internal/ofproto"
	"weir/internal/openflow"
	"weir/internal/vlog"
)

var addressRL vlog.RateLimit

// port is an actual port of a bridge.
type port struct {
	conf    *PortConf
	bridge  *bridge
	ifaces  map[string]*iface
	bundled bool // the bridge has its bundle
	address address
}

// iface is an interface of an actual port. Without a device it failed, and
// err says why.
type iface struct {
	conf    *InterfaceConf
	port    *port
	dev     netdev.Device
	ofport  openflow.PortNo // where dev isn't nil
	err     string
	changes uint64 // dev.Changes when last looked at
	mtu     int    // counted in bridge.mtus; 0: not counted
}

// configurePort brings a port and its interfaces to what is wanted.
func (s *Switch) configurePort(b *bridge, conf *PortConf) {
	p := s.ports[conf.UUID]
	if p == nil {
		p = &port{bridge: b, ifaces: map[string]*iface{}}
		s.ports[conf.UUID] = p
		b.ports[conf.UUID] = p
	}
	p.conf, p.address.known = conf, false
	s.report("port "+conf.Name, conf.Notes)
	s.writer.port(p)
	for name, i := range p.ifaces {
		if !slices.ContainsFunc(conf.Interfaces, func(c *InterfaceConf) bool { return c.Name == name && c.UUID == i.conf.UUID }) {
			s.deleteInterface(i)
		}
	}
	for _, c := range conf.Interfaces {
		s.configureInterface(p, c)
	}
	s.configureBundle(p)
}

func (s *Switch) deletePort(p *port) {
	for _, i := range p.ifaces {
		s.deleteInterface(i)
	}
	if p.bundled {
		p.bridge.obj.DelBundle(p.conf.Name)
	}
	delete(p.bridge.ports, p.conf.UUID)
	delete(s.ports, p.conf.UUID)
}

// configureBundle makes the bridge treat the port's interfaces as its row says.
func (s *Switch) configureBundle(p *port) {
	c := ofproto.BundleConfig{
		Name: p.conf.Name, VLANMode: p.conf.VLANMode, VLAN: p.conf.Tag,
		Trunks: vlans(p.conf.Trunks), CVLANs: vlans(p.conf.CVLANs),
		QinQEthType: 0x88a8, PriorityTags: priorityTags(p.conf.Priority), Protected: p.conf.Protected,
		QueueDSCP: p.conf.QueueDSCP,
	}
	if p.conf.QinQEthType == "802.1q" {
		c.QinQEthType = 0x8100
	}
	for _, i := range p.ifaces {
		if i.dev != nil {
			c.Ports = append(c.Ports, i.ofport)
		}
	}
	slices.Sort(c.Ports)
	if len(c.Ports) == 0 || p.conf.Bond {
		if p.bundled {
			p.bridge.obj.DelBundle(p.conf.Name)
			p.bundled = false
		}
		return
	}
	if err := p.bridge.obj.SetBundle(c); err != nil {
		log.Warn("port %s: %v", p.conf.Name, err)
		return
	}
	p.bundled = true
}

func vlans(ids []int64) []uint16 {
	var out []uint16
	for _, v := range ids {
		out = append(out, uint16(v))
	}
	return out
}

func priorityTags(text string) ofproto.PriorityTags {
	switch text {
	case "always":
		return ofproto.PriorityTagsAlways
	case "if-nonzero", "true":
		return ofproto.PriorityTagsIfNonZero
	}
	return ofproto.PriorityTagsNever
}

// configureInterface makes, changes or makes anew an interface.
func (s *Switch) configureInterface(p *port, conf *InterfaceConf) {
	s.report("interface "+conf.Name, conf.Notes)
	i := p.ifaces[conf.Name]
	if i == nil {
		i = &iface{conf: conf, port: p}
		p.ifaces[conf.Name] = i
		s.ifaces[conf.Name] = i
		s.openInterface(i)
		return
	}
	was := i.conf
	i.conf = conf
	br := p.bridge.conf.Name
	switch {
	case i.dev == nil:
		s.openInterface(i)
	case was.EffectiveType(br) != conf.EffectiveType(br), s.wantsOtherNumber(i):
		s.closeInterface(i)
		s.openInterface(i)
	default:
		err := setOptions(i.dev, conf.Options)
		if errors.Is(err, tunnelport.ErrReopen) {
			s.closeInterface(i)
			s.openInterface(i)
			break
		}
		if err != nil {
			s.closeInterface(i)
			s.failInterface(i, optionError(conf.Name, err))
			return
		}
		i.tune()
		s.adjustDevice(i)
		if c := s.portConfig(i, 0); c.Peer != "" {
			_ = p.bridge.obj.SetPeer(i.ofport, c.Peer)
		}
		p.bridge.obj.Refresh()
	}
	s.writer.iface(i)
}

// wantsOtherNumber reports whether an interface asks for a number that it
// hasn't got, and that no other interface has by its own request.
func (s *Switch) wantsOtherNumber(i *iface) bool {
	want := openflow.PortNo(i.conf.OfportRequest)
	if want == 0 || want == i.ofport || i.ofport == openflow.PortLocal {
		return false
	}
	holder := i.port.bridge.ofports[want]
	return holder == nil || s.requestOf(holder) != want
}

// requestOf is the number that an interface asks for in the configuration that
// is being applied, which may not have come to the interface yet.
func (s *Switch) requestOf(i *iface) openflow.PortNo {
	if p := s.desired.Ports[i.port.conf.UUID]; p != nil {
		for _, c := range p.Interfaces {
			if c.UUID == i.conf.UUID {
				return openflow.PortNo(c.OfportRequest)
			}
		}
	}
	return openflow.PortNo(i.conf.OfportRequest)
}

func (s *Switch) deleteInterface(i *iface) {
	s.closeInterface(i)
	delete(i.port.ifaces, i.conf.Name)
	if s.ifaces[i.conf.Name] == i {
		delete(s.ifaces, i.conf.Name)
	}
	delete(s.failed, i)
	s.writer.gone(i)
}

// closeInterface takes the interface's device out of the bridge.
func (s *Switch) closeInterface(i *iface) {
	if i.dev == nil {
		return
	}
	b := i.port.bridge
	if err := b.obj.DelPort(i.ofport); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("bridge %s: removing interface %s: %v", b.conf.Name, i.conf.Name, err)
	}
	if err := i.dev.Close(); err != nil {
		log.Warn("interface %s: closing its device: %v", i.conf.Name, err)
	}
	log.Info("bridge %s: deleted interface %s on port %d", b.conf.Name, i.conf.Name, shortNumber(i.ofport))
	if b.countMTU(i, 0) {
		b.lowerMTUs()
	}
	s.deviceMoved(i)
	delete(b.ofports, i.ofport)
	if s.patches[i.conf.Name] == i {
		delete(s.patches, i.conf.Name)
	}
	if s.reach != nil {
		s.reach.Neighbours.Flush(i.conf.Name)
	}
	i.dev = nil
}

// shortNumber is a number as OpenFlow 1.0 and the database have it: the local
// port is 65534.
func shortNumber(no openflow.PortNo) uint16 { return uint16(no) }

// failInterface records why an interface can't be used.
func (s *Switch) failInterface(i *iface, text string) {
	i.err = text
	s.failed[i] = true
	s.writer.iface(i)
}

func optionError(name string, err error) string { return fmt.Sprintf("%s: %v", name, err) }

func setOptions(dev netdev.Device, options map[string]string) error {
	if c, ok := dev.(netdev.Configurer); ok {
		return c.SetOptions(options)
	}
	return nil
}

// openInterface opens the device of an interface and adds it to the bridge.
func (s *Switch) openInterface(i *iface) {
	b := i.port.bridge
	name, typ := i.conf.Name, i.conf.EffectiveType(b.conf.Name)
	if i.port.conf.Bond {
		s.failInterface(i, fmt.Sprintf("port %s: bonds are not supported yet", i.port.conf.Name))
		return
	}
	dev, err := b.backend.devices.Open(name, typ, i.conf.Options)
	if err != nil {
		s.failInterface(i, openError(i, typ, err))
		return
	}
	request := s.freeNumber(i)
	i.dev = dev
	no, err := b.obj.AddPort(s.portConfig(i, request))
	if err != nil {
		i.dev = nil
		_ = dev.Close()
		text := fmt.Sprintf("could not add network device %s to ofproto (%s)", name, addError(err))
		if i.err != text {
			log.Warn("%s", text)
		}
		s.failInterface(i, text)
		return
	}
	i.ofport, i.err = no, ""
	b.ofports[no] = i
	delete(s.failed, i)
	if typ == "patch" {
		s.patches[name] = i
	}
	log.Info("bridge %s: added interface %s on port %d", b.conf.Name, name, shortNumber(no))
	i.tune()
	s.adjustDevice(i)
	s.deviceMoved(i)
	s.writer.iface(i)
}

// addError is the part of an error that users are told who know which port it
// is about.
func addError(err error) string {
	if errors.Is(err, fs.ErrExist) {
		return vlog.Strerror(syscall.EEXIST)
	}
	return vlog.ErrText(err)
}

// tune gives the data path the settings of the interface that are its own.
func (i *iface) tune() {
	if p, ok := i.port.bridge.backend.Backend.(*provider); ok && i.dev.Type() != "patch" {
		p.tunePort(i.dev.Name(), i.conf.OtherConfig)
	}
}

// openError is the text for the error column, which it logs when it is new.
func openError(i *iface, typ string, err error) string {
	name := i.conf.Name
	var errno syscall.Errno
	unknown := errors.Is(err, netdev.ErrUnknownType)
	switch {
	case unknown:
		errno = syscall.EAFNOSUPPORT
	case !errors.As(err, &errno):
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
			err = inner
		}
		text := optionError(name, err)
		if i.err != text {
			log.Warn("%s", text)
		}
		return text
	}
	text := fmt.Sprintf("could not open network device %s (%s)", name, vlog.Strerror(errno))
	if i.err != text {
		if unknown {
			vlog.For("netdev").Warn("could not create netdev %s of unknown type %s", name, typ)
		}
		log.Warn("%s", text)
	}
	return text
}

// freeNumber chooses the OpenFlow number to ask for, and takes it from an
// interface that has it without having asked for it.
func (s *Switch) freeNumber(i *iface) openflow.PortNo {
	b := i.port.bridge
	if i.conf.Name == b.conf.Name {
		return openflow.PortLocal
	}
	want := openflow.PortNo(i.conf.OfportRequest)
	if want == 0 {
		if was := i.conf.Ofport; was > 0 && openflow.PortNo(was) < maxOfport {
			return openflow.PortNo(was)
		}
		return 0
	}
	holder := b.ofports[want]
	if holder != nil && holder != i && s.requestOf(holder) != want {
		s.closeInterface(holder)
		holder.conf.Ofport = 0
		s.failed[holder] = true
		s.retry = append(s.retry, holder) // at the end of the run
		s.configureBundle(holder.port)
	}
	return want
}

func (s *Switch) portConfig(i *iface, request openflow.PortNo) ofproto.PortConfig {
	typ := i.conf.EffectiveType(i.port.bridge.conf.Name)
	c := ofproto.PortConfig{Name: i.conf.Name, Type: typ, Device: i.dev, Request: request}
	if typ == "patch" {
		c.Peer = i.conf.Options["peer"]
	}
	return c
}

// adjustDevice sets the address and the MTU that the row asks for.
func (s *Switch) adjustDevice(i *iface) {
	b := i.port.bridge
	internal := i.conf.EffectiveType(b.conf.Name) == "internal"
	if m, ok := parseMAC(i.conf.MAC); ok && internal && i.ofport != openflow.PortLocal && i.dev.MAC() != m {
		if m.IsMulticast() {
			log.Err("interface %s: cannot set MAC to multicast address", i.conf.Name)
		} else if err := i.dev.SetMAC(m); err != nil {
			log.Err("interface %s: setting MAC failed (%s)", i.conf.Name, vlog.ErrText(err))
		} else {
			b.obj.Refresh()
		}
	}
	if want := int(i.conf.MTURequest); want > 0 && i.dev.MTU() != want {
		if err := i.dev.SetMTU(want); err != nil {
			log.WarnRL(&addressRL, "interface %s: setting MTU %d failed (%s)", i.conf.Name, want, vlog.ErrText(err))
		}
	}
	s.followMTU(i)
}

// checkPatches says in the error column which patch ports lead nowhere.
func (s *Switch) checkPatches() {
	for name, i := range s.patches {
		peer := s.patches[i.conf.Options["peer"]]
		be := i.port.bridge.backend
		text := ""
		if peer == nil || peer.conf.Options["peer"] != name || peer.port.bridge.backend != be {
			text = fmt.Sprintf("No usable peer '%s' exists in '%s' datapath.", i.conf.Options["peer"], be.typ)
		}
		if i.err != text {
			i.err = text
			s.writer.iface(i)
		}
	}
}
