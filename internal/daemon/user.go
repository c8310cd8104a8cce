package daemon

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/vlog"
)

// becomeUser changes the process to the user and group of spec (USER, USER:GROUP
// or :GROUP), keeping only the capabilities that a daemon needs, more where it
// drives a data path (ovs-vswitchd(8), --user).
func becomeUser(spec string, network bool) error {
	uid, gid, err := lookupUser(spec)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("--user: only a daemon started by root can change its user")
	}
	if name := vlog.LogFile(); name != "" {
		_ = os.Chown(name, uid, gid)
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); errno != 0 {
		return fmt.Errorf("--user: keeping capabilities failed (%s)", vlog.Strerror(errno))
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("--user: setting groups failed (%v)", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("--user: setting group %d failed (%v)", gid, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("--user: setting user %d failed (%v)", uid, err)
	}
	return setCapabilities(network)
}

// setCapabilities reduces every thread's capabilities to those the manual names.
func setCapabilities(network bool) error {
	keep := []uint{unix.CAP_IPC_LOCK, unix.CAP_NET_BIND_SERVICE}
	if network {
		keep = append(keep, unix.CAP_NET_ADMIN, unix.CAP_NET_BROADCAST, unix.CAP_NET_RAW)
	}
	var mask uint32 // all of them are below 32
	for _, c := range keep {
		mask |= 1 << c
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: mask, Permitted: mask, Inheritable: mask}}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
	if errno != 0 {
		return fmt.Errorf("--user: setting capabilities failed (%s)", vlog.Strerror(errno))
	}
	return nil
}

func lookupUser(spec string) (uid, gid int, err error) {
	name, group, hasGroup := strings.Cut(spec, ":")
	uid, gid = os.Getuid(), os.Getgid()
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			if u, err = user.LookupId(name); err != nil {
				return 0, 0, fmt.Errorf("user %s not found, aborting", name)
			}
		}
		uid, _ = strconv.Atoi(u.Uid)
		if !hasGroup || group == "" {
			gid, _ = strconv.Atoi(u.Gid)
		}
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return 0, 0, fmt.Errorf("group %s not found, aborting", group)
			}
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	return uid, gid, nil
}
