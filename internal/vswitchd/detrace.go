package vswitchd

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/trace"
	"weir/internal/unixctl"
)

// detrace answers ofproto/detrace: which OpenFlow flows, groups and ports a flow
// of a data path was made of.
func (s *Switch) detrace(r *unixctl.Request) (string, error) {
	var ufid datapath.UFID
	named, names, core := false, false, ""
	for _, a := range r.Args {
		switch {
		case a == "--names":
			names = true
		case a == "--no-names":
			names = false
		case strings.HasPrefix(a, "pmd="):
			core = strings.TrimPrefix(a, "pmd=")
		default:
			u, rest, ok, err := datapath.ParseUFID("ufid:" + strings.TrimPrefix(a, "ufid:"))
			if err != nil || !ok || rest != "" {
				return "", fmt.Errorf("failed to parse ufid: %s", a)
			}
			ufid, named = u, true
		}
	}
	if !named {
		return "", errors.New("a UFID is required, as dpctl/dump-flows -m shows it")
	}
	for _, p := range s.providers() {
		f, err := p.dp.FlowGet(ufid, nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := onThread(p.dp, ufid, core); err != nil {
			return "", err
		}
		o, err := trace.Detrace(p.Snapshot(), f, p.dp.Namer(), names)
		if err != nil {
			return "", err
		}
		return r.Answer(o)
	}
	return "", fmt.Errorf("no data path has a flow %s", datapath.FormatUFID(ufid))
}

// onThread checks that packets of the thread on a core meet a flow; an empty core
// is any.
func onThread(dp datapath.Datapath, ufid datapath.UFID, core string) error {
	if core == "" {
		return nil
	}
	id, err := strconv.Atoi(core)
	if err != nil {
		return fmt.Errorf("failed to parse pmd id: %s", core)
	}
	u, ok := dp.(*userspace.DP)
	if !ok {
		return fmt.Errorf("pmd=%s: the data path %s has no threads", core, dp.Name())
	}
	for _, t := range u.FlowsByThread() {
		if t.Thread == nil && id != -1 || t.Thread != nil && t.Thread.ID != id {
			continue
		}
		for _, f := range t.Flows {
			if f.UFID == ufid {
				return nil
			}
		}
	}
	return fmt.Errorf("pmd=%s: no packet of that thread meets the flow %s", core, datapath.FormatUFID(ufid))
}
