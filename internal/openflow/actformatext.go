package openflow

import (
	"fmt"
	"strings"

	"weir/internal/flow"
)

// Text of the actions of Open vSwitch that hold more than a value or two.

func formatBig(a Action, names *Names) string {
	switch a := a.(type) {
	case *Learn:
		return formatLearn(a, names)
	case *CT:
		return formatCT(a, names)
	case *NAT:
		return formatNAT(a)
	case *Clone:
		return "clone(" + nestedText(a.Actions, names) + ")"
	case *WriteActions:
		return "write_actions(" + FormatActions(a.Actions, names) + ")"
	case *Sample:
		return formatSample(a, names)
	case *Encap:
		return formatEncap(a)
	case *UnrollXlate:
		return fmt.Sprintf("unroll_xlate(table=%d, cookie=%d)", a.Table, a.Cookie)
	case *Decap:
		if a.NewPacketType == PacketTypeUseNext {
			return "decap()"
		}
		return fmt.Sprintf("decap(packet_type(ns=%d,type=%s))", a.NewPacketType>>16, hex64(uint64(a.NewPacketType&0xffff)))
	}
	return ""
}

func nestedText(as []Action, names *Names) string {
	return string(appendList(nil, as, names))
}

func formatLearn(l *Learn, names *Names) string {
	args := []string{"table=" + names.table(l.TableID)}
	add := func(format string, v ...any) { args = append(args, fmt.Sprintf(format, v...)) }
	for _, t := range []struct {
		name string
		v    uint16
	}{
		{"idle_timeout", l.IdleTimeout}, {"hard_timeout", l.HardTimeout},
		{"fin_idle_timeout", l.FinIdleTimeout}, {"fin_hard_timeout", l.FinHardTimeout},
	} {
		if t.v != 0 {
			add("%s=%d", t.name, t.v)
		}
	}
	if l.Priority != flow.DefaultPriority {
		add("priority=%d", l.Priority)
	}
	if l.Flags&LearnSendFlowRem != 0 {
		add("send_flow_rem")
	}
	if l.Flags&LearnDeleteLearned != 0 {
		add("delete_learned")
	}
	if l.Cookie != 0 {
		add("cookie=%s", hex64(l.Cookie))
	}
	if l.Limit != 0 {
		add("limit=%d", l.Limit)
	}
	if l.Flags&LearnWriteResult != 0 {
		add("result_dst=%s", l.ResultDst)
	}
	for i := range l.Specs {
		args = append(args, l.Specs[i].text(names))
	}
	return "learn(" + strings.Join(args, ",") + ")"
}

func (s *LearnSpec) text(names *Names) string {
	switch {
	case s.Dst == LearnMatch && s.FromImm:
		if s.DstSub.Ofs == 0 && int(s.DstSub.N) == s.DstSub.Field.NBits {
			f := s.DstSub.Field
			v := s.Imm
			return f.Name + "=" + f.FormatValue(v, f.Exact(), names.ports())
		}
		return s.DstSub.String() + "=" + immText(s.Imm)
	case s.Dst == LearnMatch:
		if s.Src == s.DstSub {
			return s.DstSub.String()
		}
		return s.DstSub.String() + "=" + s.Src.String()
	case s.Dst == LearnLoad && s.FromImm:
		return "load:" + immText(s.Imm) + "->" + s.DstSub.String()
	case s.Dst == LearnLoad:
		return "load:" + s.Src.String() + "->" + s.DstSub.String()
	}
	return "output:" + s.Src.String()
}

func immText(v flow.Value) string {
	switch {
	case v.Hi != 0:
		return fmt.Sprintf("0x%x%016x", v.Hi, v.Lo)
	}
	return fmt.Sprintf("0x%x", v.Lo)
}

func formatCT(c *CT, names *Names) string {
	var args []string
	if c.Flags&CTCommit != 0 {
		args = append(args, "commit")
	}
	if c.Flags&CTForce != 0 {
		args = append(args, "force")
	}
	if c.Table != CTNoTable {
		args = append(args, "table="+names.table(c.Table))
	}
	if c.ZoneSrc.Field != nil {
		args = append(args, "zone="+c.ZoneSrc.String())
	} else if c.ZoneImm != 0 {
		args = append(args, fmt.Sprintf("zone=%d", c.ZoneImm))
	}
	var exec []Action
	for _, a := range c.Actions {
		if n, ok := a.(*NAT); ok {
			args = append(args, formatNAT(n))
		} else {
			exec = append(exec, a)
		}
	}
	if len(exec) > 0 {
		args = append(args, "exec("+nestedText(exec, names)+")")
	}
	switch c.ALG {
	case 0:
	case CTALGFTP:
		args = append(args, "alg=ftp")
	case CTALGTFTP:
		args = append(args, "alg=tftp")
	default:
		args = append(args, fmt.Sprintf("alg=%d", c.ALG))
	}
	return "ct(" + strings.Join(args, ",") + ")"
}

func formatNAT(n *NAT) string {
	if n.Flags&(NATSrc|NATDst) == 0 {
		return "nat"
	}
	var b strings.Builder
	b.WriteString("nat(dst")
	if n.Flags&NATSrc != 0 {
		b.Reset()
		b.WriteString("nat(src")
	}
	if n.HasAddr || n.ProtoMin != 0 {
		b.WriteByte('=')
	}
	if n.HasAddr {
		b.WriteString(natAddr(n, n.AddrMin, n.ProtoMin != 0))
		if n.AddrMax != [16]byte{} && n.AddrMax != n.AddrMin {
			b.WriteString("-" + natAddr(n, n.AddrMax, n.ProtoMin != 0))
		}
	}
	if n.ProtoMin != 0 {
		fmt.Fprintf(&b, ":%d", n.ProtoMin)
		if n.ProtoMax != 0 && n.ProtoMax != n.ProtoMin {
			fmt.Fprintf(&b, "-%d", n.ProtoMax)
		}
	}
	for _, f := range natFlagNames {
		if n.Flags&f.flag != 0 {
			b.WriteString("," + f.name)
		}
	}
	b.WriteByte(')')
	return b.String()
}

var natFlagNames = []struct {
	flag NATFlags
	name string
}{{NATPersistent, "persistent"}, {NATProtoHash, "hash"}, {NATProtoRandom, "random"}}

func natAddr(n *NAT, a [16]byte, port bool) string {
	if !n.IPv6 {
		return flow.FormatIPv4(uint32(decValue(a[:4]).Lo))
	}
	if port {
		return "[" + flow.FormatIPv6(a) + "]"
	}
	return flow.FormatIPv6(a)
}

func formatSample(s *Sample, names *Names) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sample(probability=%d,collector_set_id=%d", s.Probability, s.CollectorSetID)
	for _, id := range []struct {
		name string
		imm  uint32
		src  Subfield
	}{{"obs_domain_id", s.ObsDomainID, s.DomainSrc}, {"obs_point_id", s.ObsPointID, s.PointSrc}} {
		if id.src.Field != nil {
			fmt.Fprintf(&b, ",%s=%s", id.name, id.src)
		} else {
			fmt.Fprintf(&b, ",%s=%d", id.name, id.imm)
		}
	}
	if s.SamplingPort != PortNone {
		b.WriteString(",sampling_port=" + names.port(s.SamplingPort))
	}
	switch s.Direction {
	case SampleIngress:
		b.WriteString(",ingress")
	case SampleEgress:
		b.WriteString(",egress")
	}
	b.WriteByte(')')
	return b.String()
}

func formatEncap(e *Encap) string {
	switch e.PacketType {
	case PacketTypeEthernet:
		return "encap(ethernet)"
	case PacketTypeMPLS:
		return "encap(mpls)"
	case PacketTypeMPLSMC:
		return "encap(mpls_mc)"
	case PacketTypeNSH:
	default:
		return fmt.Sprintf("encap(%#x)", e.PacketType)
	}
	var props []string
	for _, p := range e.Props {
		if p.Type == 1 {
			props = append(props, fmt.Sprintf("md_type=%d", p.Data[0]))
		} else {
			props = append(props, fmt.Sprintf("tlv(0x%04x,%d,0x%x)", uint16(p.Data[0])<<8|uint16(p.Data[1]), p.Data[2], p.Data[3:]))
		}
	}
	if len(props) == 0 {
		return "encap(nsh)"
	}
	return "encap(nsh(" + strings.Join(props, ",") + "))"
}
