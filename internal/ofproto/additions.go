package ofproto

import (
	"weir/internal/openflow"
	"weir/internal/pipeline"
)

// maxAdditions bounds the flow mods that wait to be applied together.
const maxAdditions = 512

// addition is a flow mod that adds a flow and waits for others.
type addition struct {
	raw []byte // the message, for an error about it
	add *pipeline.Addition
}

// postpone keeps a flow mod for [session.applyAdditions], where more messages
// have come already and nobody can tell the difference: it adds a flow, and no
// session monitors flows, which would be told of single requests.
func (s *session) postpone(raw []byte, fm *openflow.FlowMod) (bool, error) {
	if fm.Command != openflow.FlowAdd || fm.BufferID != openflow.NoBuffer {
		return false, nil
	}
	if len(s.additions) == 0 && (!s.in.Buffered() || s.m.monitored()) {
		return false, nil
	}
	if err := s.checkFlowMod(fm); err != nil {
		return true, err
	}
	add, err := s.prepare.Prepare(fm)
	if err == nil {
		s.additions = append(s.additions, addition{raw, add})
	}
	return true, err
}

// applyAdditions adds the flows that wait, those up to the next error in one
// transaction. What else the session does comes after.
func (s *session) applyAdditions() {
	for todo := s.additions; len(todo) > 0; {
		now := s.now()
		x := s.m.b.pipe.Begin(now)
		n := 0
		var err error
		for n < len(todo) && err == nil {
			err = x.Add(todo[n].add)
			n++
		}
		s.m.b.flowEvents(x.Commit(), s)
		added := n
		if err != nil {
			added--
			s.fail(todo[n-1].raw, err)
		}
		s.mods.add(openflow.FlowAdd, added, now)
		todo = todo[n:]
	}
	clear(s.additions)
	s.additions = s.additions[:0]
}
