package paths

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSocketName is the longest name that fits sockaddr_un, less its terminator
// (unix(7)).
const maxSocketName = 107

// ShortSocket returns a name for the Unix socket at path that fits a socket
// address, however long path is: a long one is reached through a descriptor of
// its directory in /proc. The caller calls release once the socket is bound or
// connected.
func ShortSocket(path string) (short string, release func(), err error) {
	if len(path) <= maxSocketName {
		return path, func() {}, nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open %s: %w", filepath.Dir(path), err)
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path))
	if len(short) > maxSocketName {
		unix.Close(fd)
		return "", nil, fmt.Errorf("%s: file name too long for a Unix domain socket", path)
	}
	return short, func() { unix.Close(fd) }, nil
}
