package flow

// Match is a Key and the Mask that says which of its bits count. Bits of the
// key outside the mask are zero, so that equal matches compare equal.
type Match struct {
	Key  Key
	Mask Mask
}
