package openflow

// Codecs of roles and asynchronous configuration (OpenFlow 1.3.1, A.3.9 and
// A.3.10; 1.4, 7.3.10; the Nicira forms of 1.0).

func decRoleRequest(d *decoder) Message {
	m := &RoleRequest{Role: d.role()}
	d.skip(4)
	if gen := d.u64(); m.Role != RoleNoChange {
		m.HaveGeneration, m.GenerationID = true, gen
	}
	return m
}

func decRoleReply(d *decoder) Message {
	m := &RoleReply{Role: d.role()}
	d.skip(4)
	if gen := d.u64(); gen != ^uint64(0) {
		m.HaveGeneration, m.GenerationID = true, gen
	}
	return m
}

func (d *decoder) role() Role {
	role := Role(d.u32())
	if role > RoleSecondary {
		d.fail(ErrRRFCBadRole)
	}
	return role
}

func (d *decoder) nxRole() Role {
	role := Role(d.u32()) + 1
	if role < RoleEqual || role > RoleSecondary {
		d.fail(ErrRRFCBadRole)
	}
	return role
}

func decNXRoleRequest(d *decoder) Message { return &RoleRequest{NX: true, Role: d.nxRole()} }
func decNXRoleReply(d *decoder) Message   { return &RoleReply{NX: true, Role: d.nxRole()} }

func (e *encoder) encodeRole(nx bool, verb string, role Role, have bool, gen uint64) {
	if nx || e.v < V12 {
		e.start("NXT_ROLE_" + verb)
		e.u32(uint32(role) - 1)
		return
	}
	e.start("OFPT_ROLE_" + verb)
	e.u32(uint32(role))
	e.pad(4)
	if !have {
		gen = 0
		if verb == "REPLY" {
			gen = ^uint64(0)
		}
	}
	e.u64(gen)
}

func decRoleStatus(d *decoder) Message {
	m := &RoleStatus{Role: d.role(), Reason: RoleStatusReason(d.u8())}
	d.skip(3)
	m.GenerationID = d.u64()
	return m
}

func (e *encoder) encodeRoleStatus(m *RoleStatus) {
	if e.v < V14 {
		e.start("ONFT_ROLE_STATUS")
	} else {
		e.start("OFPT_ROLE_STATUS")
	}
	e.u32(uint32(m.Role))
	e.u8(uint8(m.Reason))
	e.pad(3)
	e.u64(m.GenerationID)
}

// asyncValid are the reasons of each kind in OpenFlow 1.4 and later.
var asyncValid = [NumAsync]uint32{0x3f, 0x7, 0x3f, 0x7, 0x18, 0x3}

func decGetAsyncReply(d *decoder) Message {
	c, _ := d.asyncConfig()
	return &GetAsyncReply{Config: c}
}

func decSetAsync(d *decoder) Message {
	c, set := d.asyncConfig()
	return &SetAsync{Config: c, Set: set, NX2: d.row.name() == "NXT_SET_ASYNC_CONFIG2"}
}

// asyncConfig decodes both forms: six masks before OpenFlow 1.4, properties after.
func (d *decoder) asyncConfig() (c AsyncConfig, set uint32) {
	switch name := d.row.name(); {
	case name == "NXT_SET_ASYNC_CONFIG", d.Version == V13 && name != "NXT_SET_ASYNC_CONFIG2":
		for t := AsyncPacketIn; t <= AsyncFlowRemoved; t++ {
			c.Primary[t], c.Secondary[t] = d.u32(), d.u32()
			set |= 0x10001 << t
		}
		return c, set
	}
	for d.left() > 0 && d.err == nil {
		typ, _, b := d.prop()
		t := AsyncType(min(typ/2, 255))
		if t >= NumAsync {
			d.logf("ofp_monitor", true, sprintf("unknown async config property type %d", typ))
			d.fail(ErrACFCUnsupported)
			break
		}
		mask, valid := b.u32(), asyncValid[t]
		if t == AsyncPacketIn && d.Version < V14 {
			valid = 1<<ReasonNoMatch | 1<<ReasonAction | 1<<ReasonInvalidTTL // OpenFlow 1.3.1, A.4.1
		}
		if mask&^valid != 0 {
			if !d.row.isReply() {
				d.logf("ofp_monitor", true, sprintf("bad value %#x for %s (allowed mask %#x)", mask, asyncNames[t], valid))
				d.fail(ErrACFCInvalid)
			}
			mask &= valid
		}
		d.endProp(&b)
		if typ%2 == 1 {
			c.Primary[t] = mask
			set |= 1 << t
		} else {
			c.Secondary[t] = mask
			set |= 0x10000 << t
		}
	}
	return c, set
}

func (e *encoder) encodeAsync(name string, c *AsyncConfig, set uint32) {
	e.start(name)
	if e.v < V14 && name != "NXT_SET_ASYNC_CONFIG2" {
		for t := AsyncPacketIn; t <= AsyncFlowRemoved; t++ {
			e.u32(c.Primary[t])
			e.u32(c.Secondary[t])
		}
		return
	}
	for t := AsyncPacketIn; t < NumAsync; t++ {
		if set&(0x10000<<t) != 0 {
			e.u16(uint16(2 * t))
			e.u16(8)
			e.u32(c.Secondary[t] & asyncValid[t])
		}
		if set&(1<<t) != 0 {
			e.u16(uint16(2*t + 1))
			e.u16(8)
			e.u32(c.Primary[t] & asyncValid[t])
		}
	}
}

func (e *encoder) encodeSetAsync(m *SetAsync) {
	switch {
	case m.NX2:
		e.encodeAsync("NXT_SET_ASYNC_CONFIG2", &m.Config, m.Set)
	case e.v < V13:
		e.encodeAsync("NXT_SET_ASYNC_CONFIG", &m.Config, m.Set)
	default:
		e.encodeAsync("OFPT_SET_ASYNC", &m.Config, m.Set)
	}
}
