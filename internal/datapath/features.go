package datapath

import "strconv"

// Features says what a provider can do; translation avoids the rest or takes
// the slow path.
type Features struct {
	MaxVLANs      int
	MaxMPLSLabels int
	SampleNesting int
	MaxHashAlg    int
	Recirc        bool
	Clone         bool
	Trunc         bool
	CTState       bool
	CTZone        bool
	CTMark        bool
	CTLabel       bool
	CTNAT         bool
	CTEventMask   bool
	CTClear       bool
	CTTimeout     bool
	CTZeroSNAT    bool
	CTOrigTuple   bool
	CTOrigTuple6  bool
	MaskedSet     bool
	TNLPush       bool
	UFID          bool
	CheckPktLen   bool
	LBOutput      bool
	DropAction    bool
	AddMPLS       bool
	NDExt         bool
}

// Feature is one member of Features as people know it: Name is its key in
// Datapath.capabilities (ovs-vswitchd.conf.db(5)), Title what
// dpif/show-dp-features calls it. Flag or, for those that count, Number finds it.
type Feature struct {
	Name, Title string
	Flag        func(*Features) *bool
	Number      func(*Features) *int
}

// FeatureTable lists the features in the order in which they are shown.
var FeatureTable = []Feature{
	{Name: "masked_set_action", Title: "Masked set action", Flag: func(f *Features) *bool { return &f.MaskedSet }},
	{Name: "tnl_push_pop", Title: "Tunnel push pop", Flag: func(f *Features) *bool { return &f.TNLPush }},
	{Name: "ufid", Title: "Ufid", Flag: func(f *Features) *bool { return &f.UFID }},
	{Name: "trunc", Title: "Truncate action", Flag: func(f *Features) *bool { return &f.Trunc }},
	{Name: "clone", Title: "Clone action", Flag: func(f *Features) *bool { return &f.Clone }},
	{Name: "sample_nesting", Title: "Sample nesting", Number: func(f *Features) *int { return &f.SampleNesting }},
	{Name: "ct_eventmask", Title: "Conntrack eventmask", Flag: func(f *Features) *bool { return &f.CTEventMask }},
	{Name: "ct_clear", Title: "Conntrack clear", Flag: func(f *Features) *bool { return &f.CTClear }},
	{Name: "max_hash_alg", Title: "Max dp_hash algorithm", Number: func(f *Features) *int { return &f.MaxHashAlg }},
	{Name: "check_pkt_len", Title: "Check pkt length action", Flag: func(f *Features) *bool { return &f.CheckPktLen }},
	{Name: "ct_timeout", Title: "Conntrack timeout policy", Flag: func(f *Features) *bool { return &f.CTTimeout }},
	{Name: "explicit_drop_action", Title: "Explicit Drop action", Flag: func(f *Features) *bool { return &f.DropAction }},
	{Name: "lb_output_action", Title: "Optimized Balance TCP mode", Flag: func(f *Features) *bool { return &f.LBOutput }},
	{Name: "ct_zero_snat", Title: "Conntrack all-zero IP SNAT", Flag: func(f *Features) *bool { return &f.CTZeroSNAT }},
	{Name: "add_mpls", Title: "MPLS Label add", Flag: func(f *Features) *bool { return &f.AddMPLS }},
	{Name: "max_vlan_headers", Title: "Max VLAN headers", Number: func(f *Features) *int { return &f.MaxVLANs }},
	{Name: "max_mpls_depth", Title: "Max MPLS depth", Number: func(f *Features) *int { return &f.MaxMPLSLabels }},
	{Name: "recirc", Title: "Recirc", Flag: func(f *Features) *bool { return &f.Recirc }},
	{Name: "ct_state", Title: "CT state", Flag: func(f *Features) *bool { return &f.CTState }},
	{Name: "ct_zone", Title: "CT zone", Flag: func(f *Features) *bool { return &f.CTZone }},
	{Name: "ct_mark", Title: "CT mark", Flag: func(f *Features) *bool { return &f.CTMark }},
	{Name: "ct_label", Title: "CT label", Flag: func(f *Features) *bool { return &f.CTLabel }},
	{Name: "ct_state_nat", Title: "CT state NAT", Flag: func(f *Features) *bool { return &f.CTNAT }},
	{Name: "ct_orig_tuple", Title: "CT orig tuple", Flag: func(f *Features) *bool { return &f.CTOrigTuple }},
	{Name: "ct_orig_tuple6", Title: "CT orig tuple for IPv6", Flag: func(f *Features) *bool { return &f.CTOrigTuple6 }},
	{Name: "nd_ext", Title: "IPv6 ND Extension", Flag: func(f *Features) *bool { return &f.NDExt }},
}

// Value is the feature's value as capabilities and commands print it: "true",
// "false" or a number.
func (r *Feature) Value(f *Features) string {
	if r.Number != nil {
		return strconv.Itoa(*r.Number(f))
	}
	return strconv.FormatBool(*r.Flag(f))
}
