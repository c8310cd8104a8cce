package xlate

import "weir/internal/openflow"

// moreActions runs the actions that make flows or choose between ports.
func (x *Translator) moreActions(a openflow.Action, _ []openflow.Action, _ bool) {
	x.warn("action %s is not supported", actionText(a, x.portNames()))
}

// selectBucket chooses a bucket of a select group by a hash of the packet.
func (x *Translator) selectBucket(g *pipelineGroup, last bool) {
	x.warn("select group %d is not supported", g.ID)
}
