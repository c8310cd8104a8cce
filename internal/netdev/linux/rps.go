package linux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	sys *os.File // where class/net has the device
	was map[string]string
}

// Steer has the packets of all of a device's receive queues spread over the CPUs
// of a list. The device is one of the network namespace that the calling thread is
// in, of whichever namespace /sys is.
func Steer(device, cpus string) (*Steering, error) {
	mask, err := ParseCPUs(cpus)
	if err != nil {
		return nil, err
	}
	s := &Steering{was: map[string]string{}}
	if s.sys, err = sysfs(); err != nil {
		return nil, fmt.Errorf("steering of device %s: %w", device, err)
	}
	if err := s.spread(device, mask); err != nil {
		return nil, errors.Join(fmt.Errorf("steering of device %s: %w", device, err), s.Undo())
	}
	return s, nil
}

func (s *Steering) spread(device, mask string) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/self/fd/%d/class/net/%s/queues/rx-*/rps_cpus", s.sys.Fd(), device))
	if err == nil && len(files) == 0 {
		err = errors.New("there is no such device")
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		old, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(f, []byte(mask), 0)
		}
		if err != nil {
			return err
		}
		s.was[f] = strings.TrimSpace(string(old))
	}
	return nil
}

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

// Undo puts back what there was; it is no error where the device is gone.
func (s *Steering) Undo() error {
	var errs []error
	for f, mask := range s.was {
		if err := os.WriteFile(f, []byte(mask), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	s.was = nil
	return errors.Join(append(errs, s.sys.Close())...)
}
