package ebpf

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"weir/internal/datapath/ebpf/program"
)

// FeatureError says what this machine lacks for a feature.
type FeatureError struct {
	Feature string // "TCX links"
	Needs   string // "Linux 6.6", "CAP_NET_ADMIN"
	Cause   error
}

// Error says what is missing, what it takes, and how the kernel refused.
func (e *FeatureError) Error() string {
	return fmt.Sprintf("no %s (needs %s): %v", e.Feature, e.Needs, e.Cause)
}

// Unwrap is the cause.
func (e *FeatureError) Unwrap() error { return e.Cause }

// Feature is what a probe found out; Err is nil where the machine has it, else
// a *FeatureError.
type Feature struct {
	Name     string
	Required bool // there is no data path without it
	Err      error
}

// Probes finds out once what the machine can do, and remembers it. The zero
// value is ready; its methods may be called from any goroutine.
type Probes struct {
	// Deny, when not nil, answers for the kernel before that is asked: an error
	// says that a feature isn't there. It is for tests of what happens then.
	Deny func(feature string) error

	once  sync.Once
	found []Feature
}

// Names of features that programs are told of.
const (
	redirectPeer = "redirection to the peer of a veth device"
	csumIPv6     = "checksums of changed IPv6 addresses"
)

// probe is one question to the kernel.
type probe struct {
	name     string
	required bool
	needs    string
	ask      func(earlier []Feature) error // earlier: what the probes before found
}

// plain asks without regard for what was found before.
func plain(ask func() error) func([]Feature) error {
	return func([]Feature) error { return ask() }
}

// probes are asked in this order, which is that of what builds on what.
var probes = []probe{
	{"eBPF maps", true, "CAP_BPF", plain(probeMaps)},
	{"eBPF programs for traffic control", true, "CAP_NET_ADMIN", plain(probeProgram)},
	{"arithmetic with addresses in programs", true, "CAP_PERFMON", plain(probeAddresses)},
	{"loops in programs", true, "Linux 5.17", plain(func() error {
		return features.HaveProgramHelper(ebpf.SchedCLS, asm.FnLoop)
	})},
	{"waiting for programs to end", true, "membarrier(2) and no CPU without timer ticks", plain(program.Barrier)},
	{"TCX links", true, "Linux 6.6", plain(probeTCX)},
	{"tap devices with offloads and steering", true, "the tun module", plain(probeTap)},
	{redirectPeer, false, "Linux 5.10", plain(func() error {
		return features.HaveProgramHelper(ebpf.SchedCLS, asm.FnRedirectPeer)
	})},
	{csumIPv6, false, "Linux 6.16", plain(probeCsumIPv6)},
	{"bpf file system", false, "a writable " + bpfFS, plain(func() error { _, err := pinRoot(); return err })},
	{"connection tracking in programs", false, "Linux 6.0 with nf_conntrack and BTF", plain(probeConntrack)},
	{"verification of the programs", true, "a verifier that takes them, in " + program.VerifierLimit.String() + " each", probeVerifier},
}

// All are the features, those asked about first that others build on.
func (p *Probes) All() []Feature {
	p.once.Do(func() {
		// Memory of maps counts as locked before Linux 5.11.
		unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited)
		for _, pr := range probes {
			f := Feature{Name: pr.name, Required: pr.required}
			if err := p.ask(&pr, p.found); err != nil {
				if errors.Is(err, unix.EPERM) {
					err = unix.EPERM // the library goes on about locked memory, which is unlimited
				}
				f.Err = &FeatureError{pr.name, pr.needs, err}
			}
			p.found = append(p.found, f)
		}
	})
	return p.found
}

// ask asks the kernel, if nobody answers for it.
func (p *Probes) ask(pr *probe, earlier []Feature) error {
	if p.Deny != nil {
		if err := p.Deny(pr.name); err != nil {
			return err
		}
	}
	return pr.ask(earlier)
}

// Available says why there can be no eBPF data path, nil where there can.
func (p *Probes) Available() error {
	for _, f := range p.All() {
		if f.Required && f.Err != nil {
			return f.Err
		}
	}
	return nil
}

func probeMaps() error {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE})
	if err != nil {
		return err
	}
	return m.Close()
}

// passAll is a program that leaves every packet to those after it.
func passAll() (*ebpf.Program, error) {
	const tcxNext = -1 // TCX_NEXT
	return ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "weir_probe", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, tcxNext), asm.Return()},
	})
}

func probeProgram() error {
	p, err := passAll()
	if err != nil {
		return err
	}
	return p.Close()
}

// probeAddresses loads a program that gives an address away, which the verifier
// refuses to those whom it doesn't trust with addresses.
func probeAddresses() error {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "weir_probe", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Reg(asm.R0, asm.RFP), asm.Return()},
	})
	if err != nil {
		return err
	}
	return p.Close()
}

func probeTCX() error {
	p, err := passAll()
	if err != nil {
		return err
	}
	defer p.Close()
	const loopback = 1
	l, err := link.AttachTCX(link.TCXOptions{Interface: loopback, Program: p, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return err
	}
	return l.Close()
}

// probeCsumIPv6 calls the helper with the flag, which older kernels refuse.
func probeCsumIPv6() error {
	const flagIPv6, checksum = 1 << 7, 50 // BPF_F_IPV6
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "weir_probe", Type: ebpf.SchedCLS, License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R2, checksum), asm.Mov.Imm(asm.R3, 0), asm.Mov.Imm(asm.R4, 0), asm.Mov.Imm(asm.R5, flagIPv6|4),
			asm.FnL4CsumReplace.Call(), asm.Return(),
		},
	})
	if err != nil {
		return err
	}
	defer p.Close()
	result, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil {
		return err
	}
	if int32(result) < 0 {
		return fmt.Errorf("bpf_l4_csum_replace: %w", unix.Errno(-int32(result)))
	}
	return nil
}

func probeTap() error {
	t, err := newMissTap(0)
	if err != nil {
		return err
	}
	t.close()
	return nil
}

// kernelOf is what programs are told of what was found.
func kernelOf(found []Feature) program.Kernel {
	has := map[string]bool{}
	for _, f := range found {
		has[f.Name] = f.Err == nil
	}
	return program.Kernel{RedirectPeer: has[redirectPeer], CsumIPv6: has[csumIPv6]}
}

// probeVerifier loads the programs of a data path with little memory. Where they
// couldn't be used it doesn't: a verifier may be busy with them for seconds.
func probeVerifier(earlier []Feature) error {
	for _, f := range earlier {
		if f.Required && f.Err != nil {
			return fmt.Errorf("not tried without %s", f.Name)
		}
	}
	s, err := program.New(program.Config{
		MaxFlows: 64, MaxPorts: 16, MaxMasks: 1, MaxMeters: 1, VLANLimit: vlanLimit(), Kernel: kernelOf(earlier),
	})
	if err != nil {
		return err
	}
	return s.Close()
}

func probeConntrack() error {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return err
	}
	var fn *btf.Func
	if err := spec.TypeByName("bpf_skb_ct_lookup", &fn); err == nil {
		return nil
	} else if !errors.Is(err, btf.ErrNotFound) {
		return err
	}
	if mod, err := btf.LoadKernelModuleSpec("nf_conntrack"); err == nil && mod.TypeByName("bpf_skb_ct_lookup", &fn) == nil {
		return nil
	}
	return fmt.Errorf("kernel function bpf_skb_ct_lookup: %w", btf.ErrNotFound)
}
