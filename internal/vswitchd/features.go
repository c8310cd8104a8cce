package vswitchd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/datapath"
	"weir/internal/datapath/ebpf"
	"weir/internal/unixctl"
)

func (s *Switch) registerFeatures(srv *unixctl.Server) {
	srv.Register("dpif/show-dp-features", "bridge", 1, 1, s.showFeatures)
	srv.Register("dpif/set-dp-features", "bridge", 1, 3, s.setFeature)
}

// showFeatures prints what the data path of a bridge can do, as far as
// translation makes use of it, and after that what its kernel was found to have of
// what the eBPF data path needs or can use.
func (s *Switch) showFeatures(r *unixctl.Request) (string, error) {
	o, err := s.ofproto(r.Args[0])
	if err != nil {
		return "", err
	}
	f := o.Backend().Features()
	var b strings.Builder
	doc := map[string]string{}
	for i := range datapath.FeatureTable {
		row := &datapath.FeatureTable[i]
		value := row.Value(&f)
		doc[row.Name] = value
		switch value {
		case "true":
			value = "Yes"
		case "false":
			value = "No"
		}
		fmt.Fprintf(&b, "%s: %s\n", row.Title, value)
	}
	for _, p := range s.providers() {
		if p.dp == o.Backend().Datapath() {
			showProbes(p.probed, &b, doc)
		}
	}
	return r.Answer(unixctl.Both{Text: b.String(), JSON: doc})
}

// showProbes adds what the kernel was found to have, and of the rest why not.
func showProbes(probed []ebpf.Feature, b *strings.Builder, doc map[string]string) {
	for _, f := range probed {
		if doc["ebpf: "+f.Name] = "true"; f.Err == nil {
			fmt.Fprintf(b, "eBPF: %s: Yes\n", f.Name)
			continue
		}
		doc["ebpf: "+f.Name] = f.Err.Error()
		text := f.Err.Error()
		if e := (*ebpf.FeatureError)(nil); errors.As(f.Err, &e) {
			text = fmt.Sprintf("needs %s: %v", e.Needs, e.Cause)
		}
		fmt.Fprintf(b, "eBPF: %s: No (%s)\n", f.Name, text)
	}
}

// setFeature has translation use less (or, for tests, more) than the data path
// can do; without a value it shows what is used and what there is. As with the
// peer, a wrong name or value is told of in the answer, not as an error.
func (s *Switch) setFeature(r *unixctl.Request) (string, error) {
	o, err := s.ofproto(r.Args[0])
	if err != nil {
		return "", err
	}
	be := o.Backend()
	now, born := be.Features(), be.Datapath().Features()
	var b strings.Builder
	found := false
	for i := range datapath.FeatureTable {
		row := &datapath.FeatureTable[i]
		if len(r.Args) > 1 && r.Args[1] != row.Name {
			continue
		}
		found = true
		if len(r.Args) < 3 {
			fmt.Fprintf(&b, "%s (%s) : [run time]:%s, [boot time]:%s\n", row.Name, row.Title, row.Value(&now), row.Value(&born))
			continue
		}
		if wrong := assign(row, &now, r.Args[2]); wrong != "" {
			return wrong + "\n", nil
		}
		be.SetFeatures(now)
	}
	if !found {
		return "Unexpected support field\n", nil
	}
	return b.String(), nil
}

// assign sets one feature; it returns what is wrong with the value.
func assign(row *datapath.Feature, f *datapath.Features, value string) string {
	if row.Number != nil {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return "Integer number expected"
		}
		*row.Number(f) = n
		return ""
	}
	on, err := strconv.ParseBool(strings.ToLower(value))
	if err != nil {
		return "Boolean value expected"
	}
	*row.Flag(f) = on
	return ""
}
