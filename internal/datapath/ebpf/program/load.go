package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// ErrVerifier says that the kernel's verifier was not done with a program within
// [VerifierLimit], and that it was told to stop.
var ErrVerifier = errors.New("the kernel's verifier takes too long for our programs")

// VerifierLimit is how much time of its processor the verifier gets for one
// program. It isn't wall-clock time, which on a busy machine would say nothing
// about the verifier; what is loaded in milliseconds on one machine may take two
// seconds on an emulated one.
const VerifierLimit = 10 * time.Second

// loadAttr is what bpf(BPF_PROG_LOAD) takes (linux/bpf.h, union bpf_attr), up to
// the last member that is used here.
type loadAttr struct {
	progType, insnCount  uint32
	insns, license       unsafe.Pointer
	logLevel, logSize    uint32
	log                  unsafe.Pointer
	version, flags       uint32
	name                 [16]byte
	ifindex, attachType  uint32
	btf, funcInfoRecSize uint32
	funcInfo             unsafe.Pointer
	funcInfoCount        uint32
	_                    uint32
}

// load has the kernel verify and compile a program for traffic control, in no
// more than limit of its thread's CPU time: the error is ErrVerifier then. The
// library's own loading can't be ended: it begins again whenever a signal
// interrupts the verifier.
func load(name string, insns asm.Instructions, limit time.Duration) (*ebpf.Program, error) {
	attr := &loadAttr{progType: uint32(ebpf.SchedCLS), insnCount: uint32(insns.Size() / asm.InstructionSize)}
	copy(attr.name[:len(attr.name)-1], name)
	license := append([]byte("GPL"), 0)
	attr.license = unsafe.Pointer(&license[0])
	handle, err := attr.describe(insns)
	if err != nil {
		return nil, err
	}
	if handle != nil {
		defer handle.Close()
	}
	var code bytes.Buffer
	if err := insns.Marshal(&code, byteOrder()); err != nil {
		return nil, err
	}
	attr.insns = unsafe.Pointer(&code.Bytes()[0])
	fd, err := attr.load(limit)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EFAULT) {
		err = attr.explain(err, limit)
	}
	if err != nil {
		return nil, err
	}
	return ebpf.NewProgramFromFD(fd)
}

// byteOrder is this machine's, by a name that the library knows.
func byteOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// describe adds the type information of the program's functions, if it has any;
// the kernel wants the handle open until it has loaded the program.
func (a *loadAttr) describe(insns asm.Instructions) (*btf.Handle, error) {
	var types btf.Builder
	funcs, _, err := btf.MarshalExtInfos(insns, &types)
	if err != nil || len(funcs) == 0 {
		return nil, err
	}
	handle, err := btf.NewHandle(&types)
	if err != nil {
		return nil, fmt.Errorf("type information: %w", err)
	}
	a.btf, a.funcInfoRecSize = uint32(handle.FD()), btf.FuncInfoSize
	a.funcInfo, a.funcInfoCount = unsafe.Pointer(&funcs[0]), uint32(len(funcs))/btf.FuncInfoSize
	return handle, nil
}

// explain asks again for why a program was refused, and appends what the verifier
// says.
func (a *loadAttr) explain(refused error, limit time.Duration) error {
	said := make([]byte, 1<<20)
	a.logLevel, a.logSize, a.log = 1, uint32(len(said)), unsafe.Pointer(&said[0])
	fd, err := a.load(limit)
	if err == nil { // it was memory, or what a program refers to
		_ = unix.Close(fd)
		return refused
	}
	log, _, _ := bytes.Cut(said, []byte{0})
	return fmt.Errorf("%w: %s", refused, reason(string(log)))
}

// followed is a line of the verifier's log on an instruction that it followed.
var followed = regexp.MustCompile(`(?m)^\d+: \(.*$`)

// reason is what the verifier's log says of why it refused a program: the last
// instruction, and what it makes of it. Linux 7.3 writes a page more, on what to do
// about it, after an empty line.
func reason(log string) string {
	if all := followed.FindAllStringIndex(log, -1); len(all) > 0 {
		log, _, _ = strings.Cut(log[all[len(all)-1][0]:], "\n\n")
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], ": ")
}

// load calls the kernel. A verifier with a signal pending for its thread gives
// up with EAGAIN, which is how the watcher ends it; other signals mean nothing,
// and it begins again.
func (a *loadAttr) load(limit time.Duration) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A profiler's signals would come faster than the verifier gets done.
	var profiler, before unix.Sigset_t
	profiler.Val[0] = 1 << (unix.SIGPROF - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &profiler, &before); err != nil {
		return 0, err
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	w := newWatcher(limit)
	go w.run()
	defer w.end()
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(a)), unsafe.Sizeof(*a))
		switch {
		case errno == 0:
			return int(fd), nil
		case errno != unix.EAGAIN:
			return 0, errno
		case w.over():
			return 0, fmt.Errorf("%w: more than %v", ErrVerifier, limit)
		}
	}
}

// watcher interrupts the thread that made it when that has used up its time.
type watcher struct {
	thread int
	until  time.Duration // of the thread's CPU time
	done   chan struct{} // closed: the thread has what it wanted
	ended  chan struct{} // closed: no more signals
}

// newWatcher watches the calling thread.
func newWatcher(limit time.Duration) *watcher {
	w := &watcher{thread: unix.Gettid(), done: make(chan struct{}), ended: make(chan struct{})}
	w.until = w.used() + limit
	return w
}

// used is the CPU time of the thread. Its clock's number is made as
// clock_getcpuclockid(3) does: the thread's number inverted, then the bits for
// one thread (4) and for time as the scheduler counts it (2).
func (w *watcher) used() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^w.thread<<3|4|2), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func (w *watcher) over() bool { return w.used() >= w.until }

// run sends SIGURG, which the runtime expects at any time, again and again: one
// that comes before the call has begun is lost.
func (w *watcher) run() {
	defer close(w.ended)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
			if w.over() {
				_ = unix.Tgkill(unix.Getpid(), w.thread, unix.SIGURG)
			}
		}
	}
}

func (w *watcher) end() {
	close(w.done)
	<-w.ended
}
