package linux

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Status is what the driver says of itself (ethtool -i).
func (l *link) Status() map[string]string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(fd) }()
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, l.name)
	if err != nil {
		return nil
	}
	return map[string]string{
		"driver_name":      unix.ByteSliceToString(info.Driver[:]),
		"driver_version":   unix.ByteSliceToString(info.Version[:]),
		"firmware_version": unix.ByteSliceToString(info.Fw_version[:]),
	}
}

// ethtoolCmd is struct ethtool_cmd of linux/ethtool.h.
type ethtoolCmd struct {
	cmd, supported, advertising uint32
	speed                       uint16
	duplex, port, phy, trans    uint8
	autoneg, mdio               uint8
	maxTx, maxRx                uint32
	speedHi                     uint16
	mdix, mdixCtrl              uint8
	lpAdvertising               uint32
	reserved                    [2]uint32
}

// ifreqData is struct ifreq with a pointer.
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// Speed is what ethtool says of the link.
func (l *link) Speed() (bps uint64, fullDuplex bool) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer func() { _ = unix.Close(fd) }()
	cmd := ethtoolCmd{cmd: unix.ETHTOOL_GSET}
	var req ifreqData
	copy(req.name[:unix.IFNAMSIZ-1], l.name)
	req.data = unsafe.Pointer(&cmd)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return 0, false
	}
	mbps := uint64(cmd.speedHi)<<16 | uint64(cmd.speed)
	if mbps == 0xffffffff {
		return 0, false
	}
	return mbps * 1e6, cmd.duplex == 1
}
