package linux

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ParseCPUs reads a list of CPUs, "0-3,6", as the mask that the kernel takes in
// rps_cpus: hexadecimal words of 32 bits, the highest first.
func ParseCPUs(list string) (mask string, err error) {
	const most = 8192 // NR_CPUS of the largest kernels
	var words []uint32
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.ParseUint(low, 10, 16)
		to, err2 := strconv.ParseUint(high, 10, 16)
		if err1 != nil || err2 != nil || from > to || to >= most {
			return "", fmt.Errorf("%q is not a list of CPUs such as 0-3,6", list)
		}
		for cpu := from; cpu <= to; cpu++ {
			for uint64(len(words)) <= cpu/32 {
				words = append(words, 0)
			}
			words[cpu/32] |= 1 << (cpu % 32)
		}
	}
	parts := make([]string, len(words))
	for i, w := range words {
		parts[len(words)-1-i] = fmt.Sprintf("%08x", w)
	}
	return strings.Join(parts, ","), nil
}

// Steering is a device whose received packets the kernel spreads over CPUs by
// flow (receive packet steering; Documentation/networking/scaling.rst of the
// kernel).
type Steering struct {
	sys    *os.File // where class/net has the device
	queues string   // the directory of its queues
	was    map[string]string
}

// OpenSteering looks how the packets of all of a device's receive queues are spread.
// The device is one of the network namespace that the calling thread is in, of
// whichever namespace /sys is.
func OpenSteering(device string) (*Steering, error) {
	sys, err := sysfs()
	if err != nil {
		return nil, fmt.Errorf("steering of device %s: %w", device, err)
	}
	s := &Steering{sys: sys, queues: fmt.Sprintf("/proc/self/fd/%d/class/net/%s/queues", sys.Fd(), device), was: map[string]string{}}
	if err := s.look(); err != nil {
		return nil, errors.Join(fmt.Errorf("steering of device %s: %w", device, err), sys.Close())
	}
	return s, nil
}

// file is that of a queue's CPUs.
func (s *Steering) file(queue string) string { return filepath.Join(s.queues, queue, "rps_cpus") }

func (s *Steering) look() error {
	files, err := filepath.Glob(s.file("rx-*"))
	if err == nil && len(files) == 0 {
		err = errors.New("there is no such device")
	}
	for _, f := range files {
		mask, e := os.ReadFile(f)
		if e != nil {
			return e
		}
		s.was[filepath.Base(filepath.Dir(f))] = strings.TrimSpace(string(mask))
	}
	return err
}

// Was is what Undo puts back, as text.
func (s *Steering) Was() string {
	var parts []string
	for _, queue := range slices.Sorted(maps.Keys(s.was)) {
		parts = append(parts, queue+"="+s.was[queue])
	}
	return strings.Join(parts, " ")
}

// SetWas has Undo put back what an earlier process said by Was.
func (s *Steering) SetWas(text string) {
	for part := range strings.FieldsSeq(text) {
		queue, mask, _ := strings.Cut(part, "=")
		if _, ok := s.was[queue]; ok {
			s.was[queue] = mask
		}
	}
}

// Spread has the packets spread over the CPUs of a list.
func (s *Steering) Spread(cpus string) error {
	mask, err := ParseCPUs(cpus)
	for queue := range s.was {
		if err == nil {
			err = os.WriteFile(s.file(queue), []byte(mask), 0)
		}
	}
	return err
}

// Undo puts back what there was and ends the Steering; it is no error where the
// device is gone.
func (s *Steering) Undo() error {
	var errs []error
	for queue, mask := range s.was {
		if err := os.WriteFile(s.file(queue), []byte(mask), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, s.Close())...)
}

// Close ends the Steering and leaves the device as it is.
func (s *Steering) Close() error { return s.sys.Close() }

// sysfs is a sysfs of the network namespace that the calling thread is in, mounted
// nowhere: the one at /sys may be another namespace's, with devices of the same
// names (fsopen(2), fsmount(2)).
func sysfs() (*os.File, error) {
	fs, err := unix.Fsopen("sysfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen sysfs: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("sysfs of this network namespace: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("sysfs of this network namespace: %w", err)
	}
	return os.NewFile(uintptr(fd), "sysfs"), nil
}
