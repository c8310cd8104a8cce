package program

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"weir/internal/datapath"
)

// hintCount is the number of hints, of two bytes each.
const hintCount = 1 << 16

// counterShift is the binary logarithm of what a CPU has of the counters.
const counterShift = 7

// Set is the programs and the memory of one data path. It belongs to one
// goroutine at a time; Stats, PortStats, Counters and Code may be called from
// others meanwhile.
type Set struct {
	cfg      Config
	seed     uint64
	cpus     int
	buckets  int    // a power of two
	lastUnit uint32 // place of the last entry of any size

	header, bucketRegion, entries, codes, maskRegion *region
	stats, ports, portStats, portDrops, meters       *region
	hints, counters, scratchRegion                   *region
	crc                                              *region // constant; the programs' own
	programs                                         *ebpf.Map
	upcall                                           *ebpf.Program

	flows *table
	soft  atomic.Pointer[softPorts]
}

func (c *Config) defaults() {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.MaxFlows, 200_000)
	set(&c.MaxPorts, 4096)
	set(&c.MaxMasks, 128)
	set(&c.MaxMeters, 1024)
	set(&c.VLANLimit, 1)
	c.MaxPorts = 1 << bits.Len(uint(c.MaxPorts-1))
}

// New makes an empty data path: every packet is a miss.
func New(cfg Config) (*Set, error) {
	cfg.defaults()
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	s := &Set{cfg: cfg, seed: rand.Uint64(), cpus: cpus}
	if err := s.create(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Set) create() error {
	for _, d := range s.dimensions() {
		r, err := newRegion(d.name, d.size)
		if err != nil {
			return err
		}
		*d.to = r
	}
	view[headerRegion](s.header, 1)[0] = s.newHeader()
	var err error
	s.programs, err = ebpf.NewMap(&ebpf.MapSpec{Name: "weir_" + pinPrograms, Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: numPrograms})
	if err != nil {
		return fmt.Errorf("program array: %w", err)
	}
	s.flows = newTable(s)
	return s.load()
}

// newHeader says what the memory is like.
func (s *Set) newHeader() headerRegion {
	return headerRegion{
		Magic: headerMagic, Version: Version, MaxFlows: uint32(s.cfg.MaxFlows), MaxPorts: uint32(s.cfg.MaxPorts),
		MaxMasks: uint32(s.cfg.MaxMasks), MaxMeters: uint32(s.cfg.MaxMeters), NumCPUs: uint32(s.cpus),
		VLANLimit: uint32(s.cfg.VLANLimit), Seed: s.seed,
	}
}

// dimension is one region to make.
type dimension struct {
	name string
	to   **region
	size int
}

// dimensions computes the sizes of all regions from the configuration.
func (s *Set) dimensions() []dimension {
	c := &s.cfg
	s.buckets = max(1<<bits.Len(uint(c.MaxFlows*5/4/bucketSlots)), 16)
	units := c.MaxFlows*entryAverage/entryUnit + maxEntry/entryUnit
	s.lastUnit = uint32(units - maxEntry/entryUnit)
	return []dimension{
		{pinHeader, &s.header, 64 + 64},
		{pinBuckets, &s.bucketRegion, s.buckets * bucketBytes},
		{pinEntries, &s.entries, units * entryUnit},
		{pinCodes, &s.codes, c.MaxFlows*codeAverage + codeLimit},
		{pinMasks, &s.maskRegion, c.MaxMasks * maskBytes},
		{pinStats, &s.stats, s.cpus * c.MaxFlows * 32},
		{pinPorts, &s.ports, c.MaxPorts * 16},
		{pinPortStats, &s.portStats, s.cpus * c.MaxPorts * 16},
		{pinPortDrops, &s.portDrops, s.cpus * c.MaxPorts * 16},
		{pinMeters, &s.meters, c.MaxMeters * meterBytes},
		{pinHints, &s.hints, hintCount * 2},
		{pinCounters, &s.counters, s.cpus << counterShift},
		{pinScratch, &s.scratchRegion, s.cpus * scratchBytes},
	}
}

// Memory is how many bytes of the kernel's memory all regions take, whatever is
// in them.
func (s *Set) Memory() (bytes int) {
	for _, d := range s.dimensions() {
		bytes += len((*d.to).mem)
	}
	return bytes
}

// load makes the programs that don't depend on masks, and a first main.
func (s *Set) load() (err error) {
	if s.crc, err = newCRC(); err != nil {
		return err
	}
	if s.upcall, err = s.program("upcall", s.assembleUpcall()); err != nil {
		return err
	}
	if err := s.install("deep", progDeep, s.assembleDeep()); err != nil {
		return err
	}
	if err := s.install("actions", progActions, s.assembleActions()); err != nil {
		return err
	}
	if err := s.install("hash", progHash, s.assembleHash()); err != nil {
		return err
	}
	return s.install("main", progMain, s.assembleMain(s.flows.ranked()))
}

// program loads one.
func (s *Set) program(name string, insns asm.Instructions) (*ebpf.Program, error) {
	p, err := load("weir_"+name, insns, VerifierLimit)
	if err != nil {
		return nil, fmt.Errorf("program %s of %d instructions: %w", name, len(insns), err)
	}
	return p, nil
}

// install loads a program and puts it into the array.
func (s *Set) install(name string, index uint32, insns asm.Instructions) error {
	p, err := s.program(name, insns)
	if err != nil {
		return err
	}
	defer p.Close() // the array holds it
	if err := s.programs.Put(index, p); err != nil {
		return fmt.Errorf("program %s: %w", name, err)
	}
	return nil
}

// Close lets go of everything. What is pinned, or attached, lives on.
func (s *Set) Close() error {
	for _, d := range s.dimensions() {
		(*d.to).close()
		*d.to = nil
	}
	s.crc.close()
	s.crc = nil
	var err error
	if s.programs != nil {
		err = s.programs.Close()
	}
	if s.upcall != nil {
		err = errors.Join(err, s.upcall.Close())
	}
	return err
}

// Pin makes the data path outlive the process: everything gets a name in dir,
// which is a directory of a bpf file system and is made.
func (s *Set) Pin(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range s.dimensions() {
		if err := (*d.to).m.Pin(filepath.Join(dir, d.name)); err != nil {
			return fmt.Errorf("pin %s: %w", d.name, err)
		}
	}
	return s.programs.Pin(filepath.Join(dir, pinPrograms))
}

// Unpin removes the names that Pin gave.
func Unpin(dir string) error {
	var errs []error
	s := &Set{cfg: Config{MaxFlows: 1}}
	for _, d := range s.dimensions() {
		errs = append(errs, remove(filepath.Join(dir, d.name)))
	}
	errs = append(errs, remove(filepath.Join(dir, pinPrograms)))
	return errors.Join(errs...)
}

func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Hook is where a port's program is attached.
type Hook int

// Hooks.
const (
	Ingress Hook = iota
	Egress       // of an internal port: what the host sends
)

// Entry is the program to attach at a port's device. The caller closes it.
func (s *Set) Entry(no datapath.PortNo, hook Hook, flags PortFlags) (*ebpf.Program, error) {
	if int(no) >= s.cfg.MaxPorts {
		return nil, fmt.Errorf("port %d: the eBPF data path has room for numbers below %d", no, s.cfg.MaxPorts)
	}
	var state int32
	if hook == Egress {
		state |= stateEgress
	}
	if flags&PortTunnel != 0 {
		state |= stateTunnel
	}
	return s.program("entry", s.assembleEntry(uint32(no), state))
}

// Upcall is the program to attach at the TCX egress of every device that takes
// packets to user space. It stays the Set's.
func (s *Set) Upcall() *ebpf.Program { return s.upcall }

// SetPort says where a port's packets go; the zero Port removes it.
func (s *Set) SetPort(no datapath.PortNo, p Port) error {
	if int(no) >= s.cfg.MaxPorts {
		return fmt.Errorf("port %d: the eBPF data path has room for numbers below %d", no, s.cfg.MaxPorts)
	}
	view[Port](s.ports, s.cfg.MaxPorts)[no] = p
	return nil
}

// ofPort yields what each CPU counts of a port in a region that has a T for every
// port of every CPU; nothing, where no port can have that number.
func ofPort[T any](s *Set, r *region, no datapath.PortNo) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if int(no) >= s.cfg.MaxPorts {
			return
		}
		all := view[T](r, s.cpus*s.cfg.MaxPorts)
		for c := range s.cpus {
			if !yield(&all[c*s.cfg.MaxPorts+int(no)]) {
				return
			}
		}
	}
}

// PortStats is what was sent out of a port without its device seeing it.
func (s *Set) PortStats(no datapath.PortNo) (sum PortCount) {
	for n := range ofPort[PortCount](s, s.portStats, no) {
		sum.TxPackets += n.TxPackets
		sum.TxBytes += n.TxBytes
	}
	return sum
}

// PortDrops is what was to be sent out of a port and was not.
func (s *Set) PortDrops(no datapath.PortNo) (sum PortDrops) {
	for n := range ofPort[PortDrops](s, s.portDrops, no) {
		sum.TooLong += n.TooLong
		sum.Down += n.Down
	}
	return sum
}

// ClearPort begins the counts of a port anew, for another device than had its
// number before.
func (s *Set) ClearPort(no datapath.PortNo) {
	for n := range ofPort[PortCount](s, s.portStats, no) {
		*n = PortCount{}
	}
	for n := range ofPort[PortDrops](s, s.portDrops, no) {
		*n = PortDrops{}
	}
}

// Counters sums up those of all CPUs.
func (s *Set) Counters() Counters {
	var sum Counters
	for c := range s.cpus {
		n := view[[1 << counterShift / 8]uint64](s.counters, s.cpus)[c]
		sum.Hits += n[cHits/8]
		sum.HintHits += n[cHintHits/8]
		sum.Probes += n[cProbes/8]
		sum.Misses += n[cMisses/8]
		sum.Actions += n[cActions/8]
		sum.Slow += n[cSlow/8]
		sum.NoPort += n[cNoPort/8]
		sum.Lost += n[cLost/8]
	}
	return sum
}
