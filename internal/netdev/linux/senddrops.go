package linux

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/internal/netdev"
)

// sendDrops counts the packets that the kernel did not take, by reason.
type sendDrops struct {
	counts [netdev.NumSendDrops]atomic.Uint64
	known  atomic.Uint64 // those among them, and those sent after all, that the kernel counts
}

// uncounted are those that the kernel doesn't count itself, to be added to what it
// counts: less than none, modulo 2^64, where it counted packets that were sent after all.
func (d *sendDrops) uncounted() uint64 {
	n := -d.known.Load()
	for i := range d.counts {
		n += d.counts[i].Load()
	}
	return n
}

// refused counts a packet that the kernel did not take for the reason that packet(7)
// and send(2) give by a number. The queue of a device without carrier is always
// full; such a packet the kernel counts itself, as it does what it refuses of a tap
// that is down (EIO).
func (l *link) refused(errno unix.Errno) {
	why := netdev.SendRefused
	switch errno {
	case unix.EMSGSIZE:
		why = netdev.SendTooLong
	case unix.ENETDOWN, unix.EIO:
		why = netdev.SendDown
	case unix.ENOBUFS, unix.EAGAIN:
		why = netdev.SendBusy
		if l.Flags()&netdev.Running == 0 {
			why = netdev.SendDown
			l.drops.known.Add(1)
		}
	}
	l.drops.counts[why].Add(1)
}

// SendDrops are the packets that were not sent, of this process's and of programs'.
func (l *link) SendDrops() (n netdev.SendDrops) {
	if read := l.bypass.Load(); read != nil {
		n = (*read)().Drops
	}
	for i := range n {
		n[i] += l.drops.counts[i].Load()
	}
	return n
}
