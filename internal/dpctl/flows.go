package dpctl

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/flow"
	"weir/internal/numa"
)

// namer prints names where they are wanted and always reads them.
func (l *call) namer(d datapath.Datapath) *datapath.Namer {
	n := d.Namer()
	if l.names {
		return n
	}
	return n.NumbersOnly()
}

// portNames lets flow matches name data path ports.
type portNames struct{ *datapath.Namer }

func (n portNames) PortName(no uint32) (string, bool) { return n.Name(datapath.PortNo(no)) }
func (n portNames) PortNumber(name string) (uint32, bool) {
	no, ok := n.Number(name)
	return uint32(no), ok
}

// flowChoice says which flows to show, as the words KEY=VALUE of dump-flows have it.
type flowChoice struct{ filter, types, pmd string }

// takeChoice takes those words out of the arguments.
func (l *call) takeChoice() (c flowChoice) {
	rest := l.args[:0:0]
	for _, a := range l.args {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "filter":
			c.filter = value
		case "type":
			c.types = value
		case "pmd":
			c.pmd = value
		default:
			rest = append(rest, a)
		}
	}
	l.args = rest
	return c
}

// none reports whether the types are none that there are flows of here: nothing is
// offloaded to hardware.
func (c *flowChoice) none() bool {
	return c.types != "" && !slices.ContainsFunc(strings.Split(c.types, ","), func(t string) bool {
		return t == "ovs" || t == "all" || t == "non-offloaded"
	})
}

func (l *call) dumpFlows() error {
	choice := l.takeChoice()
	if bad, ok := datapath.CheckLayers(choice.types); choice.types != "" && !ok {
		return failed(syscall.EINVAL, "Failed to parse type (%s)", bad)
	}
	d, err := l.optional(0)
	if err != nil {
		return err
	}
	var filter *flow.Match
	if choice.filter != "" {
		if filter, err = flow.ParseMatch(choice.filter, portNames{d.Namer()}); err != nil {
			return fmt.Errorf("Failed to parse filter (%w)", err) //nolint:staticcheck // the peer's text
		}
	}
	if choice.none() {
		return nil
	}
	o := &datapath.DumpOptions{Verbose: l.verbose > 0, Names: l.namer(d), Now: l.Now()}
	docs := []datapath.FlowDocument{}
	for _, part := range flowsByThread(d) {
		if choice.pmd != "" && choice.pmd != part.core() {
			continue
		}
		heading := part.heading
		if choice.pmd != "" {
			heading = ""
		}
		for _, f := range part.flows {
			if filter != nil && !overlaps(filter, f) {
				continue
			}
			l.out.WriteString(heading + datapath.FormatFlow(f, o) + "\n")
			heading = ""
			docs = append(docs, datapath.DescribeFlow(f, o))
		}
	}
	l.doc = docs
	return nil
}

// threadFlows is the flows of a thread, or all where there are none.
type threadFlows struct {
	thread  *numa.Core
	heading string
	flows   []*datapath.Flow
}

// core is the thread's core as pmd= names it; -1 is what runs outside of threads.
func (t *threadFlows) core() string {
	if t.thread == nil {
		return "-1"
	}
	return strconv.Itoa(t.thread.ID)
}

// flowsByThread lists the flows of a data path, those of one in user space by
// the threads that meet them.
func flowsByThread(d datapath.Datapath) []threadFlows {
	if w, ok := d.(interface{ Unwrap() datapath.Datapath }); ok {
		d = w.Unwrap()
	}
	u, ok := d.(*userspace.DP)
	if !ok {
		all := threadFlows{}
		d.FlowDump(func(f *datapath.Flow) bool {
			all.flows = append(all.flows, f)
			return true
		})
		return []threadFlows{all}
	}
	var out []threadFlows
	for _, t := range u.FlowsByThread() {
		heading := "flow-dump from the main thread:\n"
		if t.Thread != nil {
			heading = fmt.Sprintf("flow-dump from pmd on cpu core: %d\n", t.Thread.ID)
		}
		out = append(out, threadFlows{t.Thread, heading, t.Flows})
	}
	return out
}

// overlaps says whether a packet can match both: of the bits that both know,
// all agree.
func overlaps(m *flow.Match, f *datapath.Flow) bool {
	mk, mm := m.Key.Words(), m.Mask.Words()
	fk, fm := f.Key.Words(), f.Mask.Words()
	for i := flow.FirstDatapathWord; i < flow.NumWords; i++ {
		if (mk[i]^fk[i])&mm[i]&fm[i] != 0 {
			return false
		}
	}
	return true
}

// parseFlow reads "[ufid:UFID,]KEY".
func parseFlow(s string, n *datapath.Namer) (*datapath.Flow, error) {
	ufid, rest, _, err := datapath.ParseUFID(s)
	if err != nil {
		return nil, failed(err, "parsing flow ufid")
	}
	k, m, err := datapath.ParseKey(rest, n)
	if err != nil {
		return nil, failed(syscall.EINVAL, "parsing flow key (%s)", err)
	}
	return &datapath.Flow{UFID: ufid, Key: *k, Mask: *m}, nil
}

func (l *call) addFlow() error { return l.put(datapath.PutCreate) }

func (l *call) modFlow() error {
	mode := datapath.PutModify
	if l.mayCreate {
		mode |= datapath.PutCreate
	}
	if l.zero {
		mode |= datapath.PutZeroStats
	}
	return l.put(mode)
}

func (l *call) put(mode datapath.PutMode) error {
	d, err := l.optional(2)
	if err != nil {
		return err
	}
	if len(l.args) != 2 {
		return failed(syscall.EINVAL, "updating flow table")
	}
	return l.putFlow(d, l.args[0], l.args[1], mode)
}

func (l *call) putFlow(d datapath.Datapath, key, actions string, mode datapath.PutMode) error {
	n := d.Namer()
	f, err := parseFlow(key, n)
	if err != nil {
		return err
	}
	if f.Actions, err = datapath.ParseActions(actions, n); err != nil {
		return failed(syscall.EINVAL, "parsing actions")
	}
	if !installable(f, key) {
		return failed(syscall.EINVAL, "updating flow table")
	}
	before := datapath.Stats{}
	if l.stats && mode&datapath.PutModify != 0 {
		if old, err := d.FlowGet(f.UFID, &f.Key); err == nil {
			before = old.Stats
		}
	}
	if err := d.FlowPut(f, mode); err != nil {
		return failed(err, "updating flow table")
	}
	if l.stats {
		fmt.Fprintln(&l.out, datapath.FormatStats(&before, l.Now()))
	}
	return nil
}

// installable refuses keys that no packet has: an Ethernet packet without a
// type, and IP of which the text says nothing: not even ipv4() or ipv6().
func installable(f *datapath.Flow, text string) bool {
	k, m := &f.Key, &f.Mask
	if k.PacketType == 0 && k.VLANs[0].TCI == 0 && m.EthType == 0 {
		return false
	}
	if m.InPort == 0 {
		return true // the data path says what is wrong
	}
	return (k.EthType != 0x0800 && k.EthType != 0x86dd) || m.EthType != 0xffff || m.NwFrag != 0 ||
		strings.Contains(text, "ipv4(") || strings.Contains(text, "ipv6(")
}

func (l *call) getFlow() error {
	d, err := l.optional(1)
	if err != nil {
		return err
	}
	ufid, _, ok, err := datapath.ParseUFID(l.args[0])
	if !ok || err != nil {
		return failed(syscall.EINVAL, "parsing flow ufid")
	}
	f, err := d.FlowGet(ufid, nil)
	if err != nil {
		return failed(err, "getting flow")
	}
	o := &datapath.DumpOptions{Verbose: l.verbose > 0, Names: l.namer(d), Now: l.Now()}
	fmt.Fprintln(&l.out, datapath.FormatFlow(f, o))
	l.doc = datapath.DescribeFlow(f, o)
	return nil
}

func (l *call) delFlow() error {
	d, err := l.optional(1)
	if err != nil {
		return err
	}
	return l.delOne(d, l.args[0])
}

func (l *call) delOne(d datapath.Datapath, key string) error {
	f, err := parseFlow(key, d.Namer())
	if err != nil {
		return err
	}
	stats, err := d.FlowDel(f.UFID, &f.Key)
	if err != nil {
		err = failed(err, "deleting flow")
		if f.UFID == (datapath.UFID{}) {
			err = fmt.Errorf("%w\nPerhaps you need to specify a UFID?", err)
		}
		return err
	}
	if l.stats {
		fmt.Fprintln(&l.out, datapath.FormatStats(&stats, l.Now()))
	}
	return nil
}

func (l *call) addFlows() error { return l.flowFile(datapath.PutCreate) }
func (l *call) modFlows() error { return l.flowFile(datapath.PutModify) }

func (l *call) flowFile(mode datapath.PutMode) error {
	d, err := l.optional(1)
	if err != nil {
		return err
	}
	return l.processFile(d, l.args[0], mode)
}

func (l *call) delFlows() error {
	d, err := l.first(1)
	if err != nil {
		return err
	}
	if len(l.args) > 0 {
		return l.processFile(d, l.args[0], 0)
	}
	if err := d.FlowFlush(); err != nil {
		return failed(err, "deleting all flows")
	}
	return nil
}

// processFile does each line of a file: "[add|modify|delete] FLOW [ACTIONS]".
// Mode is what a line without a word does, 0 for delete.
func (l *call) processFile(d datapath.Datapath, name string, mode datapath.PutMode) error {
	file, err := os.Open(name)
	if err != nil {
		return failed(err, "Opening file \"%s\" failed", name)
	}
	defer func() { _ = file.Close() }()
	for sc := bufio.NewScanner(file); sc.Scan(); {
		line, _, _ := strings.Cut(sc.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		op := mode
		switch words[0] {
		case "add":
			op, words = datapath.PutCreate, words[1:]
		case "modify":
			op, words = datapath.PutModify, words[1:]
		case "delete":
			op, words = 0, words[1:]
		}
		switch {
		case len(words) == 0:
			err = failed(syscall.EINVAL, "parsing flow key (%s)", "no flow in \""+line+"\"")
		case op == 0:
			err = l.delOne(d, words[0])
		case len(words) < 2:
			err = failed(syscall.EINVAL, "parsing actions")
		default:
			err = l.putFlow(d, words[0], strings.Join(words[1:], " "), op)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
