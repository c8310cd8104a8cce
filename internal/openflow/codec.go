package openflow

// DecodeOptions are what the meaning of a message depends on beside its bytes.
type DecodeOptions struct {
	// TableID: OpenFlow 1.0 flow mods hold a table id (NXT_FLOW_MOD_TABLE_ID).
	TableID bool
}
